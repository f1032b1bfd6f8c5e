"""A content management system on Pyramid: translated flash messages, and uploads in the session."""

from html import escape
from typing import Any, ClassVar

from pyramid import i18n
from pyramid.config import Configurator
from pyramid.csrf import check_csrf_token
from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid.response import Response

from tests.applications.contract import ApplicationContract, Changes, Settings
from tests.applications.transcript import Transcript
from tests.conftest import Db

_: Any = vars(i18n)["TranslationStringFactory"]("cms")


def _home(request: Request) -> Response:
    translate = i18n.get_localizer(request).translate
    flashes = [
        f"{type(message).__name__} {queue}: {translate(message)}"
        for queue in ("success", "danger")
        for message in request.session.pop_flash(queue)
    ]
    user = request.session.get("user", "nobody")
    return Response(escape(f"{user} {flashes} token={request.session.get_csrf_token()}"))


def _login(request: Request) -> HTTPFound:
    check_csrf_token(request)
    user = request.POST["user"]
    if request.POST["password"] != "secret":
        request.session.flash(_("Login failed."), "danger")
    else:
        request.session["user"] = user
        welcome = _("Welcome, ${user}!", default="Hello, ${user}!", mapping={"user": user})
        request.session.flash(welcome, "success")
    return HTTPFound("/")


def _upload(request: Request) -> HTTPFound:
    upload = request.POST["file"]
    # A form that is not valid shows the file again, from the session.
    request.session["tmp-1"] = {
        "filename": upload.filename,
        "mimetype": upload.type,
        "file_contents": upload.file.read(),
        "size": None,
    }
    request.session.flash(_("Not valid: ${count} errors.", mapping={"count": 2}), "danger")
    return HTTPFound("/preview")


def _preview(request: Request) -> Response:
    return Response(escape(repr(request.session.get("tmp-1"))))


def _logout(request: Request) -> HTTPFound:
    request.session.invalidate()
    request.session.flash(_("You have been logged out."), "success")
    return HTTPFound("/")


class TestCms(ApplicationContract):
    """A content management system."""

    ini = """
        pyramid.default_locale_name = en
        session.type = file
        session.data_dir = %(here)s/sessions/data
        session.lock_dir = %(here)s/sessions/lock
        session.key = cms
        session.secret = a secret of the site
        session.httponly = true
        session.cookie_on_exception = true
    """
    changes: ClassVar[Changes] = {
        "session.type": "ext:mongodb_soajs",
        "session.url": "MONGO",
        "session.data_dir": None,
        "session.lock_dir": None,
    }

    @staticmethod
    def make(settings: Settings) -> Any:
        """Return the application."""
        config = Configurator(settings=settings)
        config.include("pyramid_beaker")
        views = {"home": _home, "login": _login, "upload": _upload, "preview": _preview}
        for name, view in (views | {"logout": _logout}).items():
            config.add_route(name, "/" if name == "home" else f"/{name}")
            config.add_view(view, route_name=name)
        return config.make_wsgi_app()

    @staticmethod
    def visit(visitor: Transcript) -> None:
        """Log in after a mistake, upload a file, and log out."""
        visitor.get("/")
        visitor.post("/login", user="ann", password="wrong", csrf_token=visitor.token)
        visitor.get("/")
        visitor.post("/login", user="ann", password="secret", csrf_token="wrong")
        visitor.post("/login", user="ann", password="secret", csrf_token=visitor.token)
        assert "TranslationString success: Hello, ann!" in visitor.get("/")
        visitor.get("/")
        visitor.post("/upload", file=("a.bin", bytes(range(256))))
        assert "a.bin" in visitor.get("/preview")
        visitor.get("/")
        visitor.post("/logout")
        assert "logged out" in visitor.get("/")
        visitor.post("/login", user="zoë", password="secret", csrf_token=visitor.token)

    @staticmethod
    def check_stored(database: Db) -> None:
        """The flash message is stored with its translation domain and its mapping."""
        (document,) = database.sessions.find({"session.user": "zoë"})
        assert [
            {
                "__type__": "translation_string",
                "value": ["Welcome, ${user}!", "cms", "Hello, ${user}!", {"user": "zoë"}, None],
            }
        ] == document["session"]["_f_success"]
