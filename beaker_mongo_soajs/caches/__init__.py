"""Cache entries in MongoDB, without Beaker."""
