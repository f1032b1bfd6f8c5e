"""Stand-ins for applications that switch to MongoDB by changing lines of their INI file."""
