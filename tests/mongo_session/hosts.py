"""The ways to serve MongoSession, each as a WSGI application that does the same."""

from collections.abc import Callable, Iterable
from typing import Any

from beaker.middleware import SessionMiddleware as BeakerMiddleware
from pyramid.config import Configurator
from pyramid.request import Request as PyramidRequest
from pyramid.response import Response as PyramidResponse
from webob import Request, Response

from beaker_mongo_soajs import MongoSession, SessionMiddleware
from beaker_mongo_soajs.middleware import session_filter_app_factory
from tests.conftest import Options

Wsgi = Callable[..., Iterable[bytes]]

_SAFE: Options = {"secret": "a secret of the site", "secure": False}


def _act(session: Any, request: Request, response: Response) -> None:
    """Do to the session what the query says, and answer with its value ``n``."""
    query: Any = request.params
    if "n" in query:
        session["n"] = int(query["n"])
        session.save()
    if "user" in query:
        session["user"] = query["user"]
        session.save()
    if "new_password" in query:
        session.regenerate_id()
        session.destroy_others(user=session["user"])
    if "logout" in query:
        session.delete()
    for name in ("Vary", "Cache-Control"):
        for value in query.getall(name):
            response.headers.add(name, value)
    if "ignore" not in query:
        response.text = repr(session.get("n"))


def _app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    response = Response()
    _act(environ["beaker.session"], Request(environ), response)
    answer: Iterable[bytes] = response(environ, start_response)
    return answer


def _prefixed(options: Options) -> Options:
    return {f"session.{name}": value for name, value in options.items()}


def _pyramid(package: str, settings: Options) -> Wsgi:
    def view(request: PyramidRequest) -> PyramidResponse:
        response = PyramidResponse()
        _act(request.session, request, response)
        return response

    config = Configurator(settings=settings)
    config.include(package)
    config.add_route("home", "/")
    config.add_view(view, route_name="home")
    wsgi: Wsgi = config.make_wsgi_app()
    return wsgi


def _ours(options: Options) -> Wsgi:
    return SessionMiddleware(_app, _prefixed(options))


def _beakers(options: Options) -> Wsgi:
    wsgi: Wsgi = BeakerMiddleware(_app, _prefixed(options | {"session_class": MongoSession}))
    return wsgi


def _paste(options: Options) -> Wsgi:
    return session_filter_app_factory(_app, {}, **options)


def _our_pyramid(options: Options) -> Wsgi:
    return _pyramid("beaker_mongo_soajs.pyramid", _prefixed(options))


def _pyramid_beaker(options: Options) -> Wsgi:
    return _pyramid("pyramid_beaker", _prefixed(options | {"session_class": MongoSession}))


HOSTS: dict[str, Callable[[Options], Wsgi]] = {
    "SessionMiddleware": _ours,
    "Beaker's": _beakers,
    "Paste": _paste,
    "Pyramid": _our_pyramid,
    "pyramid_beaker": _pyramid_beaker,
}


def make_host(name: str, options: Options) -> Wsgi:
    """Return an application whose query says what happens to the session.

    ``n=5`` saves a value, ``user=ann`` logs a user in, ``new_password`` gives the session a new id
    and ends all others of the user, ``logout`` deletes the session, ``ignore`` leaves it alone, and
    ``Vary=…`` and ``Cache-Control=…`` set headers. The answer is the value ``n``.

    :param name: a name in :data:`HOSTS`.
    :param options: the options of the sessions; they are signed.
    """
    return HOSTS[name](_SAFE | options)
