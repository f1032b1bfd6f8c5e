"""Beaker's payload ⇄ session dict.

Beaker's Session hands its backend not a dict but a text: base64 of a pickle, of zlib-compressed
JSON, or of what ``encrypt_key`` encrypted (``beaker.session.Session._encrypt_data``). Documents
hold dicts, so the text is turned back before it is stored, and made anew after it was read.
"""

import base64
import binascii
import json
import pickle
import re
import struct
import zlib
from typing import Any

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.serializer import Serializer, json_text

# Beaker pickles a plain dict with protocol 2: PROTO 2, EMPTY_DICT, BINPUT 0 … STOP. Ciphertext
# starts with random bytes; the chance that it passes for such a pickle is 2^-48.
_PICKLE_HEAD = b"\x80\x02}q\x00"
_PICKLE_TAIL = b"."
_ZLIB_HEAD = b"x"
# The pickle of the key, its place in the memo, then a float of eight bytes.
_ACCESSED_TIME = re.compile(rb"X\x0e\0\0\0_accessed_time(?:q.|r....)G", re.DOTALL)
_ACCESSED_TIME_NAME = b"_accessed_time"
_FLOAT = struct.Struct(">d")


class Payload:
    """A payload that Beaker made a moment ago in this process, taken apart.

    :param text: what Beaker's Session assigned to ``namespace["session"]``.
    """

    __slots__ = ("_data", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError, TypeError):
            self._data = b""

    def unpack(self) -> tuple[dict[Any, Any], Serializer] | None:
        """Return the session and how Beaker serialized it, or ``None`` for anything else.

        Anything else is ciphertext, or the text of a serializer of the application's own.
        Unpickling is safe here: the pickle was made by this process, and came from no database.

        :raises SerializationError: for a pickle that cannot be loaded again.
        """
        data = self._data
        session: object = None
        serializer: Serializer = "pickle"
        if data.startswith(_PICKLE_HEAD) and data.endswith(_PICKLE_TAIL):
            session = _load_pickle(data)
        elif data.startswith(_ZLIB_HEAD):
            session, serializer = _load_json(data), "json"
        return (session, serializer) if type(session) is dict else None


class Presented:
    """The payload of a session that Beaker was given when it loaded it.

    A request that only reads saves what it loaded with a new time of access. Comparing the two
    payloads tells so without decoding or unpickling either.

    :param pickled: the session, pickled.
    :param is_told_by_text: whether the time of access can be found in the text.
    """

    __slots__ = ("_place", "pickled", "text")

    def __init__(self, pickled: bytes, *, is_told_by_text: bool = True) -> None:
        self.pickled = pickled
        self.text = base64.b64encode(pickled).decode("ascii")
        self._place = _place_of_time(pickled) if is_told_by_text else None

    def new_time_in(self, text: str) -> float | None:
        """Return the new time of access if nothing but that differs.

        Where this answers ``None`` something may have changed, or not.

        :param text: the payload that Beaker saves.
        """
        if self._place is None or len(text) != len(self.text):
            return None
        start, end = self._place
        # Three bytes are four letters.
        first, last = start // 3, -(-end // 3)
        head, tail = slice(None, first * 4), slice(last * 4, None)
        if text[head] != self.text[head] or text[tail] != self.text[tail]:
            return None
        middle = slice(first * 4, last * 4)
        new, old = base64.b64decode(text[middle]), base64.b64decode(self.text[middle])
        at, after = start - first * 3, end - first * 3
        if len(new) != len(old) or new[:at] != old[:at] or new[after:] != old[after:]:
            return None
        accessed_time: float = _FLOAT.unpack(new[at:after])[0]
        return accessed_time


def _place_of_time(pickled: bytes) -> tuple[int, int] | None:
    match = _ACCESSED_TIME.search(pickled)
    if match is None or pickled.count(_ACCESSED_TIME_NAME) != 1:
        return None
    return match.end(), match.end() + _FLOAT.size


def pack_json(session: dict[Any, Any]) -> str:
    """Return the payload of a session for a Beaker Session with ``data_serializer = json``.

    :param session: the session.
    :raises SerializationError: for a value that JSON does not hold.
    """
    return base64.b64encode(zlib.compress(json_text(session).encode())).decode("ascii")


def through_pickles(pickled: bytes) -> dict[Any, Any]:
    """Return what Beaker's pickle serializer makes of a session that is loaded and saved.

    An object may not be quite the same after that: the order of a set changes, and with it the
    pickle of what holds the set.

    :param pickled: what Beaker is given when it loads the session.
    """
    # All of it is made in this process, of values that it has loaded already.
    made: dict[Any, Any] = pickle.loads(pickle.dumps(pickle.loads(pickled), 2))  # noqa: S301
    return made


def pickle_session(session: dict[Any, Any]) -> bytes:
    """Return the pickle of a session for a Beaker Session with ``data_serializer = pickle``.

    The pickle is made of what the codec built, so that loading it runs nothing from the database.

    :param session: the session.
    """
    return pickle.dumps(session, 2)


def _load_pickle(data: bytes) -> object:
    try:
        return pickle.loads(data)  # noqa: S301 - this process made it a moment ago
    except Exception as error:  # noqa: BLE001 - it is the object's own code
        raise SerializationError(
            f"The session holds an object that cannot be unpickled ({type(error).__name__}).",
            path="session",
            hint="Store plain values in its place.",
        ) from None


def _load_json(data: bytes) -> object:
    try:
        return json.loads(zlib.decompress(data))
    except (zlib.error, ValueError, RecursionError):
        return None  # ciphertext may start like anything
