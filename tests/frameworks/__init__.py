"""Tests of each framework's example, in several worker processes."""
