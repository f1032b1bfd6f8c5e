"""A session as it is stored, and as one request knows it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

import bson
from bson.errors import BSONError

from beaker_mongo_soajs.exceptions import KEPT, SerializationError
from beaker_mongo_soajs.mongo.documents import CODEC_OPTIONS, Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.serializer import Serializer
from beaker_mongo_soajs.sessions.tags import Tree

EXPRESS_COOKIE = "cookie"
"""The session key under which express-session keeps the attributes of its cookie."""

LATEST_TIME = 2**53
"""No time of access lies further from 1970, in seconds."""


class StoredId(str):
    """The ``_id`` of a session's document, as the store found it: with ``transformId``, a digest.

    The store takes it in the place of a session id. A cookie cannot hold one: what comes from there
    is plain text, and a digest is no session id.
    """

    __slots__ = ()


class StorageForm(Enum):
    """How a document holds its session."""

    NATIVE = "a sub-document"
    JSON = "a JSON text"
    ENCRYPTED = "ciphertext"


@dataclass(slots=True, repr=False)
class StoredSession:
    """A session as this request knows it to be stored; a later save is compared with it.

    :param stored_id: the document's ``_id``: the session id, or its digest with ``transformId``.
    :param form: how the document holds the session. It stays so for as long as the document lives.
    :param text: the document's ``session`` field, where that is a text.
    :param loaded: the same as a tree, empty for an encrypted session; ``None`` where it is to be
        decoded from ``raw`` when :attr:`tree` is asked for.
    :param serializer: what the document says of Beaker's ``data_serializer``.
    :param expires: the stored date in naive UTC; ``None`` where the document has none.
    :param touched_time: when this request moved the times, in seconds since 1970; 0 if it did not.
    :param cookie: express-session's cookie, where ``store.expressCookie`` keeps it out of the tree.
    :param is_gone: whether a save found it destroyed by another request.
    :param latest: what is stored, where that has more in it than this request knows of, because
        others saved a text in the meantime.
    :param is_plain: whether the tree is the session itself: nothing in it is tagged.
    :param raw: the document as BSON, where the session is native and plain.
    :param accessed_time: Beaker's time of the last request, in seconds since 1970, if there is one.
    """

    stored_id: str
    form: StorageForm
    text: str
    loaded: dict[str, Tree] | None
    serializer: Serializer | None
    expires: datetime | None
    touched_time: float = 0.0
    cookie: Tree | None = None
    is_gone: bool = False
    latest: "StoredSession | None" = None
    is_plain: bool = False
    raw: bytes = b""
    accessed_time: float | None = field(init=False)

    def __post_init__(self) -> None:
        self.accessed_time = self.tree.get(ACCESSED_TIME)

    @property
    def tree(self) -> dict[str, Tree]:
        """Return what is stored as a tree, which nobody may change."""
        if self.loaded is None:
            self.loaded = decode_document(self.raw)["session"]
        return self.loaded

    @tree.setter
    def tree(self, tree: dict[str, Tree]) -> None:
        self.loaded, self.raw, self.is_plain = tree, b"", False
        self.accessed_time = tree.get(ACCESSED_TIME)

    def take_tree(self) -> dict[str, Tree]:
        """Return the tree of a plain native session, for the caller to keep and to change.

        Decoding BSON again, if ever :attr:`tree` is asked for, takes less time than a copy.
        """
        tree, self.loaded = self.tree, None
        return tree


def decode_document(raw: bytes) -> Document:
    """Return a document, with 64-bit integers as Python's own.

    :param raw: the document as BSON.
    :raises SerializationError: when it is no BSON.
    """
    try:
        return bson.decode(raw, CODEC_OPTIONS)
    except BSONError as error:
        raise SerializationError(
            f"The stored document is not valid BSON ({type(error).__name__}).",
            path="session",
            hint=KEPT,
        ) from None
