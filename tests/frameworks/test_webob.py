"""The example of WebOb."""

from tests.frameworks.contract import LockedVisitsContract


class TestWebOb(LockedVisitsContract):
    """``examples/webob``."""

    application = "examples.webob.wsgi:application"
