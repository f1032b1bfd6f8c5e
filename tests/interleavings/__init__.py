"""Every order of the commands of overlapping requests to one session."""
