"""Pylons."""
