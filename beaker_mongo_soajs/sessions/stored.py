"""A session as its document holds it."""

from collections.abc import Callable
from datetime import datetime
from enum import Enum

import bson
from bson.errors import BSONError

from beaker_mongo_soajs.exceptions import KEPT, SerializationError
from beaker_mongo_soajs.handles import make_handle
from beaker_mongo_soajs.mongo.documents import CODEC_OPTIONS, Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.lifetime import Terms
from beaker_mongo_soajs.sessions.serializer import Serializer
from beaker_mongo_soajs.sessions.tags import Tree

MakeTree = Callable[[], dict[str, Tree]]

LATEST_TIME = 2**53
"""The largest valid access time, in seconds since 1970."""


class StoredId(str):
    """The ``_id`` of a session's document, as the store found it: with ``transformId``, a digest.

    Methods that take a session id also take a ``StoredId``. A cookie cannot hold one: cookies are
    plain text, and a digest is no session id.
    """

    __slots__ = ()

    @property
    def handle(self) -> str:
        """Return a public name of the session, for pages on which users end their sessions.

        It is a digest: nobody can find the session id with it, and no cookie can hold it. It
        changes when the session id does.
        """
        return make_handle(self)


class StorageForm(Enum):
    """How a document holds its session. A document keeps its form for as long as it lives."""

    NATIVE = "a sub-document"
    JSON = "a JSON text"
    ENCRYPTED = "ciphertext"


class StoredSession:
    """What a document held when it was read, or what a save made of that. It does not change.

    :param stored_id: the document's ``_id``: the session id, or its digest with ``transformId``.
    :param form: how the document holds the session.
    :param tree: the session as the codec encodes it, or a function that makes it; empty for an
        encrypted session.
    :param text: the document's ``session`` field, if that is a text.
    :param raw: the document as BSON, for a plain native session: the tree can be decoded again.
    :param is_plain: whether the tree is the session itself: nothing in it is tagged.
    :param serializer: Beaker's ``data_serializer``, if the document names one.
    :param expires: the stored date in naive UTC; ``None`` if the document has none.
    :param cookie: express-session's cookie, if ``store.expressCookie`` keeps it out of the tree.
    :param terms: what is particular to the lifetime of the session.
    """

    __slots__ = (
        *("_raw", "_tree", "accessed_time", "cookie", "expires", "form"),
        *("is_plain", "serializer", "stored_id", "terms", "text"),
    )

    def __init__(
        self,
        stored_id: str,
        form: StorageForm,
        tree: dict[str, Tree] | MakeTree,
        text: str = "",
        raw: bytes = b"",
        is_plain: bool = False,
        serializer: Serializer | None = None,
        expires: datetime | None = None,
        cookie: Tree | None = None,
        terms: Terms | None = None,
    ) -> None:
        self.stored_id = stored_id
        self.form = form
        self._tree: dict[str, Tree] | MakeTree | None = tree
        self.text = text
        self._raw = raw
        self.is_plain = is_plain
        self.serializer = serializer
        self.expires = expires
        self.cookie = cookie
        self.terms = terms
        self.accessed_time: float | None = (
            tree.get(ACCESSED_TIME) if isinstance(tree, dict) else None
        )

    @property
    def tree(self) -> dict[str, Tree]:
        """Return the tree. The caller must not change it."""
        tree = self._tree
        if not isinstance(tree, dict):
            tree = self._tree = tree() if tree else decode_document(self._raw)["session"]
        return tree

    @property
    def raw(self) -> bytes:
        """Return the document as BSON, as it was read; empty if that is not known."""
        return self._raw

    def take_tree(self) -> dict[str, Tree] | None:
        """Return the tree of a plain native session for the caller to keep; ``None`` for others.

        If :attr:`tree` is needed later, it is decoded again: that is faster than a copy now.
        """
        if not self._raw:
            return None
        tree, self._tree = self.tree, None
        return tree

    def saved(
        self,
        tree: dict[str, Tree] | MakeTree,
        text: str = "",
        *,
        serializer: Serializer | None = None,
        cookie: Tree | None = None,
    ) -> "StoredSession":
        """Return what is stored after a save.

        :param tree: the new tree, or a function that makes it of the tree before. It is called if
            the tree is needed, as that may have to be decoded first.
        :param text: the new text, for a session that is stored as one.
        :param serializer: the serializer that the save noted, if it did.
        :param cookie: express-session's cookie, if the save added one.
        """
        stored = StoredSession(
            self.stored_id,
            self.form,
            tree,
            text,
            serializer=serializer or self.serializer,
            expires=self.expires,
            terms=self.terms,
            cookie=self.cookie if cookie is None else cookie,
        )
        if not isinstance(tree, dict):
            stored.accessed_time = self.accessed_time
        return stored

    def moved(self, new_id: str, tree: dict[str, Tree]) -> "StoredSession":
        """Return the same session under another id.

        :param new_id: the ``_id`` of the new document.
        :param tree: the tree, signed for that.
        """
        return StoredSession(
            new_id,
            self.form,
            tree,
            self.text,
            is_plain=self.is_plain,
            serializer=self.serializer,
            expires=self.expires,
            terms=self.terms,
            cookie=self.cookie,
        )


def decode_document(raw: bytes) -> Document:
    """Decode a document, with 64-bit integers as Python's own.

    :param raw: the document as BSON.
    :raises SerializationError: when it is not valid BSON.
    """
    try:
        return bson.decode(raw, CODEC_OPTIONS)
    except BSONError as error:
        raise SerializationError(
            f"The stored document is not valid BSON ({type(error).__name__}).",
            path="session",
            hint=KEPT,
        ) from None
