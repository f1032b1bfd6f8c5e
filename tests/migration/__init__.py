"""Tests of moving sessions from other backends."""
