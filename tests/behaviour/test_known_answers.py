"""Sessions of Beaker's format, byte for byte as they were before there was a format of Express.

The answers were recorded before ``session.cookie_format`` existed.
"""

import datetime
import os
import secrets
import time
from typing import Any

import bson
import pytest
from beaker import session as beaker_session
from beaker.session import Session
from bson.raw_bson import RawBSONDocument

from beaker_mongo_soajs import MongoSession
from beaker_mongo_soajs.sessions import clock
from tests.application import KEYS
from tests.conftest import Db, Options

_NOW = 4102444800.5
_DATE = datetime.datetime(2100, 1, 1, 0, 0, 0, 500000)
_ID = "0123456789abcdefABCDEF_-01234567"
_VALUES: dict[str, Any] = {
    "user": "änn",
    "n": 7,
    "half": 0.5,
    "whole": 2.0,
    "large": 3e9,
    "cookie": {"a": [1, None, True]},
    "when": datetime.datetime(2026, 11, 28, 9, 30),
    "roles": {"admin"},
    "pair": (1, 2),
    "$set": 1,
}
_FORMS: dict[str, dict[str, Any]] = {"native": {}, "text": {"stringify": True}, "encrypted": KEYS}
_FEW = {"user": "änn", "n": 7}
"""For ciphertext: pickles of other values may differ between versions of Python."""

_COOKIE = (
    " beaker.session.id=486ec9d36191709ede1bcb71a9c3126d5e1c08cf0123456789abcdefABCDEF_-01234567;"
    " HttpOnly; Path=/; SameSite=Strict; Secure"
)
_EXPIRES = datetime.datetime(2100, 1, 1, 0, 32, 30, 500000)
_SESSIONS: dict[str, Any] = {
    "native": {
        "_accessed_time": 4102444800.5,
        "_creation_time": 4102444800.5,
        "user": "änn",
        "n": 7,
        "half": 0.5,
        "whole": 2.0,
        "large": 3000000000.0,
        "cookie": {"a": [1, None, True]},
        "when": datetime.datetime(2026, 11, 28, 9, 30),
        "roles": {"__type__": "set", "value": ["admin"]},
        "pair": {"__type__": "tuple", "value": [1, 2]},
        "__key__47c648d4c909af647868b27efc2aba4a": {"__type__": "item", "value": ["$set", 1]},
    },
    "text": '{"_accessed_time":4102444800.5,"_creation_time":4102444800.5,"user":"änn","n":7,'
    '"half":0.5,"whole":2.0,"large":3000000000.0,"cookie":{"a":[1,null,true]},'
    '"when":{"__type__":"datetime","value":"2026-11-28T09:30:00"},'
    '"roles":{"__type__":"set","value":["admin"]},"pair":{"__type__":"tuple","value":[1,2]},'
    '"$set":1}',
    "encrypted": "BwcHBwcHBwcHBwcHBwcHBw==BwcHBwcHBwcHBwcHFN/dSjBwnCnm9f/yq1g8TWOeE7umSBwaUP5QH4f"
    "sH6uXrUdN6JDpyGqhIca/41jJVAXWic9VKGsPFPfZ9HhoocZOvWv5pQMHIzyk91OeLRTGSoL08S4atLB1yaSY5ERn27w2Bo0Ny"
    "Tg2lhddehecC8EMmG0=",
}


def _start_clock(self: clock.Clock, _: object = None) -> None:
    self.ahead = float


@pytest.fixture(autouse=True)
def _fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clocks, and give each session the same id and nonce."""
    monkeypatch.setattr(time, "time", lambda: _NOW)
    monkeypatch.setattr(clock, "utc_now", lambda: _DATE)
    monkeypatch.setattr(clock.Clock, "__init__", _start_clock)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _=None: _ID)
    monkeypatch.setattr(beaker_session, "_session_id", lambda: _ID)
    monkeypatch.setattr(os, "urandom", lambda size: b"\x07" * size)


@pytest.mark.parametrize("form", list(_FORMS))
@pytest.mark.parametrize("kind", [MongoSession, Session])
def test_documents_and_cookies(
    kind: type[Session], form: str, options: Options, database: Db
) -> None:
    """Without the Express format, no byte of a document or of ``Set-Cookie`` has changed."""
    more = {"store": {"createIndexes": False}, "timeout": 1800, "secret": "a secret"} | _FORMS[form]
    more |= {"secure": True, "httponly": True, "samesite": "Strict"}
    if kind is Session:
        more["type"] = "ext:mongodb_soajs"
    request: dict[str, Any] = {"cookie": None}
    session = kind(request, **options | more)
    session.update(_FEW if form == "encrypted" else _VALUES)
    session.save()
    raw: Any = database.get_collection("sessions", bson.CodecOptions(RawBSONDocument)).find_one()
    document = {"_id": _ID, "session": _SESSIONS[form], "expires": _EXPIRES}
    assert bson.encode(document) == raw.raw
    assert _COOKIE == request["cookie_out"]
