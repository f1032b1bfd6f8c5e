"""Mutations of the package, and the tests that have to notice them: ``make mutate``."""
