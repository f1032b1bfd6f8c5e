"""Tests of the integration of Django."""
