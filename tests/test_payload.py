"""What Beaker passes to a backend in place of a session."""

import base64
import pickle
import zlib

import pytest
from beaker.util import JsonSerializer, PickleSerializer

from beaker_mongo_soajs import SerializationError
from beaker_mongo_soajs.backend.payload import pack, through_pickle, unpack
from beaker_mongo_soajs.sessions.serializer import Serializer

_SERIALIZERS: dict[Serializer, PickleSerializer | JsonSerializer] = {
    "json": JsonSerializer(),
    "pickle": PickleSerializer(),
}


class _Text(str):
    """A text that pickles as a plain one."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return str, (str(self),)


class _Broken:
    """An object that pickles, but cannot be loaded again."""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return int, ("no number",)


@pytest.mark.parametrize("serializer", _SERIALIZERS)
def test_payload_is_that_of_beaker(serializer: Serializer) -> None:
    """A payload is what Beaker's serializer makes, and is recognized by its form."""
    payload = pack({"user": "ann"}, serializer)
    beaker = _SERIALIZERS[serializer]
    assert {"user": "ann"} == beaker.loads(base64.b64decode(payload))
    assert ({"user": "ann"}, serializer) == unpack(payload)
    assert ({"n": 1}, serializer) == unpack(base64.b64encode(beaker.dumps({"n": 1})).decode())


@pytest.mark.parametrize(
    "data",
    [
        b"ciphertext",
        b"\x80",
        b"x, as zlib's data begins",
        zlib.compress(b"no JSON"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b"[1]"),
        pickle.dumps([1], 2),
        pickle.dumps({"n": 1}, 2)[:-1],
    ],
)
def test_other_texts(data: bytes) -> None:
    """A text that holds no serialized dict is none of Beaker's payloads."""
    assert unpack(base64.b64encode(data).decode()) is None
    assert unpack("no base64: é") is None


def test_through_pickle() -> None:
    """An object that pickles as a plain value becomes that value."""
    made = through_pickle({"text": _Text("a"), "list": [_Text("b")]})
    assert {"text": "a", "list": ["b"]} == made
    assert {str} == {type(made["text"]), type(made["list"][0])}


@pytest.mark.parametrize(
    ("value", "participle"), [(lambda: None, "pickled"), (_Broken(), "unpickled")]
)
def test_object_without_a_pickle(value: object, participle: str) -> None:
    """An object that cannot be pickled and loaded again is refused, without its content."""
    with pytest.raises(SerializationError, match=f"cannot be {participle}") as caught:
        through_pickle({"key": value})
    assert "session" == caught.value.path
    assert caught.value.__suppress_context__
