"""The example of Django."""

from tests.frameworks.contract import LockedVisitsContract
from tests.frameworks.visitor import Visitor


class TestDjango(LockedVisitsContract):
    """``examples/django``."""

    application = "examples.django.wsgi:application"
    token_field = "csrfmiddlewaretoken"
    cookie_name = "sessionid"
    # Django's SessionInterrupted.
    ended_status = 400

    def test_csrf(self, visitor: Visitor) -> None:
        """Django refuses a form without a token, and does not log in."""
        visitor.visit()
        assert 403 == visitor.post("/login", {"user": "ann"})
        assert visitor.visit(1).user is None

    def test_admin(self, visitor: Visitor) -> None:
        """The user of the admin logs in at one worker, and works at the other one."""
        assert 302 == visitor.open("/admin/")
        assert 200 == visitor.open("/admin/login/")
        form = {"username": "admin", "password": "admin"}
        assert 403 == visitor.post("/admin/login/", form)
        visitor.visit()
        assert 302 == visitor.post("/admin/login/", form | {"csrfmiddlewaretoken": visitor.token})
        assert 200 == visitor.open("/admin/", 1)
        assert 200 == visitor.open("/admin/auth/user/", 1)
        assert visitor.visit(1).visits == 2
