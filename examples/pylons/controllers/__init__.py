"""The controllers, where Pylons looks for them by their names."""
