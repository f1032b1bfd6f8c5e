"""Session documents: stored, loaded, merged and found. Nothing here knows Beaker."""
