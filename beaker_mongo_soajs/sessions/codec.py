"""Session dict ⇄ native document or JSON text.

A session may hold more types than BSON or JSON know. What the form holds natively stays native, so
that a person in a Mongo shell reads it and a Node application shares it; the rest becomes a tagged
sub-document (:mod:`beaker_mongo_soajs.sessions.tags`). Nothing here runs code that the data names,
unless ``store.pickle`` says that pickled values are wanted.
"""

import datetime
import json
import math
import re
from collections.abc import Callable
from typing import Any

from bson.binary import Binary

from beaker_mongo_soajs.exceptions import KEPT, SerializationError
from beaker_mongo_soajs.sessions import tags
from beaker_mongo_soajs.sessions.tags import Tree
from beaker_mongo_soajs.signature import Signer

ITEM_PREFIX = "__key__"
"""The fields of top-level keys that no field can be named after start with this."""

_MARKS = (tags.TAG.encode(), ITEM_PREFIX.encode())
# A JSON text of others may spell any letter of our names so. No writer needs to.
_ESCAPED_ASCII = re.compile(r"\\u00[2-7]")
_JSON_SAFE_INTEGER = 2**53 - 1


class _Unstorable(Exception):
    """A value that the form cannot hold; the walk notes its way back here while it unwinds."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.steps: list[str] = []


def is_plain(raw: bytes) -> bool:
    """Tell whether a document shows no sign of anything tagged: its tree is then the session.

    If that is a JSON text, it must not :func:`escape what needs no escape <has_escapes>` either.

    A search in bytes costs far less than a walk through the tree. It may err on the side of a
    needless walk, never on the other.

    :param raw: the document as BSON.
    """
    return not any(mark in raw for mark in _MARKS)


def has_escapes(text: str) -> bool:
    """Tell whether a JSON text may spell names of ours with an escape, as we never do.

    :param text: the text.
    """
    return _ESCAPED_ASCII.search(text) is not None


class Codec:
    """Turn a session dict into a tree of one form's own types, and back.

    ``place`` is, in every method, the stored session id as bytes: pickled values are signed for it.

    :param pickled: ``store.pickle``: pickle the values that the form cannot hold.
    :param signer: signs and checks pickled values; ``None`` without ``store.signingKey``.
    """

    _scalars: frozenset[type] = frozenset({bool, type(None)})

    def __init__(self, *, pickled: bool = False, signer: Signer | None = None) -> None:
        self._pickled = pickled
        self._signer = signer
        self._walks: dict[type, Callable[[Any, bytes], Tree]] = {
            str: self._encode_str,
            int: self._encode_int,
            dict: self._encode_dict,
            list: self._encode_list,
            tuple: self._encode_tuple,
            set: self._encode_set,
            frozenset: self._encode_set,
        }

    def encode(self, session: dict[Any, Any], place: bytes) -> dict[str, Tree]:
        """Return the tree of a whole session.

        :param session: the session.
        :raises SerializationError: for a value that the form cannot hold, naming its path.
        """
        return dict(self.encode_item(key, value, place) for key, value in session.items())

    def encode_item(self, key: object, value: object, place: bytes) -> tuple[str, Tree]:
        """Return field name and tree of one top-level entry of a session.

        :param key: the entry's key.
        :param value: the entry's value.
        :raises SerializationError: for a value that the form cannot hold, naming its path.
        """
        try:
            name = self.field_name(key, place)
            tree = self._encode_step(key, value, _field_place(place, name))
            if name != key:
                tree = tags.tagged(tags.ITEM, [self._encode(key, place), tree])
        except _Unstorable as error:
            path = "session" + "".join(reversed(error.steps))
            raise SerializationError(
                f"{path} {error}.",
                path=path,
                hint="Store plain values (text, numbers, lists, dicts …) in its place, or set "
                "store.pickle to true to keep it as a pickle.",
            ) from None
        except RecursionError:
            raise SerializationError(
                f"session{_step(key)} refers to itself or nests too deeply.",
                path=f"session{_step(key)}",
                hint="Store a flatter value.",
            ) from None
        return name, tree

    def field_name(self, key: object, place: bytes) -> str:
        """Return the name of the field that holds a top-level key: the key itself if possible.

        Other keys (not text, or text that no field can be named) get a name made from a digest of
        the key, so that each still has a field, and with it an update path, of its own.

        :param key: the key.
        """
        if type(key) is str and self._is_plain_key(key) and not key.startswith(ITEM_PREFIX):
            return key
        return ITEM_PREFIX + tags.digest(self._encode(key, place))

    def decode(self, tree: dict[str, Tree], place: bytes) -> dict[Any, Any]:
        """Return the session that a stored tree stands for.

        A sub-document that only looks like a tagged one (another application's data) is left as it
        is.

        :param tree: the tree, as the driver or the JSON reader gave it.
        :raises SerializationError: where a tagged value is damaged, or pickled without
            ``store.pickle``.
        """
        session: dict[Any, Any] = {}
        for name, value in tree.items():
            try:
                key, item = name, value
                if name.startswith(ITEM_PREFIX) and _is_item(value):
                    stored_key, item = value[tags.VALUE]
                    key = self._decode(stored_key, place)
                session[key] = self._decode(item, _field_place(place, name))
            except (tags.DamagedValueError, TypeError, RecursionError) as error:
                reason = str(error) if isinstance(error, ValueError) else type(error).__name__
                raise SerializationError(
                    f"session{_step(name)} cannot be read: {reason}.",
                    path=f"session{_step(name)}",
                    hint=KEPT,
                ) from None
        return session

    def _encode(self, value: Any, place: bytes) -> Tree:
        kind = type(value)
        if kind in self._scalars:
            return value
        walk = self._walks.get(kind)
        if walk is not None:
            return walk(value, place)
        return self._encode_other(value, place)

    def _encode_other(self, value: Any, place: bytes) -> Tree:
        tagged = tags.encode_scalar(value)
        if tagged is not None:
            return tagged
        if not self._pickled:
            kind = type(value)
            raise _Unstorable(
                f"is a {kind.__module__}.{kind.__qualname__}, which no document holds"
            )
        try:
            payload = tags.dump_pickle(value)
        except tags.DamagedValueError as error:
            raise _Unstorable(error.reason) from None
        tagged = tags.tagged(tags.PICKLE, self._encode(payload, place))
        if self._signer is not None:
            tagged[tags.SIGNATURE] = self._encode(self._signer.sign(place, payload), place)
        return tagged

    def _encode_step(self, step: object, value: Any, place: bytes) -> Tree:
        try:
            return self._encode(value, place)
        except _Unstorable as error:
            error.steps.append(_step(step))
            raise

    def _encode_dict(self, value: dict[Any, Any], place: bytes) -> Tree:
        if all(type(key) is str and self._is_plain_key(key) for key in value):
            return {key: self._encode_step(key, item, place) for key, item in value.items()}
        pairs = [
            [self._encode_step(key, key, place), self._encode_step(key, item, place)]
            for key, item in value.items()
        ]
        return tags.tagged(tags.DICT, pairs)

    def _encode_list(self, value: Any, place: bytes) -> list[Tree]:
        return [self._encode_step(index, item, place) for index, item in enumerate(value)]

    def _encode_tuple(self, value: tuple[Any, ...], place: bytes) -> Tree:
        return tags.tagged("tuple", self._encode_list(value, place))

    def _encode_set(self, value: Any, place: bytes) -> Tree:
        # The order of a set differs between processes, and the same set has to be stored the same
        # way.
        trees = sorted(self._encode_list(value, place), key=tags.sort_key)
        return tags.tagged(type(value).__name__, trees)

    def _encode_str(self, value: str, place: bytes) -> Tree:
        if value.isascii() or tags.is_utf8(value):
            return value
        return tags.tagged("str", self._encode(value.encode("utf-8", "surrogatepass"), place))

    def _encode_int(self, value: int, _place: bytes) -> Tree:
        return value if -(2**63) <= value < 2**63 else tags.tag_int(value)

    def _is_plain_key(self, key: str) -> bool:
        if key == tags.TAG or key[:1] == "$" or "\0" in key:
            return False
        return key.isascii() or tags.is_utf8(key)

    def _decode(self, value: Tree, place: bytes) -> Any:
        kind = type(value)
        if kind is dict:
            if tags.TAG in value:
                return self._decode_tagged(value, place)
            return {key: self._decode(item, place) for key, item in value.items()}
        if kind is list:
            return [self._decode(item, place) for item in value]
        return value

    def _decode_tagged(self, value: dict[str, Tree], place: bytes) -> Any:
        if tags.is_tagged(value):
            return tags.decode(value[tags.TAG], self._decode(value[tags.VALUE], place))
        if value[tags.TAG] == tags.PICKLE and tags.VALUE in value:
            return self._decode_pickle(value, place)
        return {key: self._decode(item, place) for key, item in value.items()}

    def _decode_pickle(self, value: dict[str, Tree], place: bytes) -> Any:
        if not self._pickled:
            raise tags.DamagedValueError(
                tags.PICKLE, "pickles from the database are not loaded unless store.pickle is true"
            )
        payload = self._decode(value[tags.VALUE], place)
        if type(payload) is not bytes:
            raise tags.DamagedValueError(tags.PICKLE, "it holds no bytes")
        if self._signer is not None:
            signature = self._decode(value.get(tags.SIGNATURE), place)
            if not self._signer.verifies(signature, place, payload):
                raise tags.DamagedValueError(
                    tags.PICKLE, "the signature does not match store.signingKey"
                )
        return tags.load_pickle(payload)


class NativeCodec(Codec):
    """The form of ``stringify: false``: a sub-document of BSON's own types."""

    _scalars = frozenset[type]({bool, type(None), float, bytes}) | (tags.BSON_SCALARS - {Binary})

    def __init__(self, *, pickled: bool = False, signer: Signer | None = None) -> None:
        super().__init__(pickled=pickled, signer=signer)
        self._walks[datetime.datetime] = self._encode_datetime
        self._walks[Binary] = self._encode_binary

    def _encode_datetime(self, value: datetime.datetime, place: bytes) -> Tree:
        if value.tzinfo is None and value.microsecond % 1000 == 0 and not value.fold:
            return value
        return self._encode_other(value, place)

    def _encode_binary(self, value: Binary, place: bytes) -> Tree:
        # The driver hands Binary of subtype 0 back as bytes.
        return value if value.subtype != 0 else self._encode_other(value, place)


class JsonCodec(Codec):
    """The form of ``stringify: true``: a JSON text that Node's ``JSON.parse`` accepts."""

    def __init__(self, *, pickled: bool = False, signer: Signer | None = None) -> None:
        super().__init__(pickled=pickled, signer=signer)
        self._walks[float] = self._encode_float
        self._walks[bytes] = self._encode_bytes
        self._walks.update(dict.fromkeys(tags.BSON_SCALARS, self._encode_bson))

    def dumps(self, tree: dict[str, Tree]) -> str:
        """Return the JSON text of an encoded session."""
        text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
        if tags.is_utf8(text):
            return text
        # Another application stored lone surrogates, which only an escape can hold.
        return json.dumps(tree, separators=(",", ":"))

    def loads(self, text: str) -> dict[str, Tree]:
        """Return the tree of a stored JSON text.

        :raises SerializationError: when it is not the text of a JSON object.
        """
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            tree = None
        if type(tree) is not dict:
            raise SerializationError(
                "The stored session is a text that holds no JSON object.",
                path="session",
                hint=KEPT,
            )
        return tree

    def _encode_int(self, value: int, _place: bytes) -> Tree:
        # Beyond 2^53 a Node application that writes the text again would change the number.
        return value if abs(value) <= _JSON_SAFE_INTEGER else tags.tag_int(value)

    def _encode_float(self, value: float, _place: bytes) -> Tree:
        return value if math.isfinite(value) else tags.tag_float(value)

    def _encode_bytes(self, value: bytes, _place: bytes) -> Tree:
        return tags.tag_bytes(value)

    def _encode_bson(self, value: Any, place: bytes) -> Tree:
        if type(value) is Binary and value.subtype == 0:
            return self._encode_other(value, place)
        return tags.tag_bson(value)

    def _is_plain_key(self, key: str) -> bool:
        return key != tags.TAG and (key.isascii() or tags.is_utf8(key))


def _field_place(place: bytes, name: str) -> bytes:
    """Return where a field's value is, so that a signed pickle is good in its own field alone."""
    return b"session " + place + b" " + name.encode("utf-8", "surrogatepass")


def _is_item(value: Tree) -> bool:
    return (
        type(value) is dict
        and value.get(tags.TAG) == tags.ITEM
        and type(pair := value.get(tags.VALUE)) is list
        and len(pair) == 2
    )


def _step(key: object) -> str:
    """Return the subscript of a key in a path, shortened where it is long."""
    try:
        text = repr(key)
    except ValueError:
        text = f"a long {type(key).__name__}"
    return f"[{text}]" if len(text) <= 60 else f"[{text[:57]}…]"
