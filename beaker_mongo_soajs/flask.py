"""Flask's ``session`` in MongoDB: ``MongoSessions(app)``."""

import hashlib
import re
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
from beaker_mongo_soajs.config.setting import (
    IN_FLASK,
    SETTING,
    UNUSED_IN_FLASK,
    name_setting,
    read_setting,
    unused_options,
)
from beaker_mongo_soajs.config.start_warnings import log_start_warnings
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.log_records import fields as log_fields
from beaker_mongo_soajs.mongo.client import check_client
from beaker_mongo_soajs.sessions.flask_session import FlaskSessionDocuments
from beaker_mongo_soajs.sessions.lazy_session import LazySession
from beaker_mongo_soajs.sessions.session_ids import is_possible_id
from beaker_mongo_soajs.sessions.store import SessionStore

log = getLogger(__name__)

# Of several cookies with the session's name, the first that leads to a session counts.
_MOST_IDS = 2
# Our own ids, of 32 characters, need a signature.
_ID_OF_FLASK_SESSION = re.compile(r"(?!.{32}$)[\w-]{16,}", re.ASCII)
_COOKIE_OPTIONS = ("domain", "path", "secure", "httponly", "samesite", "partitioned")


class MongoSessions:
    """Store the sessions of Flask applications in MongoDB.

    ::

        app.config["BEAKER_MONGO"] = {"url": "mongodb://127.0.0.1:27017", "name": "core_session"}
        MongoSessions(app)

    ``flask.session`` is then a :class:`FlaskSession`. The options are those of a dbConfig, without
    prefix. ``SECRET_KEY``, ``SESSION_COOKIE_…``, ``PERMANENT_SESSION_LIFETIME`` and
    ``SESSION_REFRESH_EACH_REQUEST`` keep their meaning.

    :param app: the application; without it, call :meth:`init_app` later.
    :param flask_session: whether to take over the sessions that Flask-Session stored in MongoDB.
    :raises ConfigError: as :meth:`init_app`.
    """

    def __init__(self, app: Flask | None = None, *, flask_session: bool = False) -> None:
        self._takes_over = flask_session
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
        interface = MongoSessionInterface(app, takes_over=self._takes_over)
        app.session_interface = app.extensions["beaker_mongo"] = interface


class FlaskSession(LazySession, SessionMixin):
    """The session of one request: ``flask.session``. It is loaded on first use.

    A change inside a value, such as ``session["cart"].append(1)``, is saved without
    ``session.modified = True``. A session that holds nothing but ``permanent`` is not stored.
    """

    ignored_keys = frozenset({"_permanent"})
    accessed = False
    ids_with_old_key: AbstractSet[str] = frozenset()
    """Ids whose cookies are to be signed again."""
    old_sessions: FlaskSessionDocuments | None = None
    """Where sessions are that were not found, if the application used Flask-Session before."""

    def __repr__(self) -> str:
        # A dict's repr would show the session's data in logs and error pages.
        return f"<{type(self).__name__}>"

    def __getitem__(self, key: str) -> Any:
        return self.load_if_needed()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.load_if_needed()[key] = value
        self.modified = True

    def __delitem__(self, key: str) -> None:
        del self.load_if_needed()[key]
        self.modified = True

    def __iter__(self) -> Iterator[str]:
        return iter(self.load_if_needed())

    def __len__(self) -> int:
        return len(self.load_if_needed())

    @property
    def new(self) -> bool:
        """Whether the session was not stored before this request."""
        self.load_if_needed()
        return self._is_new

    @new.setter
    def new(self, value: bool) -> None:
        self._is_new = value

    def _find(self, session_id: str, now: float) -> dict[Any, Any] | None:
        session = super()._find(session_id, now)
        if session is None and self.old_sessions and session_id in self.ids_with_old_key:
            session = self.old_sessions.move(session_id, self._record)
        return session

    def load_if_needed(self) -> dict[Any, Any]:
        """Load the session, unless that was done before, and return its values."""
        self.accessed = True
        return super().load_if_needed()


session = cast("FlaskSession", flask.session)
"""``flask.session``, for type checkers."""


class MongoSessionInterface(SessionInterface):
    """What Flask calls at the begin and at the end of each request.

    :param app: the application.
    :param takes_over: whether to take over the sessions of Flask-Session.
    :raises ConfigError: as :meth:`MongoSessions.init_app`.
    """

    def __init__(self, app: Flask, *, takes_over: bool) -> None:
        self._app = app
        self.config = read_setting(app.config.get(SETTING), IN_FLASK)
        self._store: SessionStore | None = None
        try:
            check_client(self.config)
            _ = self.store
        except ConfigError as error:
            raise combine_errors([*map(name_setting, error.errors)]) from error
        self._old = FlaskSessionDocuments(self.config, app.config) if takes_over else None
        log_start_warnings(self.config)
        for sentence in unused_options(self.config, UNUSED_IN_FLASK):
            log.warning("%s", sentence, extra=log_fields("config.warned"))

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
        ids = dict[str, bool]()
        for value in request.cookies.getlist(app.config["SESSION_COOKIE_NAME"]):
            for key in _secret_keys(app):
                ids.setdefault(_unsigned(value, _signer(key)), key == app.secret_key)
            if self._old:
                ids.setdefault(_id_of_flask_session(app, value), False)
        ids.pop("", None)
        session = FlaskSession(self.store, [*ids][:_MOST_IDS])
        session.ids_with_old_key = {found for found, is_newest in ids.items() if not is_newest}
        session.old_sessions = self._old
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
        name, options = app.config["SESSION_COOKIE_NAME"], self._cookie_options(app)
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

    def _cookie_options(self, app: Flask) -> dict[str, Any]:
        methods = {name: getattr(self, f"get_cookie_{name}", None) for name in _COOKIE_OPTIONS}
        # Flask before 3.1 does not have all of them.
        return {name: method(app) for name, method in methods.items() if method}


def _secret_keys(app: Flask) -> list[str | bytes]:
    return [app.secret_key or "", *(app.config.get("SECRET_KEY_FALLBACKS") or ())]


def _signer(key: str | bytes | None) -> Signer:
    assert key
    return Signer(key, salt=__name__, key_derivation="hmac", digest_method=hashlib.sha256)


def _id_of_flask_session(app: Flask, value: str) -> str:
    if app.config.get("SESSION_USE_SIGNER"):
        key = app.secret_key or ""
        return _unsigned(value, Signer(key, salt="flask-session", key_derivation="hmac"))
    return value if _ID_OF_FLASK_SESSION.fullmatch(value) else ""


def _unsigned(value: str, signer: Signer) -> str:
    """Return the session id in a cookie, or an empty text if the signature is not right."""
    try:
        session_id = signer.unsign(value).decode()
    except BadSignature:
        return ""
    return session_id if is_possible_id(session_id) else ""
