"""The example of Bottle."""

from tests.frameworks.contract import ExampleContract


class TestBottle(ExampleContract):
    """``examples/bottle``."""

    application = "examples.bottle.wsgi:application"
