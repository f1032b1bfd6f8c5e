"""Flask's ``session`` in MongoDB: ``MongoSessions(app)``."""

import hashlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from logging import getLogger
from typing import Any, cast

import flask
from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from itsdangerous import BadSignature, Signer

from beaker_mongo_soajs.config.errors import combine_errors
from beaker_mongo_soajs.config.setting import SETTING, name_setting, read_setting, unused_options
from beaker_mongo_soajs.config.start_warnings import log_start_warnings
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo.client import check_client
from beaker_mongo_soajs.sessions.lazy_session import LazySession
from beaker_mongo_soajs.sessions.session_ids import is_possible_id
from beaker_mongo_soajs.sessions.store import SessionStore

log = getLogger(__name__)

_SALT = "beaker_mongo_soajs.flask"
_PERMANENT = "_permanent"
# Of several cookies with the session's name, the first that leads to a session counts.
_MOST_IDS = 2
_COOKIE_OPTIONS = ("domain", "path", "secure", "httponly", "samesite", "partitioned")

_INSTEAD = {
    **{name: f"SESSION_COOKIE_{name.upper()}" for name in ("httponly", "samesite", "secure")},
    "cookie_domain": "SESSION_COOKIE_DOMAIN",
    "cookie_expires": "PERMANENT_SESSION_LIFETIME and session.permanent",
    "cookie_path": "SESSION_COOKIE_PATH",
    "key": "SESSION_COOKIE_NAME",
    "old_secrets": "SECRET_KEY_FALLBACKS",
    "rolling": "SESSION_REFRESH_EACH_REQUEST",
    "secret": "SECRET_KEY",
    "timeout": "PERMANENT_SESSION_LIFETIME",
}
"""The settings of Flask for what Beaker's options do."""

_UNUSED = {
    "expireAfter": "PERMANENT_SESSION_LIFETIME sets the lifetime of sessions",
    "store.dataSerializer": "it is for sessions of Beaker",
}
"""Options of a dbConfig that Flask's sessions do not use."""


class MongoSessions:
    """Store the sessions of Flask applications in MongoDB.

    ::

        app.config["BEAKER_MONGO"] = {"url": "mongodb://127.0.0.1:27017", "name": "core_session"}
        MongoSessions(app)

    ``flask.session`` is then a :class:`FlaskSession`. The options are those of a dbConfig, without
    prefix. ``SECRET_KEY``, ``SESSION_COOKIE_…``, ``PERMANENT_SESSION_LIFETIME`` and
    ``SESSION_REFRESH_EACH_REQUEST`` keep their meaning.

    :param app: the application; without it, call :meth:`init_app` later.
    :raises ConfigError: as :meth:`init_app`.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Check the options of an application, without a connection, and store its sessions.

        ``app.extensions["beaker_mongo"].store`` is then the store of its sessions, a
        :class:`~beaker_mongo_soajs.SessionStore`.

        :param app: the application, with its configuration.
        :raises ConfigError: ``app.config["BEAKER_MONGO"]`` is missing, or an option in it is
            unknown, invalid, or contradicts another.
        """
        app.session_interface = app.extensions["beaker_mongo"] = MongoSessionInterface(app)


class FlaskSession(LazySession, SessionMixin):
    """The session of one request: ``flask.session``. It is loaded on first use.

    A change inside a value, such as ``session["cart"].append(1)``, is saved without
    ``session.modified = True``. A session that holds nothing but ``permanent`` is not stored.
    """

    ignored_keys = frozenset({_PERMANENT})
    accessed = False
    ids_with_old_key: AbstractSet[str] = frozenset()
    """Ids whose cookies are to be signed again."""

    def __repr__(self) -> str:
        # A dict's repr would show the session's data in logs and error pages.
        return f"<{type(self).__name__}>"

    def __getitem__(self, key: str) -> Any:
        return self._use()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._use()[key] = value
        self.modified = True

    def __delitem__(self, key: str) -> None:
        del self._use()[key]
        self.modified = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._use())

    def __len__(self) -> int:
        return len(self._use())

    @property
    def new(self) -> bool:
        """Whether the session was not stored before this request."""
        self._use()
        return self._is_new

    @new.setter
    def new(self, value: bool) -> None:
        self._is_new = value

    def _use(self) -> dict[str, Any]:
        self.accessed = True
        return self.load_if_needed()


