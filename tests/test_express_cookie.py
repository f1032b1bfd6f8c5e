"""The cookie of express-session; ``tests/node`` compares it with the packages of Node."""

from datetime import UTC, datetime
from typing import Any

import pytest

from beaker_mongo_soajs import express_cookie
from tests.waiting import wait_until

_NAME = "connect.sid"
_SECRET = "keyboard cat"
# As express-session writes it.
_VALUE = "s%3AaX9.zWIPyrprSkLvk%2BlV%2BZ0FVqFHaKWUy3lIUwc%2BW%2BEo4bA"


def read(header: str | None, *secrets: str) -> str | None:
    """Return the session id in a header."""
    return express_cookie.session_id(header, _NAME, secrets or [_SECRET])


def test_round_trip() -> None:
    """The id of a written cookie is read again."""
    value = express_cookie.cookie_value("aX9", _SECRET)
    assert "aX9" == read(f"{_NAME}={value}")
    assert value.startswith("s%3AaX9.")


def test_old_secrets_verify() -> None:
    """Any of several secrets verifies."""
    value = express_cookie.cookie_value("aX9", _SECRET)
    assert "aX9" == read(f"{_NAME}={value}", "new", _SECRET)
    assert None is read(f"{_NAME}={value}", "new")


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[:-1],
        lambda value: value + "%3D",
        lambda value: value.replace("s%3A", ""),
        lambda value: value.replace("aX9", "aX8"),
        lambda value: value.replace("aX9.", "."),
        lambda value: value + "%",
        lambda value: value + "%FF",
        lambda value: value + '"',
        lambda value: '"' + value,
        lambda value: "",
    ],
)
def test_other_values_are_refused(change: Any) -> None:
    """A value that express-session would not accept is no session id."""
    assert None is read(f"{_NAME}={change(express_cookie.cookie_value('aX9', _SECRET))}")


def test_the_first_cookie_counts() -> None:
    """Of several cookies with the name, only the first counts, even if it is not valid."""
    value = express_cookie.cookie_value("aX9", _SECRET)
    assert "aX9" == read(f"other=1; {_NAME}={value}; {_NAME}=x")
    assert None is read(f"{_NAME}=; {_NAME}={value}")


@pytest.mark.parametrize("header", [None, "", "x", f"{_NAME}", ";;=;", "\x00=\xff; %"])
def test_no_cookie(header: str | None) -> None:
    """A header without the cookie has no session id."""
    assert None is read(header)


@pytest.mark.parametrize("piece", [f"{_NAME}=", f"{_NAME} ", "%41", '"', "; ", "a=b;"])
def test_long_headers_take_linear_time(piece: str) -> None:
    """A long header is read at once."""
    wait_until(lambda: read(f"{_NAME}={piece * 50_000}") is None or True, 2)


def test_set_cookie() -> None:
    """All attributes are written as the package ``cookie`` writes them."""
    attributes = {
        "path": "/shop", "domain": "example.org", "httpOnly": True, "secure": True,
        "sameSite": True, "partitioned": True, "priority": "high",
    }  # fmt: skip
    written = express_cookie.set_cookie(_NAME, "v", attributes, datetime(2026, 11, 28, tzinfo=UTC))
    assert (
        "connect.sid=v; Domain=example.org; Path=/shop; Expires=Sat, 28 Nov 2026 00:00:00 GMT; "
        "HttpOnly; Secure; Partitioned; Priority=High; SameSite=Strict"
    ) == written


@pytest.mark.parametrize("planted", [None, False, "x\r\nSet-Cookie: a", 7, [], {}, ["lax"]])
def test_planted_words_are_ignored(planted: object) -> None:
    """A word that express-session does not know is not written."""
    attributes = {"path": "/", "sameSite": planted, "priority": planted}
    assert "connect.sid=v; Path=/" == express_cookie.set_cookie(_NAME, "v", attributes, None)
