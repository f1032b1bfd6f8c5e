"""CherryPy."""
