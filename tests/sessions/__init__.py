"""Tests of session documents, without Beaker."""
