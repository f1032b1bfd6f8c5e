"""The command line ``beaker-mongo``, made with click and rich: the extra ``cli``."""
