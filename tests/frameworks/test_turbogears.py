"""The example of TurboGears 2."""

from tests.frameworks.contract import LockedVisitsContract


class TestTurboGears(LockedVisitsContract):
    """``examples/turbogears``."""

    application = "examples.turbogears.wsgi:application"
