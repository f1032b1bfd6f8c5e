"""The session document: ``{_id, session, expires}``, as the Node stores write it.

Nothing here sends a command.
"""

import hashlib
from datetime import datetime
from typing import Any, TypeGuard

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import KEPT, SerializationError
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.clock import Clock
from beaker_mongo_soajs.sessions.codec import JsonCodec, NativeCodec, has_escapes, is_plain
from beaker_mongo_soajs.sessions.express import (
    EXPRESS_COOKIE,
    ExpressCookie,
    MakeCookie,
    as_text,
    max_age_seconds,
)
from beaker_mongo_soajs.sessions.id_change import MOVED_TO
from beaker_mongo_soajs.sessions.lifetime import Lifetime, Terms
from beaker_mongo_soajs.sessions.node_crypto import make_json_codec
from beaker_mongo_soajs.sessions.serializer import Serializer
from beaker_mongo_soajs.sessions.session_ids import impossible_id, is_possible_id
from beaker_mongo_soajs.sessions.shared_codec import SharedNativeCodec
from beaker_mongo_soajs.sessions.stored import (
    LATEST_TIME,
    StorageForm,
    StoredId,
    StoredSession,
    decode_document,
)
from beaker_mongo_soajs.sessions.tags import Tree
from beaker_mongo_soajs.signature import Context, make_signer

_MISSING = object()


