"""The tests to collect in the normal environment."""

import os

# Pylons needs an environment of its own: tox run -e pylons.
collect_ignore = [] if "EXPECT_PYLONS" in os.environ else ["test_pylons.py"]
