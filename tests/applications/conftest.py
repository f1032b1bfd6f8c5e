"""The tests to collect in the normal environment."""

import os

# Each of these applications needs an environment of its own: tox run -m applications.
collect_ignore = [
    f"test_{name}.py"
    for name in ("kallithea", "kotti")
    if f"EXPECT_{name.upper()}" not in os.environ
]
