"""The example of Paste Deploy."""

from tests.frameworks.contract import LockedVisitsContract


class TestPaste(LockedVisitsContract):
    """``examples/paste``."""

    application = "examples.paste.wsgi:application"
