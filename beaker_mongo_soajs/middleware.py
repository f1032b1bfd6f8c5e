"""Beaker's SessionMiddleware with MongoSession, and with all options checked at the start."""

import importlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from beaker.middleware import SessionMiddleware as BeakerMiddleware
from beaker.session import SessionObject

from beaker_mongo_soajs.backend.response_headers import OWN_HEADERS, Headers, mark_response
from beaker_mongo_soajs.backend.session_options import SESSION_TYPE, check_type, coerce_options
from beaker_mongo_soajs.backend.session_settings import (
    CHECK_AT_START,
    match_names,
    read_settings,
)
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import is_blank
from beaker_mongo_soajs.config.errors import combine_errors
from beaker_mongo_soajs.config.start_warnings import log_start_warnings
from beaker_mongo_soajs.exceptions import BeakerMongoError, ConfigError
from beaker_mongo_soajs.mongo.client import check_client
from beaker_mongo_soajs.mongo.startup import wait_for_database
from beaker_mongo_soajs.options.coerce import BOOLEANS, LARGEST, parse_duration
from beaker_mongo_soajs.options.kinds import HOW_TO_MAKE_ONE, LEAST_SECRET_BYTES
from beaker_mongo_soajs.options.masking import show
from beaker_mongo_soajs.session import MongoSession
from beaker_mongo_soajs.sessions.store import SessionStore

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


_ENVIRON_KEY = "beaker.session"


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
        environ_key: str = _ENVIRON_KEY,
        **options: Any,
    ) -> None:
        given = read_settings(config or {}, options, stacklevel=2)
        setting = given.pop("environ_key", None)
        if setting and environ_key == _ENVIRON_KEY:
            environ_key = setting
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
        attributes = environ[self.environ_key].__dict__
        attributes["get_by_id"] = self._get_by_id
        attributes["_params"][OWN_HEADERS] = True
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
    errors: list[ConfigError] = []
    given = match_names(options, errors.append)
    wait_seconds = _collect(errors, _read_check_at_start, given.pop(CHECK_AT_START, False))
    # For Beaker, samesite = None means a cookie without the attribute.
    present = {name: item for name, item in given.items() if item is not None or name == "samesite"}
    read = coerce_options({"type": SESSION_TYPE} | present, errors.append)
    _collect(errors, check_type, read.get("type"))
    read["session_class"] = _collect(errors, find_session_class, read.get("session_class"))
    whole = _collect(errors, DbConfig.from_options, read, "session")
    if errors:
        raise combine_errors(errors)
    log_start_warnings(whole)
    config = _check(read)
    check_client(config)
    _warn(read, given, stacklevel + 1)
    if wait_seconds is not None:
        wait_for_database(config, wait_seconds)
    return read


def _collect(errors: list[ConfigError], check: Callable[..., Any], *arguments: Any) -> Any:
    """Call a check, and add its errors to those of the other checks."""
    try:
        return check(*arguments)
    except ConfigError as error:
        errors += error.errors
        return None


def _make_session(options: Mapping[str, Any], **more: Any) -> MongoSession:
    session: MongoSession = options["session_class"](
        {}, **{**options, "use_cookies": False, **more}
    )
    return session


def _check(options: dict[str, Any]) -> DbConfig:
    """Check the options by creating a session, as the first request would."""
    session_class = options["session_class"]
    try:
        config: DbConfig = session_class({}, **options).config
    except BeakerMongoError:
        raise
    except Exception as error:
        raise ConfigError(
            f"Beaker refuses the options of the session: {str(error).rstrip('.')}.",
            hint="Beaker's documentation lists its options under Configuration.",
        ) from error
    return config


def find_session_class(value: Any) -> type[MongoSession]:
    """Return the class of sessions, which an INI file names by a dotted name.

    :param value: the value of ``session_class``: a class, a dotted name, or ``None``
    :raises ConfigError: it is not MongoSession, nor a subclass
    """
    if value is None:
        return MongoSession
    found = _import(value) if isinstance(value, str) else value
    if isinstance(found, type) and issubclass(found, MongoSession):
        return found
    raise ConfigError(
        f"session.session_class is {value if isinstance(value, type) else show(value)}.",
        option="session_class",
        hint="Remove it, or set it to beaker_mongo_soajs.MongoSession or a subclass of that.",
    )


def _import(name: str) -> object:
    module, _, attribute = name.strip().replace(":", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"session.session_class is {show(name)}, which cannot be imported: {error}.",
            option="session_class",
            value=name,
            hint="Set it to beaker_mongo_soajs.MongoSession or a subclass of that.",
        ) from error


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
    elif len(str(options["secret"]).encode()) < LEAST_SECRET_BYTES:
        warnings.warn(
            f"session.secret is shorter than {LEAST_SECRET_BYTES} bytes, so it can be guessed. Set "
            f"it to the output of {HOW_TO_MAKE_ONE}, and session.old_secrets to the secret of now.",
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
    if is_blank(value) or isinstance(value, bool):
        return 0.0 if value is True else None
    milliseconds = parse_duration(value)
    try:
        seconds = float(value) if milliseconds is None else milliseconds / 1000  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds <= LARGEST:
        raise ConfigError(
            f"session.check_at_start cannot be {show(value)}.",
            option=CHECK_AT_START,
            value=value,
            hint="Set it to true, false or the seconds to wait for the database.",
        )
    return seconds
