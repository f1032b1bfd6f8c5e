"""Benchmarks with real servers."""
