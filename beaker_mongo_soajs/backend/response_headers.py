"""Headers that keep caches from giving one visitor's response to another."""

import inspect
from collections.abc import Mapping
from typing import Any

from beaker.session import SessionObject

Headers = list[tuple[str, str]]

_MOST_FRAMES = 6
"""A SessionObject calls save() at once; a subclass of MongoSession may be in between."""


def add_cache_headers(headers: Headers, *, sets_cookie: bool) -> None:
    """Add the headers of a response that depends on the session.

    ``Vary: Cookie``, and with the session's cookie also ``Cache-Control: no-store`` (RFC 9111,
    section 7.3), unless the application set a ``Cache-Control`` of its own.

    :param headers: the headers of the response, which are changed.
    :param sets_cookie: whether the response sets the session's cookie.
    """
    found = {name.lower(): index for index, (name, _) in enumerate(headers)}
    fields = ",".join(value for name, value in headers if name.lower() == "vary")
    if not {"*", "cookie"} & {field.strip() for field in fields.lower().split(",")}:
        if fields.strip():
            name, value = headers[found["vary"]]
            headers[found["vary"]] = name, f"{value}, Cookie"
        else:
            headers.append(("Vary", "Cookie"))
    if sets_cookie and "cache-control" not in found:
        headers.append(("Cache-Control", "no-store"))


def mark_response(session: SessionObject, headers: Headers) -> None:
    """Add the headers of a response if its request read the session.

    :param session: the session of the request.
    :param headers: the headers of the response with all its cookies, which are changed.
    """
    if session.accessed() and session.use_cookies:
        cookie = session.request.get("cookie_out")
        sets_cookie = any(
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
    if frame.f_back is None or not isinstance(frame.f_locals.get("self"), SessionObject):
        return
    host = frame.f_back.f_locals
    headers = host.get("headers", getattr(host.get("response"), "headerlist", None))
    if isinstance(headers, list):
        sets_cookie = bool(request.get("set_cookie") and request.get("cookie_out"))
        add_cache_headers(headers, sets_cookie=sets_cookie)
