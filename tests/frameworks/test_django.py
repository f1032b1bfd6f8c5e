"""The example of Django."""

from tests.frameworks.contract import LockedVisitsContract
from tests.frameworks.visitor import Visitor


class TestDjango(LockedVisitsContract):
    """``examples/django``."""

    application = "examples.django.wsgi:application"
    token_field = "csrfmiddlewaretoken"

    def test_csrf(self, visitor: Visitor) -> None:
        """Django refuses a form without a token, and does not log in."""
        visitor.visit()
        assert 403 == visitor.post("/login", {"user": "ann"})
        assert visitor.visit(1).user is None
