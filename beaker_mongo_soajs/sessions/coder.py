"""How the session of one request is stored: its cipher, its serializer and its storage form."""

from typing import Any

from beaker_mongo_soajs.mongo.documents import Document, utc_now
from beaker_mongo_soajs.sessions.changes import Changes, changes_between
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.encryption import Cipher, encrypt, unencrypted, without_key
from beaker_mongo_soajs.sessions.native_update import FieldChanges, field_changes
from beaker_mongo_soajs.sessions.serializer import Serializer, as_json_if_possible, through_json
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession
from beaker_mongo_soajs.sessions.tags import Tree


class SessionCoder:
    """Convert between a session and what is stored of it.

    :param documents: makes and reads the documents.
    :param cipher: for sessions that Beaker encrypts, or serializes with a serializer of the
        application; without it, sessions are stored in the form of the configuration.
    :param serializer: Beaker's ``data_serializer``: ``json`` makes lists of tuples.
    """

    __slots__ = ("cipher", "documents", "serializer")

    def __init__(
        self, documents: SessionDocuments, cipher: Cipher | None, serializer: Serializer | None
    ) -> None:
        self.documents = documents
        self.cipher = cipher
        self.serializer = serializer

    def read(self, stored: StoredSession) -> Any:
        """Return the session that is stored, for the caller to keep.

        :param stored: what is stored.
        :returns: a dict, or for an encrypted session what the cipher made of its text.
        """
        cipher = self.cipher_for(stored)
        if cipher is not None:
            return cipher.decrypt(stored.text)
        if stored.form is StorageForm.ENCRYPTED:
            raise without_key()
        return self.documents.decode(stored)

    def cipher_for(self, stored: StoredSession) -> Cipher | None:
        """Return the cipher that a session is stored with, if any.

        :param stored: what is stored.
        :raises SerializationError: for a plain session where sessions are encrypted: otherwise
            whoever can write to the database would not need the key.
        """
        cipher = self.cipher
        if cipher is None or stored.form is StorageForm.ENCRYPTED:
            return cipher
        if cipher.is_encryption:
            raise unencrypted()
        return None

    def encrypt(self, session: dict[Any, Any]) -> str:
        """Return the text that the cipher makes of a session.

        :param session: the session.
        """
        assert self.cipher is not None
        return encrypt(self.cipher, session, self.documents.check)

    def as_serialized(self, session: dict[Any, Any]) -> dict[Any, Any]:
        """Return a session as Beaker's serializer would make it.

        :param session: the session.
        """
        return through_json(session) if self.serializer == "json" else session

    def new_document(
        self, stored_id: str, session: dict[Any, Any]
    ) -> tuple[Document, dict[str, Tree]]:
        """Return a new document, and the tree in it, which is empty for an encrypted session.

        :param stored_id: the document's ``_id``.
        :param session: the session.
        """
        now = utc_now()
        if self.cipher is not None:
            return self.documents.build_encrypted(stored_id, self.encrypt(session), now), {}
        tree = self.documents.encode(self.documents.form, self.as_serialized(session), stored_id)
        return self.documents.build(stored_id, tree, self.serializer, now), tree

    def changes(self, known: StoredSession, session: dict[Any, Any]) -> Changes:
        """Return what a request changed.

        :param known: what the request knows to be stored.
        :param session: the session to save, as :meth:`as_serialized` returned it.
        """
        loaded = self.documents.peek(known)
        if self.serializer == "json":
            # Lists that were tuples before are no change of this request.
            loaded = as_json_if_possible(loaded)
        return changes_between(loaded, session)

    def fields(self, stored: StoredSession, changes: Changes) -> FieldChanges:
        """Return the fields that hold changes.

        :param stored: what is stored.
        :param changes: the changes.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        """
        return field_changes(self.documents.codec(stored.form), stored, changes)
