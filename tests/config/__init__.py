"""Tests of the dbConfig."""
