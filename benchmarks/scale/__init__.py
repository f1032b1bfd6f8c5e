"""Measurements of many processes, threads, visitors and sessions: ``make bench-scale``."""
