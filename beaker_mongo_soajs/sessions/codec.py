"""Encode a session dict as a native document or a JSON text, and decode it.

Values that BSON or JSON can hold are stored natively: they are readable in a Mongo shell, and Node
applications can share them. All other supported types are stored as tagged sub-documents
(:mod:`beaker_mongo_soajs.sessions.tags`). Decoding never runs code named by the stored data, unless
``store.pickle`` is set.
"""

import datetime
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bson.binary import Binary

from beaker_mongo_soajs.exceptions import KEPT, SerializationError
from beaker_mongo_soajs.sessions import known_types, scalars, tags
from beaker_mongo_soajs.sessions.collection_types import MOST_COLLISIONS, CollisionLimit
from beaker_mongo_soajs.sessions.parts import Items, Pairs, Parts
from beaker_mongo_soajs.sessions.paths import step
from beaker_mongo_soajs.sessions.tags import Tree, UnstorableValueError
from beaker_mongo_soajs.signature import Context, Signer

ITEM_PREFIX = "__key__"
"""Prefix of the fields that hold top-level keys which cannot be field names."""

_TAG_MARKER = tags.TAG.encode()
# Other writers of JSON may escape any letter of this marker. JSON does not require them to.
_ESCAPED_ASCII = re.compile(r"\\u00[2-7]")
_UNSIGNED: Context = ()
"""The context in which nothing is signed: the name of a field must not depend on the key."""

_SETS = frozenset({"set", "frozenset"})
_JSON_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """The decoding of one field.

    :param context: the signing context of the field.
    :param collisions: the limit of the whole session.
    """

    context: Context
    collisions: CollisionLimit


def is_plain(raw: bytes) -> bool:
    """Return whether a document holds no tagged value, so that its tree is the session itself.

    For a JSON text this is only valid if :func:`has_escapes` is false.

    Searching the bytes is much faster than walking the tree. The result may be a false negative,
    which costs a needless walk, but never a false positive.

    :param raw: the document as BSON.
    """
    return _TAG_MARKER not in raw


def has_escapes(text: str) -> bool:
    """Return whether a JSON text escapes ASCII letters, and may hide the marker in this way.

    :param text: the text.
    """
    return _ESCAPED_ASCII.search(text) is not None


