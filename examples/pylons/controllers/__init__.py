"""The controllers. Pylons finds them here by their names."""
