"""A shop on Pyramid: delete() and then invalidate() at logout, and progress in another session."""

from decimal import Decimal
from html import escape
from typing import Any, ClassVar

from beaker.session import Session
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.interfaces import ISessionFactory
from pyramid.request import Request
from pyramid.response import Response

from tests.applications.contract import ApplicationContract, Changes, Settings
from tests.applications.transcript import Transcript
from tests.conftest import Db


def _home(request: Request) -> Response:
    session = request.session
    total = sum(price * count for price, count in session.get("cart", {}).values())
    shown = f"{session.get('user')} {session.get('cart')} {total} {session.pop_flash()}"
    return Response(escape(shown))


def _add(request: Request) -> HTTPFound:
    cart = request.session.setdefault("cart", {})
    price, count = cart.get(request.params["item"], (Decimal("9.90"), 0))
    cart[request.params["item"]] = (price, count + 1)
    request.session.changed()
    return HTTPFound("/")


def _login(request: Request) -> HTTPFound:
    request.session["user"] = request.params["user"]
    request.session.flash("Welcome.")
    return HTTPFound("/")


def _progress(request: Request) -> Any:
    """Return the session that shows the progress of a long task, under an id of the server."""
    identity = f"{request.session.id}.progress.order"
    options = request.registry.queryUtility(ISessionFactory)._options
    kind = options.get("session_class") or Session
    return kind(request, id=identity, **options | {"use_cookies": False})


def _order(request: Request) -> HTTPFound:
    request.session.save()
    progress = _progress(request)
    progress["done"] = progress.get("done", 0) + 50
    progress.save()
    return HTTPFound("/progress")


def _watch(request: Request) -> Response:
    progress = _progress(request)
    if progress.get("done") == 100:
        request.session.flash("Your order is complete.")
    return Response(f"{progress.get('done')}")


def _logout(request: Request) -> HTTPFound:
    request.session.delete()
    request.session.invalidate()
    return HTTPFound("/")


class TestShop(ApplicationContract):
    """A shop."""

    ini = """
        session.type = file
        session.data_dir = %(here)s/sessions
        session.key = shop
        session.secret = a secret of the site
        session.timeout = 1800
        session.httponly = true
    """
    changes: ClassVar[Changes] = {
        "session.type": "ext:mongodb_soajs",
        "session.data_dir": None,
        "session.url": "MONGO",
    }

    @staticmethod
    def make(settings: Settings) -> Any:
        """Return the application."""
        config = Configurator(settings=settings)
        config.include("pyramid_beaker")
        views = {"": _home, "add": _add, "login": _login, "logout": _logout}
        for name, view in (views | {"order": _order, "progress": _watch}).items():
            config.add_route(name or "home", f"/{name}")
            config.add_view(view, route_name=name or "home")
        return config.make_wsgi_app()

    @staticmethod
    def visit(visitor: Transcript) -> None:
        """Fill a cart, log in and out, and log in as somebody else."""
        visitor.get("/")
        for item in ("tea", "tea", "cup"):
            visitor.post("/add", item=item)
        visitor.post("/login", user="ann")
        assert "29.70" in visitor.get("/")
        visitor.get("/")
        for done in ("50", "100"):
            visitor.post("/order")
            assert done == visitor.get("/progress")
        assert "Your order is complete." in visitor.get("/")
        visitor.post("/logout")
        assert "None None 0" in visitor.get("/")
        visitor.post("/add", item="cup")
        visitor.post("/login", user="bob")
        visitor.get("/")
        visitor.forget_cookies()
        visitor.get("/")

    @staticmethod
    def check_stored(database: Db) -> None:
        """A cart is stored as a sub-document, and the progress under the id of the server."""
        (document,) = database.sessions.find({"session.user": "bob"})
        price = {"__type__": "decimal", "value": "9.90"}
        assert {"cup": {"__type__": "tuple", "value": [price, 1]}} == document["session"]["cart"]
        (progress,) = database.sessions.find({"session.done": {"$exists": True}})
        assert progress["_id"].endswith(".progress.order")
        assert 100 == progress["session"]["done"]
        logged_in = database.sessions.count_documents({"session.user": "ann"})
        # Beaker's own Session leaves the session that was logged out. MongoSession does not.
        assert 1 >= logged_in