class SessionDocuments:
    """Make and read the documents of one configuration.

    :param config: the configuration.
    :param lifetime_seconds: for how long an untouched session lives.
    :param cookie: the cookie of new sessions for express-session.
    :param clock: the clock by which the sessions count.
    :raises ConfigError: when that reaches beyond the dates that MongoDB's drivers know, or when
        ``store.touchAfter`` is not shorter.
    """

    def __init__(
        self,
        config: DbConfig,
        lifetime_seconds: float,
        cookie: ExpressCookie | None = None,
        clock: Clock | None = None,
    ) -> None:
        store = config.store
        self.clock = clock or Clock()
        self._signer = make_signer(store.signing_keys, config.database, config.collection)
        native = SharedNativeCodec if store.express_cookie else NativeCodec
        self._native = native(pickled=store.pickle, signer=self._signer)
        self._json = make_json_codec(config, self._signer)
        self.is_encrypted = store.node_crypto is not None
        self.form = StorageForm.JSON if config.stores_text else StorageForm.NATIVE
        self._digests_ids = store.transform_id is not None
        self.signs_pickles = store.pickle and self._signer is not None
        self._cookie = (cookie or ExpressCookie()) if store.express_cookie else None
        store.check_touch_after(lifetime_seconds)
        self.touch_after_seconds = store.touch_after_seconds(lifetime_seconds)
        seconds = (lifetime_seconds, self.touch_after_seconds, store.max_lifetime_seconds)
        self.lifetime = Lifetime(*seconds, has_timestamps=store.timestamps)

    def expires(self, terms: Terms | None = None) -> datetime:
        """Return the date until which a session touched now lives.

        :param terms: what is particular to the lifetime of the session.
        """
        return self.lifetime.expires(self.clock.now(), terms)

    def is_touched(self, stored: StoredSession) -> bool:
        """Check whether a session was touched less than ``touchAfter`` ago, by its ``expires``.

        :param stored: the session.
        """
        if stored.expires is None:
            return False
        if self.lacks_cookie(stored):
            # Without its cookie, express-session fails at this session.
            return False
        return self.lifetime.is_touched(stored.expires, self.clock.now(), stored.terms)

    def stored_id(self, session_id: object) -> str:
        """Return the ``_id`` of a session's document.

        :param session_id: the id as Beaker or a cookie gave it: anything; or a :class:`StoredId`.
        :raises SerializationError: unless it is a text that could be a session id.
        """
        stored_id = self.stored_id_or_none(session_id)
        if stored_id is None:
            raise impossible_id()
        return stored_id

    def stored_id_or_none(self, session_id: object) -> str | None:
        """Return the ``_id`` of a session's document, or ``None`` for an impossible session id.

        :param session_id: as for :meth:`stored_id`.
        """
        if not is_possible_id(session_id):
            return str(session_id) if type(session_id) is StoredId else None
        assert type(session_id) is str
        return hashlib.sha256(session_id.encode()).hexdigest() if self._digests_ids else session_id

    def read(self, raw: bytes, now: datetime) -> StoredSession | None:
        """Return the session of a document; ``None`` if it has expired or its ``_id`` is no text.

        :param raw: the document as BSON.
        :param now: naive UTC.
        :raises SerializationError: the document is not that of a session.
        """
        document = decode_document(raw)
        if type(document["_id"]) is not str or MOVED_TO in document:
            return None
        expires = document.get("expires", _MISSING)
        if type(expires) is datetime:
            if expires <= now:
                return None
        elif expires is not _MISSING:
            raise _unreadable("expires", f"is a {type(expires).__name__} and not a date")
        value = document.get("session")
        plain = is_plain(raw) and not self.is_encrypted
        if type(value) is dict and not self.is_encrypted:
            form, tree, text = StorageForm.NATIVE, value, ""
        else:
            form, tree = self._read_text(document, value)
            text = str(value)
            plain = plain and not has_escapes(text)
        cookie = None
        if self._cookie is not None and EXPRESS_COOKIE in tree:
            cookie = tree[EXPRESS_COOKIE]
            tree = {key: item for key, item in tree.items() if key != EXPRESS_COOKIE}
            plain = False
        accessed_time = tree.get(ACCESSED_TIME, 0)
        if not is_time(accessed_time):
            raise _unreadable(f"session[{ACCESSED_TIME!r}]", "is not a time in seconds")
        terms = self.lifetime.terms(document, tree, max_age_seconds(cookie))
        if self.lifetime.is_over(terms, now):
            return None
        marked = document.get("dataSerializer")
        serializer: Serializer | None = marked if marked in ("json", "pickle") else None
        return StoredSession(
            document["_id"],
            form,
            tree,
            text,
            raw if plain and form is StorageForm.NATIVE else b"",
            plain,
            serializer,
            None if expires is _MISSING else expires,
            cookie,
            terms,
        )

    def build(
        self,
        stored_id: str,
        tree: dict[str, Tree],
        serializer: Serializer | None,
        now: datetime,
        cookie: Document | None = None,
    ) -> Document:
        """Return a new document.

        :param stored_id: its ``_id``.
        :param tree: the session, encoded in this configuration's form.
        :param serializer: how Beaker serialized it. JSON is stored, for other processes.
        :param now: naive UTC.
        :param cookie: what :meth:`new_cookie` returned.
        """
        document = {
            "_id": stored_id,
            "session": self.value(self.form, tree, cookie),
            **self.lifetime.new_fields(now, max_age_seconds(cookie)),
        }
        if serializer == "json":
            document["dataSerializer"] = serializer
        return document

    def inserted(
        self, document: Document, tree: dict[str, Tree], cookie: Document | None = None
    ) -> StoredSession:
        """Return what is stored after a new document was inserted.

        :param document: what :meth:`build` or :meth:`build_encrypted` returned.
        :param tree: the session that it holds; empty if that is encrypted.
        :param cookie: as for :meth:`build`.
        """
        value = document["session"]
        return StoredSession(
            document["_id"],
            StorageForm.ENCRYPTED if not tree else self.form,
            tree,
            value if type(value) is str else "",
            serializer=document.get("dataSerializer"),
            expires=document["expires"],
            cookie=cookie,
            terms=self.lifetime.terms(document, tree, max_age_seconds(cookie)),
        )

    def check(self, session: dict[Any, Any]) -> None:
        """Check that a session can be stored, without storing it.

        :param session: the session.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        """
        self.encode(self.form, session, "")

    def build_encrypted(self, stored_id: str, text: str, now: datetime) -> Document:
        """Return a new document of a session that Beaker encrypted.

        :param stored_id: its ``_id``.
        :param text: Beaker's payload.
        :param now: naive UTC.
        """
        return {
            "_id": stored_id,
            **self.encrypted_fields(stored_id, text),
            **self.lifetime.new_fields(now),
        }

    def encrypted_fields(self, stored_id: str, text: str) -> Document:
        """Return the fields that hold ciphertext, with its signature if there is a signing key.

        :param stored_id: the document's ``_id``.
        :param text: Beaker's payload.
        """
        if self._signer is None:
            return {"session": text}
        return {"session": text, "signature": self._signer.sign(_context(stored_id), text.encode())}

    def encode(self, form: StorageForm, session: dict[Any, Any], stored_id: str) -> dict[str, Tree]:
        """Return the tree of a session.

        :param form: native or text.
        :param session: the session.
        :param stored_id: the document's ``_id``.
        :raises SerializationError: for a value that cannot be stored, naming its path.
        """
        self.check_own_keys(session)
        return self.codec(form).encode(session, stored_id.encode())

    def value(self, form: StorageForm, tree: dict[str, Tree], cookie: Tree | None = None) -> Any:
        """Return the ``session`` field that holds a tree.

        :param form: native or text.
        :param tree: what :meth:`encode` returned.
        :param cookie: express-session's cookie, as that form holds it.
        """
        if self._cookie is not None and cookie is not None:
            tree = {**tree, EXPRESS_COOKIE: cookie}
        return self._json.dumps(tree) if form is StorageForm.JSON else tree

    def new_cookie(
        self, form: StorageForm, make_cookie: MakeCookie | None = None
    ) -> Document | None:
        """Return the cookie of a new session for express-session, if it needs one.

        :param form: the form of the session.
        :param make_cookie: returns the cookie; without it, that of the configuration is returned.
        """
        if self._cookie is None or form is StorageForm.ENCRYPTED:
            return None
        made = self._cookie if make_cookie is None else make_cookie()
        native = made.native(self.clock.now()) if isinstance(made, ExpressCookie) else made
        return as_text(native) if form is StorageForm.JSON else native

    def ends_by_date(self, stored: StoredSession) -> bool:
        """Check whether ``expires`` alone decides when a session ends, without Beaker's timeout.

        express-session moves ``expires`` when it uses a session, and not Beaker's access time.

        :param stored: the session.
        """
        return self._cookie is not None and stored.form is not StorageForm.ENCRYPTED

    def lacks_cookie(self, stored: StoredSession) -> bool:
        """Check whether a session had no cookie for express-session when it was read.

        :param stored: the session.
        """
        return self._cookie is not None and stored.cookie is None and self.ends_by_date(stored)

    def peek(self, stored: StoredSession) -> dict[Any, Any]:
        """Return the session that is stored. The caller must not change it.

        :param stored: a session that is not encrypted.
        :raises SerializationError: when it holds a value that cannot be decoded.
        """
        return stored.tree if stored.is_plain else self.decode(stored)

    def decode(self, stored: StoredSession) -> dict[Any, Any]:
        """Return the session that is stored, for the caller to keep.

        :param stored: a session that is not encrypted.
        :raises SerializationError: when it holds a value that cannot be decoded.
        """
        session = stored.take_tree()
        if session is None:
            session = self.codec(stored.form).decode(stored.tree, stored.stored_id.encode())
        return session

    def marks(self, stored: StoredSession, serializer: Serializer | None) -> Document:
        """Return the field that names the serializer, if it is another one than before.

        A process that reads the document later has no other way to find out.

        :param stored: the session before the save.
        :param serializer: how Beaker serialized it now.
        """
        if serializer is None or serializer == (stored.serializer or "pickle"):
            return {}
        return {"dataSerializer": serializer}

    def codec(self, form: StorageForm) -> NativeCodec | JsonCodec:
        """Return the codec of a form."""
        return self._json if form is StorageForm.JSON else self._native

    def check_own_keys(self, session: dict[Any, Any]) -> None:
        """Check that a session does not use reserved keys for values of its own.

        Reserved are Beaker's access time and, with ``store.expressCookie``, express-session's
        cookie.

        :param session: the session to be saved.
        :raises SerializationError: it does.
        """
        # Only plain numbers: a tagged value cannot be compared by the server.
        accessed_time = session.get(ACCESSED_TIME, 0)
        if type(accessed_time) not in (int, float) or not is_time(accessed_time):
            raise _reserved(
                ACCESSED_TIME, "is reserved for Beaker's access time, a number of seconds"
            )
        if self._cookie is not None and EXPRESS_COOKIE in session:
            raise _reserved(
                EXPRESS_COOKIE, "is reserved for express-session while store.expressCookie is true"
            )

    def _read_text(self, document: Document, value: object) -> tuple[StorageForm, dict[str, Tree]]:
        if self.is_encrypted:
            return StorageForm.JSON, self._json.loads(str(value))
        if type(value) is not str:
            raise _unreadable(
                "session", f"is a {type(value).__name__}, not a sub-document or a text"
            )
        if value.startswith("{"):
            return StorageForm.JSON, self._json.loads(value)
        self._verify(document, value)
        return StorageForm.ENCRYPTED, {}

    def _verify(self, document: Document, text: str) -> None:
        if self._signer is not None and not self._signer.verifies(
            document.get("signature"), _context(document["_id"]), text.encode()
        ):
            raise _unreadable(
                "session", "is ciphertext without a valid signature by store.signingKey"
            )


def _context(stored_id: str) -> Context:
    return (b"ciphertext", stored_id.encode())


def is_time(value: object) -> TypeGuard[float]:
    """Check whether a value is a valid access time: a number of seconds since 1970."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return abs(value) <= LATEST_TIME


def first_time(*times: object) -> float:
    """Return the first of some values that is a time, as :func:`is_time` defines it, and not 0.

    :param times: values from the database or an application; at least one is a time.
    """
    return next(float(moment) for moment in times if moment and is_time(moment))


def _reserved(key: str, problem: str) -> SerializationError:
    path = f"session[{key!r}]"
    return SerializationError(f"{path} {problem}.", path=path, hint="Use another key.")


def _unreadable(path: str, problem: str) -> SerializationError:
    return SerializationError(
        f"{path} of the stored document {problem}.",
        path=path,
        hint=KEPT,
    )
