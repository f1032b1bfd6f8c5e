"""Cache entries: stored, loaded and locked. Nothing here knows Beaker."""
