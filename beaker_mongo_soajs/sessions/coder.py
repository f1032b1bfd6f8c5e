"""How the session of one request is stored: its cipher, its serializer and its storage form."""

from contextlib import suppress
from typing import Any

from beaker_mongo_soajs.config.node_crypto import encrypted_twice
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import Changes, changes_between
from beaker_mongo_soajs.sessions.document import SessionDocuments
from beaker_mongo_soajs.sessions.encryption import Cipher, encrypt, unencrypted, without_key
from beaker_mongo_soajs.sessions.express import MakeCookie
from beaker_mongo_soajs.sessions.native_update import FieldChanges, field_changes
from beaker_mongo_soajs.sessions.serializer import Serializer, through_json
from beaker_mongo_soajs.sessions.stored import StorageForm, StoredSession


class SessionCoder:
    """Convert between a session and what is stored of it.

    :param documents: makes and reads the documents.
    :param cipher: for sessions that Beaker encrypts, or serializes with a serializer of the
        application; without it, sessions are stored in the form of the configuration.
    :param serializer: Beaker's ``data_serializer``: ``json`` makes lists of tuples.
    :param make_cookie: returns the cookie of a new session for express-session.
    :raises ConfigError: there is a cipher, but connect-mongo encrypts the sessions.
    """

    __slots__ = ("cipher", "documents", "make_cookie", "serializer")

    def __init__(
        self,
        documents: SessionDocuments,
        cipher: Cipher | None,
        serializer: Serializer | None,
        make_cookie: MakeCookie | None,
    ) -> None:
        if cipher is not None and documents.is_encrypted:
            raise encrypted_twice("encrypt_key" if cipher.is_encryption else "data_serializer")
        self.documents = documents
        self.cipher = cipher
        self.serializer = serializer
        self.make_cookie = make_cookie

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
    ) -> tuple[Document, StoredSession]:
        """Return a new document, and what is stored once it is inserted.

        :param stored_id: the document's ``_id``.
        :param session: the session.
        """
        documents, now = self.documents, self.documents.clock.now()
        if self.cipher is not None:
            document = documents.build_encrypted(stored_id, self.encrypt(session), now)
            return document, documents.inserted(document, {})
        tree = documents.encode(documents.form, self.as_serialized(session), stored_id)
        cookie = self.new_cookie(documents.form)
        document = documents.build(stored_id, tree, self.serializer, now, cookie)
        return document, documents.inserted(document, tree, cookie)

    def missing_cookie(self, stored: StoredSession) -> Document | None:
        """Return the cookie for express-session, if a session had none when it was read.

        :param stored: the session.
        """
        return self.new_cookie(stored.form) if self.documents.lacks_cookie(stored) else None

    def new_cookie(self, form: StorageForm) -> Document | None:
        """Return the cookie of a new session for express-session, if it needs one.

        :param form: the form of the session.
        """
        return self.documents.new_cookie(form, self.make_cookie)

    def changes(self, known: StoredSession, session: dict[Any, Any]) -> Changes:
        """Return what a request changed.

        :param known: what the request knows to be stored.
        :param session: the session to save, as :meth:`as_serialized` returned it.
        """
        loaded = self.documents.peek(known)
        if self.serializer == "json":
            # Lists that were tuples before are no change of this request. A request with pickle may
            # have saved what JSON cannot hold.
            with suppress(SerializationError):
                loaded = through_json(loaded)
        return changes_between(loaded, session)

    def fields(self, stored: StoredSession, changes: Changes) -> FieldChanges:
        """Return the fields that hold changes.

        :param stored: what is stored.
        :param changes: the changes.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        """
        return field_changes(self.documents.codec(stored.form), stored, changes)