session = cast("FlaskSession", flask.session)
"""``flask.session``, for type checkers."""


class MongoSessionInterface(SessionInterface):
    """What Flask calls at the begin and at the end of each request.

    :param app: the application.
    :raises ConfigError: as :meth:`MongoSessions.init_app`.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.config = read_setting(app.config.get(SETTING), _INSTEAD)
        self._store: SessionStore | None = None
        try:
            check_client(self.config)
            _ = self.store
        except ConfigError as error:
            raise combine_errors([*map(name_setting, error.errors)]) from error
        log_start_warnings(self.config)
        for sentence in unused_options(self.config, _UNUSED):
            log.warning("%s", sentence)

    @property
    def store(self) -> SessionStore:
        """The store of the application's sessions."""
        timeout = self._app.permanent_session_lifetime.total_seconds()
        if self._store is None or self._store.timeout != timeout:
            self._store = SessionStore(self.config, timeout=timeout)
        return self._store

    def open_session(self, app: Flask, request: Request) -> FlaskSession | None:
        """Return the session of a request, or ``None`` without a ``SECRET_KEY``."""
        if not app.secret_key:
            return None
        ids, old_ids = list[str](), set[str]()
        for value in request.cookies.getlist(self._cookie_name(app)):
            for key in _secret_keys(app):
                session_id = _unsigned(value, key)
                if session_id is not None and session_id not in ids:
                    ids.append(session_id)
                    old_ids |= {session_id} if key != app.secret_key else set()
        session = FlaskSession(self.store, ids[:_MOST_IDS])
        session.ids_with_old_key = old_ids
        return session

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Save the session of a request if it changed, and set or delete its cookie."""
        assert isinstance(session, FlaskSession)
        if session.accessed:
            response.vary.add("Cookie")
        session_id = session.end(refreshes=self._refreshes(app, session))
        if session_id is None:
            return
        response.vary.add("Cookie")
        # A cache must not give the cookie to other visitors (RFC 9111, section 7.3).
        response.headers.setdefault("Cache-Control", "no-store")
        name, options = self._cookie_name(app), self._cookie_options(app)
        if session_id:
            value = _signer(app.secret_key).sign(session_id).decode()
            expires = self.get_expiration_time(app, session)
            response.set_cookie(name, value, expires=expires, **options)
        else:
            response.delete_cookie(name, **options)

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        """Return when the cookie expires, or ``None`` if it ends with the browser."""
        lifetime = session.lifetime if isinstance(session, FlaskSession) else None
        if lifetime is None:
            return super().get_expiration_time(app, session)
        return datetime.now(UTC) + timedelta(seconds=lifetime)

    @staticmethod
    def _refreshes(app: Flask, session: FlaskSession) -> bool:
        """Check whether an unchanged session is to be saved, so that its end moves."""
        each_request = session.has_cookie and app.config["SESSION_REFRESH_EACH_REQUEST"]
        if not session.is_loaded and not (each_request and session.load_unused()):
            return False
        if session.id in session.ids_with_old_key:
            return True
        return bool(each_request and (session.permanent or session.lifetime))

    def _cookie_name(self, app: Flask) -> str:
        return str(app.config["SESSION_COOKIE_NAME"])

    def _cookie_options(self, app: Flask) -> dict[str, Any]:
        methods = {name: getattr(self, f"get_cookie_{name}", None) for name in _COOKIE_OPTIONS}
        # Flask before 3.1 does not have all of them.
        return {name: method(app) for name, method in methods.items() if method}


def _secret_keys(app: Flask) -> list[str | bytes]:
    return [app.secret_key or "", *(app.config.get("SECRET_KEY_FALLBACKS") or ())]


def _signer(key: str | bytes | None) -> Signer:
    assert key
    return Signer(key, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha256)


def _unsigned(value: str, key: str | bytes) -> str | None:
    """Return the session id in a cookie, if a key signed it."""
    try:
        session_id = _signer(key).unsign(value).decode()
    except (BadSignature, UnicodeError):
        return None
    return session_id if is_possible_id(session_id) else None
