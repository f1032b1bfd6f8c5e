"""The example of Pyramid, with pyramid_beaker and with this package alone."""

from tests.frameworks.contract import USER, ExampleContract, MongoSessionContract
from tests.frameworks.visitor import Visitor


class TestPyramidBeaker(ExampleContract):
    """``examples/pyramid/wsgi.py``."""

    application = "examples.pyramid.wsgi:application"

    def test_flash(self, visitor: Visitor) -> None:
        """A flash message from one process is shown once by another."""
        visitor.visit()
        assert [] == visitor.answer["messages"]
        visitor.login(USER)
        visitor.visit(1)
        assert [f"Welcome, {USER}."] == visitor.answer["messages"]
        visitor.visit(0)
        assert [] == visitor.answer["messages"]

    def test_csrf(self, visitor: Visitor) -> None:
        """Pyramid refuses a form without a token, and does not log in."""
        visitor.visit()
        assert 400 == visitor.post("/login", {"user": USER})
        assert visitor.visit(1).user is None


class TestPyramid(TestPyramidBeaker, MongoSessionContract):
    """``examples/pyramid/hardened.py``: ``config.include("beaker_mongo_soajs.pyramid")``."""

    application = "examples.pyramid.hardened:application"
