"""Convert between Beaker's payload and the session dict.

Beaker's Session gives its backend not a dict but a text: base64 of a pickle, of zlib-compressed
JSON, or of what ``encrypt_key`` encrypted (``beaker.session.Session._encrypt_data``). A
:class:`HandOver` passes the dict itself between a Session and the backend. The text is only made
and read where that is not possible.
"""

import base64
import functools
import json
import pickle
import zlib
from typing import Any, cast

from beaker.session import Session
from beaker.util import JsonSerializer, PickleSerializer

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sessions.serializer import Serializer, json_text

# Beaker pickles a plain dict with protocol 2: PROTO 2, EMPTY_DICT, BINPUT 0 … STOP. Ciphertext
# starts with random bytes; the chance that it looks like such a pickle is 2^-48.
_PICKLE_HEAD = b"\x80\x02}q\x00"
_PICKLE_TAIL = b"."
_ZLIB_HEAD = b"x"
_BEAKER_SERIALIZERS = (PickleSerializer, JsonSerializer)


@functools.lru_cache
def _serializes_as_beaker(kind: type[Session]) -> bool:
    """Check that a class does not override what makes and reads Beaker's payload."""
    methods = ("_encrypt_data", "_decrypt_data")
    return all(getattr(kind, name) is getattr(Session, name) for name in methods)


class HandOver:
    """Replace the serializer of one Session, to pass dicts instead of texts.

    Only what the backend expects is handed over. For any other call, such as one of the application
    itself, it does what the Session's own serializer does.

    :param serializer: the Session's own serializer.
    """

    TOKEN = b"the session itself"
    """What is passed as the serialized session, in place of one."""
    PAYLOAD = base64.b64encode(TOKEN).decode("ascii")
    """The same as Beaker passes it to a backend."""

    __slots__ = ("_serializer", "cookie", "is_saving", "loaded", "saved")

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self.loaded: dict[Any, Any] | None = None
        """The session for the next :meth:`loads`."""
        self.is_saving = False
        """Whether the next :meth:`dumps` is that of a save."""
        self.saved: dict[Any, Any] | None = None
        """The session of the last save."""
        self.cookie: dict[str, Any] | None = None
        """The cookie of express-session in the session that was loaded, in native form."""

    @classmethod
    def install(cls, session: Session) -> "HandOver | None":
        """Install one in a Session, unless its payload is more than a serialized dict.

        :param session: the Session.
        :returns: the one that is installed now; ``None`` for a Session that encrypts, or has
            methods or a serializer of its own.
        """
        serializer: Any = session.serializer
        if type(serializer) is cls:
            installed: HandOver = serializer
            return installed
        if session.encrypt_key or type(serializer) not in _BEAKER_SERIALIZERS:
            return None
        if not _serializes_as_beaker(type(session)):
            return None
        installed = cls(serializer)
        session.serializer = cast("Any", installed)
        return installed

    def loads(self, data: bytes) -> Any:
        """Return the session that was loaded, or deserialize."""
        session, self.loaded = self.loaded, None
        if session is not None and data == self.TOKEN:
            return session
        return self._serializer.loads(data)

    def dumps(self, session: dict[Any, Any]) -> bytes:
        """Keep the session that is saved, or serialize."""
        if self.is_saving:
            self.saved = session
            return self.TOKEN
        serialized: bytes = self._serializer.dumps(session)
        return serialized


def pack(session: dict[Any, Any], serializer: Serializer) -> str:
    """Return the payload of a session.

    A pickle is made of what the codec built, so that loading it runs nothing from the database.

    :param session: the session.
    :param serializer: Beaker's serializer.
    :raises SerializationError: for a value that the serializer cannot hold.
    """
    if serializer == "json":
        data = zlib.compress(json_text(session).encode())
    else:
        data = pickle.dumps(session, 2)
    return base64.b64encode(data).decode("ascii")


def unpack(text: str) -> tuple[dict[Any, Any], Serializer] | None:
    """Return the session of a payload, and how Beaker serialized it; ``None`` for other texts.

    Other texts are ciphertext, or come from a serializer of the application. Unpickling is safe
    here: this process made the pickle a moment ago, and it did not come from the database.

    :param text: what Beaker's Session assigned to ``namespace["session"]``.
    :raises SerializationError: for a pickle that cannot be loaded again.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    session: object = None
    serializer: Serializer = "pickle"
    if data.startswith(_PICKLE_HEAD) and data.endswith(_PICKLE_TAIL):
        session = _load_pickle(data)
    elif data.startswith(_ZLIB_HEAD):
        session, serializer = _load_json(data), "json"
    return (session, serializer) if type(session) is dict else None


def through_pickle(session: dict[Any, Any]) -> dict[Any, Any]:
    """Return what Beaker's pickle serializer makes of a session.

    An object whose pickle is that of a plain value becomes that value: a lazy text, for example.

    :param session: the session.
    :raises SerializationError: for an object that cannot be pickled, or not be loaded again.
    """
    try:
        data = pickle.dumps(session, 2)
    except Exception as error:  # noqa: BLE001 - it runs the objects' own code
        raise _pickle_error("pickled", error) from None
    made = _load_pickle(data)
    assert isinstance(made, dict)
    return made


def _load_pickle(data: bytes) -> object:
    try:
        return pickle.loads(data)  # noqa: S301 - this process made it a moment ago
    except Exception as error:  # noqa: BLE001 - it runs the objects' own code
        raise _pickle_error("unpickled", error) from None


def _pickle_error(participle: str, error: Exception) -> SerializationError:
    return SerializationError(
        f"The session holds an object that cannot be {participle} ({type(error).__name__}).",
        path="session",
        hint="Store a plain value instead.",
    )


def _load_json(data: bytes) -> object:
    try:
        return json.loads(zlib.decompress(data))
    except (zlib.error, ValueError, RecursionError):
        return None  # ciphertext may start like anything
