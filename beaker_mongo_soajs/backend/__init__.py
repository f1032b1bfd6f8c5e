"""Beaker's container API: how its sessions and caches reach the stores."""
