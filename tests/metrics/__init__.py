"""Tests of events, log records and the health check."""
