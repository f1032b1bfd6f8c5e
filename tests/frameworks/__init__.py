"""The example of each framework, in worker processes of its own, and what all of them promise."""
