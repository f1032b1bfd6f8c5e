"""The native form of sessions that Node writes as well."""

from beaker_mongo_soajs.sessions import scalars
from beaker_mongo_soajs.sessions.changes import ACCESSED_TIME
from beaker_mongo_soajs.sessions.codec import NativeCodec, Reading
from beaker_mongo_soajs.sessions.lifetime import CREATION_TIME
from beaker_mongo_soajs.sessions.tags import Tree
from beaker_mongo_soajs.signature import Context, Signer

_TIMES = (ACCESSED_TIME, CREATION_TIME)
_MISREAD = frozenset({"__proto__", "_bsontype"})
"""Names of fields by which drivers of Node change the object that has them."""

_LEAST = 2**31
_MOST = 2**53
"""JavaScript has no exact integers beyond."""


class SharedNativeCodec(NativeCodec):
    """Codec of the native form with ``store.expressCookie``.

    Node stores a whole number beyond 32 bits, such as ``Date.now()``, as a double. Python's own
    floats of that kind are tagged, so that all others are the integers of Node.

    The driver of connect-mongo-soajs makes the value of a field ``__proto__`` the prototype of the
    object, which then seems to have all keys in it. All drivers take an object with a key
    ``_bsontype`` for a BSON value, and store that instead. So no field gets these names.
    """

    def __init__(self, *, pickled: bool = False, signer: Signer | None = None) -> None:
        super().__init__(pickled=pickled, signer=signer)
        self._scalars = self._scalars - {float}
        self._encoders[float] = self._encode_float

    def encode_item(self, key: object, value: object, stored_id: bytes) -> tuple[str, Tree]:
        """Return the field name and the tree of one key; the server compares Beaker's times."""
        if type(value) is float and key in _TIMES:
            return str(key), value
        return super().encode_item(key, value, stored_id)

    def _is_plain_key(self, key: str) -> bool:
        return key not in _MISREAD and super()._is_plain_key(key)

    def _encode_float(self, value: float, _context: Context) -> Tree:
        return scalars.tag_float(value) if _is_large_and_whole(value) else value

    def _decode(self, value: Tree, reading: Reading) -> Tree:
        if type(value) is float and _is_large_and_whole(value):
            return int(value)
        return super()._decode(value, reading)


def _is_large_and_whole(value: float) -> bool:
    return _LEAST <= abs(value) <= _MOST and value.is_integer()
