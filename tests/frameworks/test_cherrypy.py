"""The example of CherryPy."""

from tests.frameworks.contract import LockedVisitsContract


class TestCherryPy(LockedVisitsContract):
    """``examples/cherrypy``."""

    application = "examples.cherrypy.wsgi:application"
