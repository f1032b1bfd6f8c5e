"""A cached value as it is stored, and when it expires."""

from datetime import datetime
from typing import Any, NamedTuple

from beaker_mongo_soajs.mongo.documents import Document, utc_now


class Entry(NamedTuple):
    """A cached value as it is stored.

    :param payload: the pickled value.
    :param signature: its signature, if there is one.
    :param version: the version, which differs for each value that is set.
    :param fresh_until: when the value expires; ``None`` for never.
    :param expires: when the document is removed; ``None`` for never.
    """

    payload: Any
    signature: Any
    version: Any
    fresh_until: datetime | None
    expires: datetime | None

    def __repr__(self) -> str:
        # Cached values must not appear in logs and error pages.
        return f"<{type(self).__name__}>"

    @property
    def is_fresh(self) -> bool:
        """Tell whether the value has not expired."""
        return self.is_there and (self.fresh_until is None or self.fresh_until > utc_now())

    @property
    def is_there(self) -> bool:
        """Tell whether the value can be returned, at least until there is a newer one."""
        return self.expires is None or self.expires > utc_now()


def read_entry(document: Document) -> Entry | None:
    """Return the entry that a document holds; ``None`` if it holds only a lease.

    :param document: the document, with any content: others may have written it.
    """
    if "value" not in document:
        return None
    dates = (document.get(name) for name in ("fresh_until", "expires"))
    fresh_until, expires = (date if isinstance(date, datetime) else None for date in dates)
    return Entry(
        document["value"],
        document.get("signature"),
        document.get("version"),
        fresh_until,
        expires,
    )
