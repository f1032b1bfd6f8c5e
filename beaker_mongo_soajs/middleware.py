"""Beaker's SessionMiddleware with MongoSession, and with all options checked at the start."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from beaker.middleware import SessionMiddleware as BeakerMiddleware
from beaker.session import SessionObject

from beaker_mongo_soajs.backend.response_headers import Headers, mark_response
from beaker_mongo_soajs.backend.session_options import (
    SESSION_TYPE,
    coerce_options,
    strip_prefixes,
)
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import SESSION_PREFIXES
from beaker_mongo_soajs.exceptions import BeakerMongoError, ConfigError
from beaker_mongo_soajs.mongo.client import check_client
from beaker_mongo_soajs.mongo.startup import wait_for_database
from beaker_mongo_soajs.options.coerce import BOOLEANS
from beaker_mongo_soajs.session import MongoSession
from beaker_mongo_soajs.sessions.store import SessionStore

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_CHECK_AT_START = "check_at_start"


class InsecureSessionWarning(UserWarning):
    """Warn at the start of an application that its session cookie could be safer.

    To silence it::

        warnings.simplefilter("ignore", InsecureSessionWarning)
    """


class SessionMiddleware(BeakerMiddleware):
    """Give a WSGI application sessions in MongoDB: ``environ["beaker.session"]``.

    ::

        app = SessionMiddleware(app, {
            "session.name": "core_session", "session.servers": "127.0.0.1:27017",
            "session.timeout": 1800, "session.secret": "…", "session.secure": True,
        })

    This is Beaker's middleware with ``type`` and ``session_class`` set. ``get_by_id`` and
    ``environ["beaker.get_session"]`` return :class:`MongoSession` as well. All options are checked
    here, without a connection, so that a mistake is an error at the start and not on the first
    request.

    :param wrap_app: the application.
    :param config: settings; those that start with ``session.`` or ``beaker.session.`` are used.
        Texts, as in INI files, are converted.
    :param environ_key: key of the session in the WSGI environment.
    :param check_at_start: ``True`` to send a command to the database before the application
        starts, or a number of seconds to wait for it. Also an option. The client is closed
        afterwards, so that a server can fork.
    :param options: more options, with or without prefix, which override ``config``.
    :raises ConfigError: an option is unknown, invalid, or contradicts another.
    :raises StoreUnavailable: ``check_at_start`` is on, and the database does not answer or
        refuses the command.
    :warns InsecureSessionWarning: ``secret`` or ``secure`` is not set.
    """

    def __init__(
        self,
        wrap_app: Application,
        config: Mapping[str, Any] | None = None,
        environ_key: str = "beaker.session",
        **options: Any,
    ) -> None:
        bare = {key: item for key, item in options.items() if not key.startswith(SESSION_PREFIXES)}
        given = strip_prefixes(config or {}) | strip_prefixes(options) | bare
        super().__init__(wrap_app, environ_key=environ_key)
        self.options = check_options({"invalidate_corrupt": True} | given, stacklevel=3)
        self.wrap_app = self._serve

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request, and add the headers that its response needs for caches."""

        def mark(status: str, headers: Headers, exc_info: Any = None) -> Any:
            session = environ.get(self.environ_key)
            if isinstance(session, SessionObject):
                mark_response(session, headers)
            return start_response(status, headers, exc_info)

        answer: Iterable[bytes] = super().__call__(environ, mark)
        return answer

    @property
    def store(self) -> SessionStore:
        """Return the store of these sessions, to find and destroy the sessions of a user."""
        return _make_session(self.options, use_cookies=True).store

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # The get_by_id of Beaker's SessionObject ignores session_class.
        environ[self.environ_key].__dict__["get_by_id"] = self._get_by_id
        answer: Iterable[bytes] = self.app(environ, start_response)
        return answer

    def _get_by_id(self, session_id: str) -> MongoSession | None:
        return find_session(self.options, session_id)

    def _get_session(self) -> MongoSession:
        return _make_session(self.options)