class Codec:
    """Encode a session dict as a tree of the types of one storage form, and decode it.

    In all methods, ``stored_id`` is the document's ``_id`` as bytes. It is part of what is signed.

    :param pickled: whether to pickle values of all other types (``store.pickle``).
    :param signer: signs and verifies pickled values; ``None`` without ``store.signingKey``.
    """

    _scalars: frozenset[type] = frozenset({bool, type(None)})

    def __init__(self, *, pickled: bool = False, signer: Signer | None = None) -> None:
        self._pickled = pickled
        self._signer = signer
        self._encoders: dict[type, Callable[[Any, Context], Tree]] = {
            str: self._encode_str,
            int: self._encode_int,
            dict: self._encode_dict,
            list: self._encode_list,
        }

    def encode(self, session: dict[Any, Any], stored_id: bytes) -> dict[str, Tree]:
        """Return the tree of a session.

        :param session: the session.
        :raises SerializationError: for a value that cannot be stored; names its path.
        """
        return dict(self.encode_item(key, value, stored_id) for key, value in session.items())

    def encode_item(self, key: object, value: object, stored_id: bytes) -> tuple[str, Tree]:
        """Return the field name and the tree of one top-level key of a session.

        :param key: the key.
        :param value: its value.
        :raises SerializationError: for a value that cannot be stored; names its path.
        """
        try:
            name = self.field_name(key)
            tree = self._encode_step(key, value, _field_context(stored_id, name))
            if name != key:
                context = _key_context(stored_id)
                tree = tags.tagged(tags.ITEM, [self._encode(key, context), tree])
        except UnstorableValueError as error:
            path = "session" + "".join(reversed(error.steps))
            raise SerializationError(
                f"{path} {error}.",
                path=path,
                hint=_remedies(error.json_type),
            ) from None
        except RecursionError:
            raise SerializationError(
                f"session{step(key)} refers to itself or is nested too deeply.",
                path=f"session{step(key)}",
                hint="Store a value with fewer levels.",
            ) from None
        return name, tree

    def field_name(self, key: object) -> str:
        """Return the name of the field that holds a top-level key.

        This is the key itself if it can be a field name, and otherwise a digest of it. Each key has
        its own field, and can be updated without the others.

        :param key: the key.
        """
        if type(key) is str and self._is_plain_key(key) and not key.startswith(ITEM_PREFIX):
            return key
        return ITEM_PREFIX + tags.digest(self._encode(key, _UNSIGNED))

    def decode(self, tree: dict[str, Tree], stored_id: bytes) -> dict[Any, Any]:
        """Return the session of a stored tree.

        Sub-documents of other applications that only resemble a tagged value are returned as dicts.

        :param tree: the tree, as the driver or the JSON parser returned it.
        :raises SerializationError: for a tagged value that is not valid, and for a pickle without
            ``store.pickle``.
        """
        collisions = CollisionLimit()
        items: list[tuple[Any, Any]] = []
        hashes: set[int] = set()
        for name, value in tree.items():
            try:
                key, item = self._decode_item(name, value, stored_id, collisions)
                hashes.add(hash(key))
            except (tags.DamagedValueError, TypeError, RecursionError) as error:
                reason = str(error) if isinstance(error, ValueError) else type(error).__name__
                raise _unreadable(f"session{step(name)}", reason) from None
            items.append((key, item))
        if len(items) - len(hashes) > MOST_COLLISIONS:
            raise _unreadable("session", "too many keys have the same hash")
        return dict(items)

    def _encode(self, value: Any, context: Context) -> Tree:
        kind = type(value)
        if kind in self._scalars:
            return value
        encoder = self._encoders.get(kind)
        if encoder is not None:
            return encoder(value, context)
        return self._encode_other(value, context)

    def _encode_other(self, value: Any, context: Context) -> Tree:
        kind = type(value)
        problem = f"is a {kind.__module__}.{kind.__qualname__}, which cannot be stored"
        known = known_types.find(kind)
        if known is not None:
            try:
                return self._encode_parts(known.tag, known.split(value), context)
            except UnstorableValueError as error:
                if error.steps:
                    raise
                problem = str(error)
        if not self._pickled:
            raise UnstorableValueError(problem, _json_type(kind))
        payload = tags.dump_pickle(value)
        tagged = tags.tagged(tags.PICKLE, self._encode(payload, context))
        if self._signer is not None and context != _UNSIGNED:
            tagged[tags.SIGNATURE] = self._encode(self._signer.sign(context, payload), context)
        return tagged

    def _encode_parts(self, tag: str, parts: Parts, context: Context) -> Tree:
        if type(parts) is Items:
            trees = self._encode_list(parts.items, context)
            if tag in _SETS:
                # The iteration order of a set differs between processes; equal sets are stored
                # alike.
                trees.sort(key=tags.sort_key)
        elif type(parts) is Pairs:
            trees = [
                [self._encode_step(key, key, context), self._encode_step(key, item, context)]
                for key, item in parts.pairs
            ]
        else:
            tree = self._encode(parts, context)
            return tags.tagged(tag, tree) if tag else tree
        head = [self._encode(value, context) for value in parts.head]
        return tags.tagged(tag, [*head, trees] if head else trees)

    def _encode_step(self, key: object, value: Any, context: Context) -> Tree:
        try:
            return self._encode(value, context)
        except UnstorableValueError as error:
            error.steps.append(step(key))
            raise

    def _encode_dict(self, value: dict[Any, Any], context: Context) -> Tree:
        if all(type(key) is str and self._is_plain_key(key) for key in value):
            return {key: self._encode_step(key, item, context) for key, item in value.items()}
        return self._encode_parts(tags.DICT, Pairs([], list(value.items())), context)

    def _encode_list(self, value: Any, context: Context) -> list[Tree]:
        return [self._encode_step(index, item, context) for index, item in enumerate(value)]

    def _encode_str(self, value: str, context: Context) -> Tree:
        if value.isascii() or tags.is_utf8(value):
            return value
        return tags.tagged("str", self._encode(value.encode("utf-8", "surrogatepass"), context))

    def _encode_int(self, value: int, _context: Context) -> Tree:
        return value if -(2**63) <= value < 2**63 else scalars.tag_int(value)

    def _is_plain_key(self, key: str) -> bool:
        if key == tags.TAG or key[:1] == "$" or "\0" in key:
            return False
        return key.isascii() or tags.is_utf8(key)

    def _decode_item(
        self, name: str, value: Tree, stored_id: bytes, collisions: CollisionLimit
    ) -> tuple[Any, Any]:
        reading = Reading(_field_context(stored_id, name), collisions)
        if name.startswith(ITEM_PREFIX) and _is_item(value):
            stored_key, item = value[tags.VALUE]
            key = self._decode(stored_key, Reading(_key_context(stored_id), collisions))
            return key, self._decode(item, reading)
        return name, self._decode(value, reading)

    def _decode(self, value: Tree, reading: Reading) -> Any:
        kind = type(value)
        if kind is dict:
            if tags.TAG in value:
                return self._decode_tagged(value, reading)
            return {key: self._decode(item, reading) for key, item in value.items()}
        if kind is list:
            return [self._decode(item, reading) for item in value]
        return value

    def _decode_tagged(self, value: dict[str, Tree], reading: Reading) -> Any:
        if known_types.is_tagged(value):
            parts = self._decode(value[tags.VALUE], reading)
            return known_types.build(value[tags.TAG], parts, reading.collisions)
        if value[tags.TAG] == tags.PICKLE and tags.VALUE in value:
            return self._decode_pickle(value, reading)
        return {key: self._decode(item, reading) for key, item in value.items()}

    def _decode_pickle(self, value: dict[str, Tree], reading: Reading) -> Any:
        if not self._pickled:
            raise tags.DamagedValueError(
                tags.PICKLE, "pickles from the database are not loaded unless store.pickle is true"
            )
        payload = self._decode(value[tags.VALUE], reading)
        if type(payload) is not bytes:
            raise tags.DamagedValueError(tags.PICKLE, "its value is not bytes")
        if self._signer is not None:
            signature = self._decode(value.get(tags.SIGNATURE), reading)
            if not self._signer.verifies(signature, reading.context, payload):
                raise tags.DamagedValueError(
                    tags.PICKLE, "its signature does not match store.signingKey"
                )
        return tags.load_pickle(payload)


