"""A data portal on plain WSGI, whose flash messages are Markup."""

from collections.abc import Iterable
from html import escape
from typing import Any, ClassVar

from beaker.middleware import SessionMiddleware
from markupsafe import Markup
from webob import Request, Response

import beaker_mongo_soajs
from tests.applications.contract import ApplicationContract, Changes, Settings
from tests.applications.transcript import Transcript
from tests.conftest import Db


def _flash(session: Any, message: str, category: str, *, allow_html: bool = False) -> None:
    text = Markup(message) if allow_html else Markup.escape(message)
    session.setdefault("flash", []).append((category, text))
    session.save()


def _pop_messages(session: Any) -> list[Any]:
    messages: list[Any] = session.pop("flash", [])
    session.save()
    return messages


def _portal(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    request, session = Request(environ), environ["beaker.session"]
    shown: object = "Done."
    if request.path == "/":
        shown = [
            f"{kind} {Markup('<p>{}</p>').format(text)}" for kind, text in _pop_messages(session)
        ]
    elif request.path == "/search":
        session["last_search"] = request.POST
        session["facets"] = {("tags", "geo"), ("org", "x & y")}
        _flash(session, f"Found <{request.params['q']}>", "alert-info")
    elif request.path == "/again":
        search = session["last_search"]
        shown = f"{type(search).__name__} {search.getall('tag')} {sorted(session['facets'])}"
    elif request.path == "/login":
        session["user"] = request.params["user"]
        _flash(session, 'Welcome <a href="/me">back</a>', "alert-success", allow_html=True)
    elif request.path == "/me":
        shown = session.get("user")
    elif request.path == "/logout":
        session.delete()
    response = Response(escape(str(shown)))
    return response(environ, start_response)


class TestDataPortal(ApplicationContract):
    """A data portal."""

    ini = """
        beaker.session.key = portal
        beaker.session.type = file
        beaker.session.data_dir = %(here)s/data
        beaker.session.secret = a secret of the site
        beaker.session.cookie_expires = true
        beaker.session.timeout = 3600
    """
    changes: ClassVar[Changes] = {
        "beaker.session.type": "ext:mongodb_soajs",
        "beaker.session.url": "MONGO",
    }
    hardened: ClassVar[dict[str, str]] = {"beaker.session.secure": "false"}

    @staticmethod
    def make(settings: Settings) -> Any:
        """Return the application."""
        return SessionMiddleware(_portal, settings)

    @staticmethod
    def make_hardened(settings: Settings) -> Any:
        """Return the application with the middleware of this package."""
        return beaker_mongo_soajs.SessionMiddleware(_portal, settings)

    @staticmethod
    def visit(visitor: Transcript) -> None:
        """Search, log in, read the messages and log out."""
        visitor.get("/")
        visitor.post("/search", q="water & air", tag="geo")
        assert "&amp;lt;water &amp;amp; air" in visitor.get("/")
        assert "MultiDict" in visitor.get("/again")
        visitor.post("/login", user="ann")
        assert "<a href" not in visitor.get("/")
        visitor.get("/")
        visitor.get("/me")
        visitor.post("/logout")
        visitor.get("/me")
        visitor.post("/login", user="bob")

    @staticmethod
    def check_stored(database: Db) -> None:
        """Messages are stored as Markup in a readable form."""
        (document,) = database.sessions.find({"session.user": "bob"})
        welcome = {"__type__": "markup", "value": 'Welcome <a href="/me">back</a>'}
        assert [{"__type__": "tuple", "value": ["alert-success", welcome]}] == document["session"][
            "flash"
        ]
