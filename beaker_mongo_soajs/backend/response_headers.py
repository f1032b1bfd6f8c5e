"""Headers that keep caches from giving one visitor's response to another."""

import inspect
from collections.abc import Mapping
from typing import Any

from beaker.session import SessionObject

Headers = list[tuple[str, str]]

OWN_HEADERS = "_adds_cache_headers"
"""The option of a session whose middleware calls :func:`mark_response`."""

_MOST_FRAMES = 6
"""A SessionObject calls save() at once; a subclass of MongoSession may be in between."""


def add_cache_headers(headers: Headers, *, sets_cookie: bool) -> None:
    """Add the headers of a response that depends on the session.

    ``Vary: Cookie``, and with the session's cookie also ``Cache-Control: no-store`` (RFC 9111,
    section 7.3), unless the application set a ``Cache-Control`` of its own.

    :param headers: the headers of the response, which are changed.
    :param sets_cookie: whether the response sets the session's cookie.
    """
    position, fields, has_control = None, "", False
    for index, (name, value) in enumerate(headers):
        lower = name.lower()
        if lower == "vary" and value.strip():
            position, fields = index, f"{fields},{value}"
        elif lower == "cache-control":
            has_control = True
    if position is None:
        headers.append(("Vary", "Cookie"))
    elif not {"*", "cookie"} & {field.strip() for field in fields.lower().split(",")}:
        name, value = headers[position]
        headers[position] = name, f"{value}, Cookie"
    if sets_cookie and not has_control:
        headers.append(("Cache-Control", "no-store"))


def mark_response(session: SessionObject, headers: Headers) -> None:
    """Add the headers of a response if its request read the session.

    :param session: the session of the request.
    :param headers: the headers of the response with all its cookies, which are changed.
    """
    if session.accessed() and session.use_cookies:
        cookie = session.request.get("cookie_out")
        sets_cookie = bool(cookie) and any(
            name.lower() == "set-cookie" and value == cookie for name, value in headers
        )
        add_cache_headers(headers, sets_cookie=sets_cookie)


def mark_response_above(request: Mapping[str, Any]) -> None:
    """Add the headers of the response for which a session is saved, if there is one.

    Beaker's ``SessionMiddleware`` and pyramid_beaker save the session when the response begins.
    They have its headers at that moment, but do not pass them on.

    :param request: Beaker's dict of cookies.
    """
    frame = inspect.currentframe()
    for _ in range(_MOST_FRAMES):
        frame = None if frame is None else frame.f_back
        if frame is None:
            return
        if frame.f_code.co_name == "persist":
            break
    else:
        return
    session = frame.f_locals.get("self")
    if frame.f_back is None or not isinstance(session, SessionObject):
        return
    host = frame.f_back.f_locals
    headers = host.get("headers", getattr(host.get("response"), "headerlist", None))
    if isinstance(headers, list):
        sets_cookie = bool(request.get("set_cookie") and request.get("cookie_out"))
        add_cache_headers(headers, sets_cookie=sets_cookie)
