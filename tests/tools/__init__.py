"""Tests of this repository's own tools."""
