"""Tests of the option tables."""
