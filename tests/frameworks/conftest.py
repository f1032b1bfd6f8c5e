"""Which tests there are for the everyday environment."""

import os

# Pylons needs an environment of its own, which promises it: tox run -e pylons.
collect_ignore = [] if "EXPECT_PYLONS" in os.environ else ["test_pylons.py"]