def session_filter_factory(
    global_conf: Mapping[str, Any], **options: Any
) -> Callable[[Application], SessionMiddleware]:
    """Make a Paste filter: ``use = egg:beaker_mongo_soajs#session``.

    :param global_conf: Paste's defaults; those with a session prefix are used.
    :param options: the options in the filter's section.
    """

    def make(app: Application) -> SessionMiddleware:
        return SessionMiddleware(app, global_conf, **options)

    return make


def session_filter_app_factory(
    app: Application, global_conf: Mapping[str, Any], **options: Any
) -> SessionMiddleware:
    """Wrap an application, for Paste's ``filter-app``.

    :param app: the application.
    :param global_conf: Paste's defaults; those with a session prefix are used.
    :param options: the options in the section.
    """
    return SessionMiddleware(app, global_conf, **options)


def find_session(options: Mapping[str, Any], session_id: str) -> MongoSession | None:
    """Find a session by its id, without moving its times.

    :param options: the options of the sessions.
    :param session_id: the session id.
    :returns: the session, or ``None`` if there is none.
    """
    session = _make_session(options, id=session_id)
    return None if session.is_new else session


def check_options(options: Mapping[str, Any], stacklevel: int = 2) -> dict[str, Any]:
    """Check the options of a session, and return them for Beaker's SessionObject.

    :param options: options without prefix; ``check_at_start`` may be one of them.
    :param stacklevel: position of the responsible caller in the stack, for warnings.
    :returns: the options, converted.
    :raises ConfigError: as for :class:`SessionMiddleware`.
    :raises StoreUnavailable: as for :class:`SessionMiddleware`.
    """
    given = dict(options)
    wait_seconds = _read_check_at_start(given.pop(_CHECK_AT_START, False))
    defaults = {"type": SESSION_TYPE, "session_class": MongoSession}
    read = coerce_options(
        defaults
        # For Beaker, samesite = None means a cookie without the attribute.
        | {name: item for name, item in given.items() if item is not None or name == "samesite"}
    )
    config = _check(read)
    check_client(config)
    _warn(read, given, stacklevel + 1)
    if wait_seconds is not None:
        wait_for_database(config, wait_seconds)
    return read


def _make_session(options: Mapping[str, Any], **more: Any) -> MongoSession:
    session: MongoSession = options["session_class"](
        {}, **{**options, "use_cookies": False, **more}
    )
    return session


def _check(options: dict[str, Any]) -> DbConfig:
    """Check the options by creating a session, as the first request would."""
    session_class = options["session_class"]
    if not (isinstance(session_class, type) and issubclass(session_class, MongoSession)):
        raise ConfigError(
            f"session.session_class is {session_class!r}.",
            option="session_class",
            hint="Remove it, or set it to MongoSession or a subclass of MongoSession.",
        )
    try:
        config: DbConfig = session_class({}, **options).config
    except BeakerMongoError:
        raise
    except Exception as error:
        raise ConfigError(
            f"Beaker refuses the options of the session: {error}.",
            hint="Beaker's documentation lists its options under Configuration.",
        ) from error
    return config


def _warn(options: Mapping[str, Any], given: Mapping[str, Any], stacklevel: int) -> None:
    if not options.get("use_cookies", True):
        return
    if not options.get("secret"):
        warnings.warn(
            "session.secret is not set, so cookies are not signed and every guessed session id "
            "reaches the database. Set it to a long random text.",
            InsecureSessionWarning,
            stacklevel,
        )
    if "secure" not in given:
        warnings.warn(
            "session.secure is not set, so browsers send the session cookie over plain HTTP, too. "
            "Set it to true for a site on HTTPS, and to false for a site on plain HTTP.",
            InsecureSessionWarning,
            stacklevel,
        )


def _read_check_at_start(value: object) -> float | None:
    """Return the seconds to wait for the database: 0 for one command, ``None`` for none."""
    if isinstance(value, str):
        value = BOOLEANS.get(value.strip().lower(), value)
    if value is None or isinstance(value, bool):
        return 0.0 if value else None
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigError(
            f"session.check_at_start cannot be {value!r}.",
            option=_CHECK_AT_START,
            value=value,
            hint="Set it to true, false or the seconds to wait for the database.",
        )
    return seconds
