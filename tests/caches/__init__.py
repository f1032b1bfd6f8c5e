"""Tests of Beaker's caches in MongoDB."""
