"""Measurements, against real servers."""
