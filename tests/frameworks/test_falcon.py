"""The example of Falcon."""

from tests.frameworks.contract import LockedVisitsContract


class TestFalcon(LockedVisitsContract):
    """``examples/falcon``."""

    application = "examples.falcon.wsgi:application"
