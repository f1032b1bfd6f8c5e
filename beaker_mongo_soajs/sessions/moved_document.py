"""The document of a session under its new id. Nothing here sends a command."""

import bson

from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.mongo.documents import EXACT_OPTIONS, Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME, Changes, merged
from beaker_mongo_soajs.sessions.coder import SessionCoder
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.encryption import unencrypted, without_key
from beaker_mongo_soajs.sessions.express import EXPRESS_COOKIE
from beaker_mongo_soajs.sessions.id_change import CONTROL_FIELDS
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession
from beaker_mongo_soajs.sessions.tags import Tree


def read_exact(documents: SessionDocuments, document: Document) -> StoredSession | None:
    """Return the session of a document, or ``None`` when it has expired.

    :param documents: reads documents.
    :param document: the document, with the types that BSON has.
    :raises SerializationError: when it is no session document.
    """
    return documents.read(bson.encode(document, codec_options=EXACT_OPTIONS), documents.clock.now())


class MovedDocument:
    """Make the new document of a session: the old one as it is stored now, and what changed.

    What the request did not change is copied as it is stored, without decoding: it may hold what
    this package cannot encode.

    :param coder: how the request stores its session.
    :param known: the session as the request knows it.
    :param new_id: the new ``_id``.
    :param changes: what the request changed.
    :param accessed_time: the time of the request, in seconds since 1970, if the session has one.
    """

    def __init__(
        self,
        coder: SessionCoder,
        known: StoredSession,
        new_id: str,
        changes: Changes,
        accessed_time: float | None,
    ) -> None:
        self._coder = coder
        self._documents = coder.documents
        self._cipher = coder.cipher_for(known)
        self._known = known
        self._new_id = new_id
        self._changes = changes
        self._accessed_time = accessed_time

    def __call__(self, before: Document) -> Document | None:
        """Return the new document, or ``None`` when the session has expired.

        :param before: the old document, with the types that BSON has.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        """
        stored = read_exact(self._documents, before)
        if stored is None:
            return None
        if stored.form is not self._known.form:
            raise without_key() if self._cipher is None else unencrypted()
        fields = self._documents.marks(stored, self._coder.serializer)
        fields |= self._plain(stored, before) if self._cipher is None else self._encrypted(stored)
        kept = {name: item for name, item in before.items() if name not in CONTROL_FIELDS}
        expires = self._documents.expires(stored.terms)
        fields |= self._documents.lifetime.stamp(self._documents.clock.now())
        return kept | fields | {"_id": self._new_id, "expires": expires}

    def _plain(self, stored: StoredSession, before: Document) -> Document:
        tree = signed_again(self._documents, stored, self._new_id)
        moved = stored.moved(self._new_id, tree)
        fields = self._coder.fields(moved, self._changes)
        cookie = stored.cookie
        if stored.form is StorageForm.NATIVE and tree is stored.tree:
            tree = before["session"]
            cookie = tree.get(EXPRESS_COOKIE)
        if cookie is None:
            cookie = self._coder.missing_cookie(stored)
        tree = fields.applied_to(tree)
        if self._accessed_time is not None:
            tree[ACCESSED_TIME] = self._accessed_time
        return {"session": self._documents.value(stored.form, tree, cookie)}

    def _encrypted(self, stored: StoredSession) -> Document:
        assert self._cipher is not None
        session = merged(self._cipher.decrypt(stored.text), self._changes)
        if self._accessed_time is not None:
            session[ACCESSED_TIME] = self._accessed_time
        return self._documents.encrypted_fields(self._new_id, self._coder.encrypt(session))


def signed_again(
    documents: SessionDocuments, stored: StoredSession, new_id: str
) -> dict[str, Tree]:
    """Return the tree of a session with its pickles signed for another id.

    :param documents: decodes and encodes values.
    :param stored: the session.
    :param new_id: the new ``_id``.
    :returns: the tree itself if it has no signatures.
    """
    if stored.form is StorageForm.ENCRYPTED or not documents.signs_pickles or stored.is_plain:
        return stored.tree
    codec = documents.codec(stored.form)
    tree: dict[str, Tree] = {}
    for name, item in stored.tree.items():
        try:
            value = codec.decode({name: item}, stored.stored_id.encode())
            tree |= codec.encode(value, new_id.encode())
        except SerializationError:
            # It holds what only another application wrote; that has no signature.
            tree[name] = item
    return tree
