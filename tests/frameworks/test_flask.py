"""The example of Flask."""

from tests.frameworks.contract import LockedVisitsContract


class TestFlask(LockedVisitsContract):
    """``examples/flask``."""

    application = "examples.flask.wsgi:application"
    cookie_name = "session"
