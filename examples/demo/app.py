"""The demo as a WSGI application: a page with experiments, within the session middleware."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from pymongo.errors import PyMongoError
from webob import Request, Response

from beaker_mongo_soajs import StoreUnavailable, close_clients
from examples.demo.actions import ACTIONS, SWITCHES, Call, FormError, Room
from examples.demo.assets import find_document, load_assets
from examples.demo.commands import CommandRecorder, Trace
from examples.demo.database import Database
from examples.demo.experiments import Experiments
from examples.demo.forms import Forms, RequestError, demand_method, read_cookie
from examples.demo.lab import Lab
from examples.demo.observer import Observer
from examples.demo.outage import Outage
from examples.demo.panels import PANELS
from examples.demo.shops import SESSION_COOKIE, Shops
from examples.demo.view import Page, render_error, render_page
from examples.demo.visitors import Visitor, Visitors

DATABASE = "beaker_demo"
VISITOR_COOKIE = "demo_visitor"

_MOST_TRACES = 8
_DEFAULT_PANEL = "race"
_SAFE = "The database is not answering. Your session is safe."
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = (
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
_NO_PAGE = "This page does not exist."
_NO_DOCS = "The documentation is not built yet. Run make docs, then reload this page."


class Demo:
    """The demo.

    The middleware saves a session when the response starts. The page is made later, while it is
    sent, because it shows the saved document.
    """

    def __init__(self, database: Database, name: str = DATABASE) -> None:
        """Connect to MongoDB.

        :param database: the servers
        :param name: the name of the database
        :raises ConfigError: the connection string is invalid
        :raises PyMongoError: the server does not answer
        """
        self._database = database
        self._recorder = CommandRecorder()
        self._visitors = Visitors()
        self._forms = Forms()
        self._assets = load_assets()
        self._shops = Shops(self._respond_to_visitor, database.url, name, self._recorder)
        self.lab = Lab(database.url, name)
        self.experiments = Experiments(self.lab)
        self.outage = Outage(self.lab)
        self._room = Room(database, self.experiments, self.outage, threading.Lock())
        try:
            self._observer = Observer(database.url, self._shops.store(stringify=False).config)
        except PyMongoError:
            self.lab.close()
            close_clients()
            raise
        self.place = self._observer.place

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        path = environ["PATH_INFO"]
        asset = self._assets.get(path)
        if asset is not None:
            return asset(environ, start_response)
        request = Request(environ)
        top = request.path_info_peek()
        if top == "lab":
            request.path_info_pop()
            return self.lab(environ, start_response)
        if top == "docs":
            request.path_info_pop()
            file = find_document(request.path_info)
            if file is not None:
                return file(environ, start_response)
        visitor = self._visitors.get(read_cookie(request, VISITOR_COOKIE))
        trace = Trace(f"{request.method} {path}")
        self._recorder.begin(trace)
        environ["demo.visitor"], environ["demo.trace"] = visitor, trace
        application = self._route(request)
        try:
            return application(environ, start_response)
        except RequestError as error:
            status, message = error.status, error.message
        except StoreUnavailable:
            if request.method == "GET" and path.strip("/") in {"", *PANELS}:
                response = Response(app_iter=self._page(None, environ), status=503)
                return self._finish(visitor, response)(environ, start_response)
            status, message = "503 Service Unavailable", _SAFE
        page = render_error(status, message, self.place)
        return self._finish(visitor, Response(page, status))(environ, start_response)

    def close(self) -> None:
        """Close the connections to MongoDB."""
        self._observer.close()
        self.lab.close()
        close_clients()

    def _route(self, request: Request) -> WSGIApplication:
        visitor: Visitor = request.environ["demo.visitor"]
        if request.path_info == "/form":
            return self._switch_form
        if request.path_info in SWITCHES:
            return self._switch_server
        # All changes are made by MongoSession, which has locks.
        plain = visitor.plain and request.method == "GET"
        return self._shops.get(stringify=visitor.stringify, plain=plain)

    def _respond_to_visitor(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Respond to a request within the session middleware."""
        request = Request(environ)
        session, visitor = environ["beaker.session"], environ["demo.visitor"]
        path = environ["PATH_INFO"]
        if path.strip("/") in {"", *PANELS}:
            demand_method(request, "GET", "HEAD")
            if request.method == "GET" and not visitor.arrives:
                session["visits"] = session.get("visits", 0) + 1
                session.save()
            # A page after a form is no visit, but loads the session here, where it may fail.
            session.get("visits")
            visitor.arrives = visitor.arrives and request.method == "HEAD"
            response = Response(app_iter=self._page(session, environ))
        elif path in ACTIONS:
            action, panel = ACTIONS[path]
            try:
                message = action(self._call(request, session))
            except FormError as error:
                raise RequestError("400 Bad Request", str(error)) from error
            response = _back_to_page(request, message, panel)
        else:
            raise RequestError("404 Not Found", _NO_DOCS if path == "/docs" else _NO_PAGE)
        return self._finish(visitor, response)(environ, start_response)

    def _page(self, session: Any, environ: WSGIEnvironment) -> Iterator[bytes]:
        visitor, trace = environ["demo.visitor"], environ["demo.trace"]
        view = self._observer.look(session.id if session is not None else "")
        if session is None:
            trace.message = _SAFE
        panel = PANELS[environ["PATH_INFO"].strip("/") or _DEFAULT_PANEL]
        page = Page(
            panel=panel,
            place=self.place,
            token=self._forms.token(visitor),
            session={} if session is None else dict(session.items()),
            view=view,
            visitor=visitor,
            traces=[*visitor.traces, trace],
            database=self._database,
            outage=self.outage,
            observer=self._observer,
            devices=self._devices(session, visitor) if panel.name == "devices" else (),
        )
        html = render_page(page)
        visitor.seen, visitor.traces = view.document, []
        yield html.encode()

    def _devices(self, session: Any, visitor: Visitor) -> list[tuple[str, Mapping[str, Any], bool]]:
        user = session.get("user") if session is not None else None
        if not user or visitor.stringify:
            return []
        found = self._shops.store(stringify=False).find(user=user)
        return [(each.handle, data, each == session.id) for each, data in found]

    def _switch_form(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Choose the kind of Session, and store the session in the other form.

        A document keeps its form. Replacing the whole session changes it; SessionStore does that.
        """
        request, visitor = Request(environ), environ["demo.visitor"]
        form = self._forms.read(request)
        visitor.plain = form.get("kind", "plain" if visitor.plain else "") == "plain"
        stringify = form.get("stringify", str(visitor.stringify).lower()) == "true"
        message = f"Pages are read by {'session.type alone' if visitor.plain else 'MongoSession'}."
        if stringify != visitor.stringify:
            visitor.stringify = stringify
            store = self._shops.store(stringify=stringify)
            session_id = read_cookie(request, SESSION_COOKIE)[40:]
            session = store.get(session_id) if session_id else None
            if session is not None:
                store.set(session_id, session)
            what = "JSON text" if stringify else "a sub-document"
            message = f"The same session, stored as {what}."
        return self._finish(visitor, _back_to_page(request, message))(environ, start_response)

    def _switch_server(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        message = SWITCHES[request.path_info](self._call(request, None))
        response = _back_to_page(request, message, "outage")
        return self._finish(environ["demo.visitor"], response)(environ, start_response)

    def _call(self, request: Request, session: Any) -> Call:
        return Call(
            session=session,
            visitor=request.environ["demo.visitor"],
            form=self._forms.read(request),
            port=int(request.environ["SERVER_PORT"]),
            agent=request.user_agent or "",
            room=self._room,
        )

    @staticmethod
    def _finish(visitor: Visitor, response: Response) -> Response:
        response.headers.update(_SECURITY_HEADERS)
        response.cache_control = "no-store"
        response.set_cookie(VISITOR_COOKIE, visitor.key, httponly=True, samesite="Lax")
        return response


def _back_to_page(request: Request, message: str, panel: str = "") -> Response:
    """Return a redirect to the page, which shows the message. Reloading it repeats nothing."""
    visitor, trace = request.environ["demo.visitor"], request.environ["demo.trace"]
    trace.message = message
    visitor.traces = [*visitor.traces, trace][-_MOST_TRACES:]
    visitor.arrives = True
    if not panel:
        # Back to the panel that the form was on.
        named = str(request.POST.get("panel", ""))
        panel = named if named in PANELS else _DEFAULT_PANEL
    return Response(status=303, location=f"/{panel}")
