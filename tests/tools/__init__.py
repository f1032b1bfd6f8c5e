"""Tests of the tools in this repository."""