class NativeCodec(Codec):
    """Codec of the native form (``stringify: false``): a sub-document of BSON types."""

    _scalars = frozenset[type]({bool, type(None), float, bytes}) | (scalars.BSON_SCALARS - {Binary})

    def __init__(self, *, pickled: bool = False, signer: Signer | None = None) -> None:
        super().__init__(pickled=pickled, signer=signer)
        self._encoders[datetime.datetime] = self._encode_datetime
        self._encoders[Binary] = self._encode_binary

    def _encode_datetime(self, value: datetime.datetime, context: Context) -> Tree:
        if value.tzinfo is None and value.microsecond % 1000 == 0 and not value.fold:
            return value
        return self._encode_other(value, context)

    def _encode_binary(self, value: Binary, context: Context) -> Tree:
        # The driver returns Binary of subtype 0 as bytes.
        return value if value.subtype != 0 else self._encode_other(value, context)


class JsonCodec(Codec):
    """Codec of the JSON form (``stringify: true``): a text that Node's ``JSON.parse`` accepts."""

    def __init__(self, *, pickled: bool = False, signer: Signer | None = None) -> None:
        super().__init__(pickled=pickled, signer=signer)
        self._encoders[float] = self._encode_float
        self._encoders[bytes] = self._encode_bytes
        self._encoders.update(dict.fromkeys(scalars.BSON_SCALARS, self._encode_bson))

    def dumps(self, tree: dict[str, Tree]) -> str:
        """Return the JSON text of an encoded session."""
        text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
        if tags.is_utf8(text):
            return text
        # Lone surrogates, stored by another application, can only be written as escapes.
        return json.dumps(tree, separators=(",", ":"))

    def loads(self, text: str) -> dict[str, Tree]:
        """Return the tree of a stored JSON text.

        :raises SerializationError: if it is not a JSON object.
        """
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            tree = None
        if type(tree) is not dict:
            raise SerializationError(
                "The session field of the stored document is a text, but not a JSON object.",
                path="session",
                hint=KEPT,
            )
        return tree

    def _encode_int(self, value: int, _context: Context) -> Tree:
        # Node rounds larger integers when it parses the text, and would save the rounded number.
        return value if abs(value) <= _JSON_SAFE_INTEGER else scalars.tag_int(value)

    def _encode_float(self, value: float, _context: Context) -> Tree:
        return value if math.isfinite(value) else scalars.tag_float(value)

    def _encode_bytes(self, value: bytes, _context: Context) -> Tree:
        return scalars.tag_bytes(value)

    def _encode_bson(self, value: Any, context: Context) -> Tree:
        if type(value) is Binary and value.subtype == 0:
            return self._encode_other(value, context)
        return scalars.tag_bson(value)

    def _is_plain_key(self, key: str) -> bool:
        return key != tags.TAG and (key.isascii() or tags.is_utf8(key))


def _field_context(stored_id: bytes, name: str) -> Context:
    """Return the signing context of a field: a signed pickle is only valid in its own field."""
    return (b"session", stored_id, name.encode("utf-8", "surrogatepass"))


def _key_context(stored_id: bytes) -> Context:
    """Return the signing context of the keys of a session that cannot be field names."""
    return (b"key", stored_id)


def _is_item(value: Tree) -> bool:
    return (
        type(value) is dict
        and value.get(tags.TAG) == tags.ITEM
        and type(pair := value.get(tags.VALUE)) is list
        and len(pair) == 2
    )


def _json_type(kind: type) -> str | None:
    for plain in (str, bool, int, float, dict, list, tuple):
        if issubclass(kind, plain):
            return plain.__name__
    return None


def _remedies(json_type: str | None) -> str:
    json_remedy = f", set data_serializer to json to store it as {json_type}," if json_type else ""
    return (
        f"Store plain values (text, numbers, lists, dicts …) instead{json_remedy} or set "
        "store.pickle to true, and store.signingKey, to store it as a pickle."
    )


def _unreadable(path: str, reason: str) -> SerializationError:
    return SerializationError(
        f"{path} of the stored document cannot be read: {reason}.", path=path, hint=KEPT
    )
