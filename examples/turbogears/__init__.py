"""TurboGears 2."""
