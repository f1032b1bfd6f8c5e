"""The cookie of a new session for express-session, from Beaker's options."""

import weakref
from datetime import UTC, datetime, timedelta

from beaker.session import Session

from beaker_mongo_soajs.backend.payload import HandOver
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.express import ExpressCookie, MakeCookie


def cookie_maker(
    session: Session, config: DbConfig, hand_over: HandOver | None = None
) -> MakeCookie | None:
    """Return the function that makes the cookie of a new session, if the documents have one.

    :param session: the session of the request.
    :param config: the configuration of the sessions.
    :param hand_over: holds the cookie of the session that was loaded, which the session keeps when
        it gets a new id.
    """
    if not config.store.express_cookie:
        return None
    # The session holds the function; a strong reference would be a cycle for each request.
    reference = weakref.ref(session)

    def make() -> ExpressCookie | Document:
        if hand_over is not None and hand_over.cookie is not None:
            return hand_over.cookie
        caller = reference()
        if caller is None:
            return ExpressCookie()
        return describe_cookie(caller, config.expire_after_seconds)

    return make


def describe_cookie(session: Session, expire_after_seconds: float) -> ExpressCookie:
    """Return the cookie of a new session, as express-session would describe it.

    :param session: the session of the request, with Beaker's options.
    :param expire_after_seconds: the lifetime of a session without a timeout.
    """
    configured = session._config  # noqa: SLF001 - Beaker has no public name for it
    return ExpressCookie(
        _max_age_seconds(session, expire_after_seconds),
        secure=bool(session.secure),
        http_only=bool(session.httponly),
        domain=session.get("_domain", configured["_domain"]) or None,
        path=session.get("_path", configured["_path"]) or "/",
        same_site=str(session.samesite).lower() if session.samesite else None,
    )


def _max_age_seconds(session: Session, expire_after_seconds: float) -> float | None:
    """Return the lifetime in Beaker's options: of the cookie, or else of the session."""
    expires, timeout = session.cookie_expires, session.timeout
    if isinstance(expires, datetime):
        # Beaker takes a date without a time zone for UTC.
        expires = (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) - datetime.now(UTC)
    if isinstance(expires, timedelta):
        expires = expires.total_seconds()
    if not isinstance(expires, bool) and isinstance(expires, int | float) and expires > 0:
        return float(expires)
    if expires is False and not timeout:
        # A cookie that never expires; its session does.
        return expire_after_seconds
    return float(timeout) if timeout else None
