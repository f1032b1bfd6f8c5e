"""Tagged sub-documents, which store values of types that BSON or JSON does not have.

A tagged value is ``{"__type__": "<tag>", "value": …}``. The field is not named ``$type`` because
MongoDB before 5.0 rejects such names in updates.
"""

import hashlib
import pickle
from typing import Any

import bson

Tree = Any
"""An encoded value: dicts with text keys, lists, and the scalars of the storage form."""

TAG = "__type__"
VALUE = "value"
SIGNATURE = "signature"

DICT = "dict"
ITEM = "item"
PICKLE = "pickle"

_PICKLE_PROTOCOL = 4


class DamagedValueError(ValueError):
    """Signal a tagged value that cannot be decoded.

    :param tag: the tag.
    :param reason: what is wrong; never quotes the value.
    """

    def __init__(self, tag: str, reason: str) -> None:
        super().__init__(f"its {TAG} is {tag!r}, but {reason}")


class UnstorableValueError(ValueError):
    """Signal a value that cannot be stored.

    :param problem: what is wrong, as the predicate of a sentence: "is a generator".
    :param json_type: the name of the plain type that JSON makes of the value, if it makes one.
    """

    def __init__(self, problem: str, json_type: str | None = None) -> None:
        super().__init__(problem)
        self.json_type = json_type
        self.steps: list[str] = []
        """The path of the value, innermost step first."""


def tagged(tag: str, value: Tree) -> dict[str, Tree]:
    """Return the tagged sub-document of a value."""
    return {TAG: tag, VALUE: value}


def dump_pickle(value: object) -> bytes:
    """Return the pickle of a value.

    :raises UnstorableValueError: if the value cannot be pickled.
    """
    try:
        return pickle.dumps(value, _PICKLE_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - runs code of the application's classes
        raise UnstorableValueError(f"cannot be pickled ({type(error).__name__})") from None


def load_pickle(payload: bytes) -> object:
    """Return the value of a pickle that the caller has decided to trust.

    :raises DamagedValueError: if it cannot be loaded.
    """
    try:
        return pickle.loads(payload)  # noqa: S301 - store.pickle asks for it
    except Exception as error:  # noqa: BLE001 - runs code of the application's classes
        raise DamagedValueError(
            PICKLE, f"the pickle cannot be loaded ({type(error).__name__})"
        ) from None


def sort_key(tree: Tree) -> bytes:
    """Return bytes that sort trees in the same order in every process."""
    return bson.encode({"": tree})


def digest(tree: Tree) -> str:
    """Return a digest of a tree: 32 hexadecimal digits."""
    return hashlib.sha256(sort_key(tree)).hexdigest()[:32]


def is_utf8(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8: one with lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
