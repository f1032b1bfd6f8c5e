"""Forms, which only the page itself can send, and requests that are refused."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from webob import Request

from examples.demo.visitors import Visitor

_OUTDATED = "This form is out of date. Nothing was saved. Go back to the page and try again."


class RequestError(Exception):
    """A request that gets an error page.

    :param status: the HTTP status
    :param message: the message on the page
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Forms:
    """The forms of this process."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def read(self, request: Request) -> Mapping[str, str]:
        """Return the texts of a form.

        :param request: the request
        :raises RequestError: the form does not come from the page
        """
        demand_method(request, "POST")
        try:
            form = {key: text for key, text in request.POST.items() if isinstance(text, str)}
        except (ValueError, DeprecationWarning) as error:
            # WebOb raises DeprecationWarning for other encodings than UTF-8.
            raise RequestError("400 Bad Request", "The form is not valid UTF-8.") from error
        token = form.get("token", "").encode()
        expected = self.token(request.environ["demo.visitor"]).encode()
        if not hmac.compare_digest(token, expected):
            raise RequestError("403 Forbidden", _OUTDATED)
        return form

    def token(self, visitor: Visitor) -> str:
        """Return the token that forms send back, which other sites do not know."""
        return hmac.new(self._secret, visitor.key.encode(), hashlib.sha256).hexdigest()


def read_cookie(request: Request, name: str) -> str:
    """Return a cookie, or an empty text.

    :param request: the request
    :param name: the name
    """
    try:
        return request.cookies.get(name, "")
    except UnicodeDecodeError:
        # Other programs on this host may set cookies with invalid characters.
        return ""


def demand_method(request: Request, *methods: str) -> None:
    """Check the method of a request.

    :param request: the request
    :param methods: the methods that are allowed
    :raises RequestError: it has another one
    """
    if request.method not in methods:
        raise RequestError("405 Method Not Allowed", f"Use {methods[0]} for this address.")
