"""What an old backend stores of one session, and how that is read."""

import base64
import io
import json
import pickle
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from beaker_mongo_soajs.exceptions import SerializationError

_PICKLE_HEAD = b"\x80"
_PICKLE_TAIL = b"."
_ZLIB_HEAD = b"x"
_UNTRUSTED = (
    "A pickle runs code when it is loaded, so whoever can write to the old backend can run code in "
    "this process. If you trust all of them, set store.migrateFrom.trustPickles to true "
    "(--trust-pickles)."
)


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """What an old backend stores of one session.

    :param session_id: the session id.
    :param value: a session, Beaker's text, or a pickle of one of them.
    :param accessed: when the session was last used, in naive UTC, if the backend stores it.
    :param expires: when the session ends, in naive UTC, if the backend stores it.
    :param decode: makes a session, or its ciphertext, of the value, for backends that are not
        Beaker's.
    :param fields: other fields for the new document.
    """

    session_id: str
    value: object
    accessed: datetime | None = None
    expires: datetime | None = None
    decode: Callable[[Any], dict[Any, Any] | str] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class OldSession:
    """A session of an old backend: a dict, or the text of a session that Beaker encrypted.

    :param session: the session; ``None`` if it is encrypted.
    :param text: the ciphertext; empty if it is not encrypted.
    """

    session: dict[Any, Any] | None
    text: str = ""


def read_entry(entry: Entry, *, trust_pickles: bool) -> OldSession | None:
    """Return the session of an entry; ``None`` if it is empty.

    :param entry: the entry.
    :param trust_pickles: whether pickles that name classes or functions are loaded, and those of
        sessions at all.
    :raises SerializationError: it is no session, or a pickle that is not trusted.
    """
    value = entry.value
    if entry.decode is not None:
        decoded = entry.decode(value)
        return OldSession(None, decoded) if isinstance(decoded, str) else OldSession(decoded)
    if isinstance(value, bytes):
        value = _load(value, trusted=trust_pickles)
        if isinstance(value, dict) and set(value) <= {"session"}:
            # Some backends pickle all keys of a namespace as one dict.
            value = value.get("session")
    if not value:
        return None
    if isinstance(value, str):
        return _read_text(value, trust_pickles=trust_pickles)
    if isinstance(value, dict):
        return OldSession(value)
    raise _not_a_session()


def from_timestamp(seconds: object) -> datetime | None:
    """Return the naive UTC date of seconds since 1970; ``None`` for anything else.

    :param seconds: the seconds.
    """
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None


def _read_text(text: str, *, trust_pickles: bool) -> OldSession:
    """Read what Beaker's Session stores: base64 of a pickle, of compressed JSON, or ciphertext."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return OldSession(None, text)
    session = read_serialized(data, trust_pickles=trust_pickles)
    return OldSession(None, text) if session is None else OldSession(session)


def read_serialized(data: bytes, *, trust_pickles: bool) -> dict[Any, Any] | None:
    """Return the session in a pickle or in compressed JSON; ``None`` if it is neither.

    :param data: what Beaker's serializer made.
    :param trust_pickles: whether pickles are loaded.
    :raises SerializationError: it is no session, or a pickle that is not trusted.
    """
    if data.startswith(_PICKLE_HEAD) and data.endswith(_PICKLE_TAIL):
        if not trust_pickles:
            raise SerializationError(
                "The old session is a pickle.", path="session", hint=_UNTRUSTED
            )
        session = _load(data, trusted=True)
    elif data.startswith(_ZLIB_HEAD):
        try:
            session = json.loads(zlib.decompress(data))
        except (zlib.error, ValueError, RecursionError):
            return None
    else:
        return None
    if not isinstance(session, dict):
        raise _not_a_session()
    return session


class _DataUnpickler(pickle.Unpickler):
    """Load pickles of plain data, which cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse all classes and functions."""
        raise SerializationError(
            f"The old session holds an object of {module}.{name}.", path="session", hint=_UNTRUSTED
        )


def _load(data: bytes, *, trusted: bool) -> object:
    kind = pickle.Unpickler if trusted else _DataUnpickler
    try:
        return kind(io.BytesIO(data)).load()
    except SerializationError:
        raise
    except Exception as error:  # noqa: BLE001 - garbage may fail in any way
        raise SerializationError(
            f"The old session cannot be unpickled ({type(error).__name__}).",
            path="session",
            hint="Install the modules of the application, or delete the session.",
        ) from None


def _not_a_session() -> SerializationError:
    return SerializationError(
        "The entry in the old backend is not a session.",
        path="session",
        hint="Find out what wrote it, or delete it.",
    )
