"""The example of Pyramid, with pyramid_beaker and with this package in its place."""

from tests.frameworks.contract import USER, ExampleContract, MongoSessionContract
from tests.frameworks.visitor import Visitor


class TestPyramidBeaker(ExampleContract):
    """``examples/pyramid/wsgi.py``."""

    application = "examples.pyramid.wsgi:application"

    def test_flash(self, visitor: Visitor) -> None:
        """A message that one process leaves is shown by another, once."""
        visitor.visit()
        assert [] == visitor.answer["messages"]
        visitor.login(USER)
        visitor.visit(1)
        assert [f"Welcome, {USER}."] == visitor.answer["messages"]
        visitor.visit(0)
        assert [] == visitor.answer["messages"]

    def test_csrf(self, visitor: Visitor) -> None:
        """Pyramid refuses a form without the token of the session, and nobody is logged in."""
        visitor.visit()
        assert 400 == visitor.post("/login", {"user": USER})
        assert visitor.visit(1).user is None


class TestPyramid(TestPyramidBeaker, MongoSessionContract):
    """``examples/pyramid/hardened.py``: ``config.include("beaker_mongo_soajs.pyramid")``."""

    application = "examples.pyramid.hardened:application"
