"""Documents as lines of MongoDB's extended JSON, exactly as they are stored."""

import bson
from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions

from beaker_mongo_soajs.mongo.documents import EXACT_OPTIONS

_JSON: JSONOptions = JSONOptions(
    json_mode=JSONMode.CANONICAL,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)

# What PyMongo raises for values that it did not write.
_DAMAGES = (
    *(BSONError, ValueError, TypeError, KeyError, AttributeError),
    *(ArithmeticError, RecursionError),
)


class DamagedLineError(ValueError):
    """Signal a line that holds no document."""


def dump_line(raw: bytes) -> bytes:
    """Return the line of a document, with its end.

    :param raw: the document as BSON.
    :raises DamagedLineError: extended JSON cannot hold the document.
    """
    try:
        document = bson.decode(raw, EXACT_OPTIONS)
        text = json_util.dumps(document, json_options=_JSON, separators=(",", ":"))
    except BSONError as error:
        raise DamagedLineError(type(error).__name__) from None
    line = text.encode() + b"\n"
    # Names with a dollar sign have a meaning of their own in extended JSON.
    if b"$" in raw and load_line(line) != raw:
        raise DamagedLineError("names with a dollar sign")
    return line


def load_line(line: bytes) -> bytes:
    """Return the document of a line as BSON.

    :param line: the line.
    :raises DamagedLineError: it holds no document.
    """
    try:
        document = json_util.loads(line.decode(), json_options=_JSON)
        return bson.encode(document)
    except _DAMAGES as error:
        raise DamagedLineError(type(error).__name__) from None
