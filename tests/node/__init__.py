"""Tests of what talks to a server."""
