"""Paste Deploy."""
