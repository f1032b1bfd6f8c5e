"""The choice of the tests that take long."""

from tests.interleavings.test_interleavings import ALL

collect_ignore = [] if ALL else ["test_failovers.py"]
