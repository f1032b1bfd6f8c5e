"""Documents as Python sees them, one definition for sessions, caches and locks."""

from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument

Document = dict[str, Any]


class _Int64Decoder(TypeDecoder):
    """Decode 64-bit integers to ``int``: ``bson.Int64`` is a type of its own."""

    bson_type = Int64

    def transform_bson(self, value: int) -> int:
        """Return the number as an ``int``.

        :param value: what was decoded.
        """
        return int(value)


# Dates are naive UTC, as users of Beaker expect. A date outside Python's years becomes the nearest
# one that Python has.
CODEC_OPTIONS: CodecOptions[Document] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_CLAMP,
    type_registry=TypeRegistry([_Int64Decoder()]),
)

# Types that another program may have stored stay as they are, so that the document can be encoded
# again without a loss.
EXACT_OPTIONS: CodecOptions[Document] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS
)

RAW_OPTIONS: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


def utc_now() -> datetime:
    """Return the current time as PyMongo decodes dates: in UTC, without a time zone."""
    return datetime.now(UTC).replace(tzinfo=None)
