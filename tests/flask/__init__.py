"""Tests of the integration with Flask."""
