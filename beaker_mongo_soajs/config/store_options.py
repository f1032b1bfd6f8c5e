"""The options of ``store``, this package's own, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from beaker_mongo_soajs.options.option import Path
from beaker_mongo_soajs.options.table import TABLE


@dataclass(frozen=True)
class StoreOptions:
    """Hold the options of ``store``.

    :param touch_after: seconds; an unchanged session's times are written at most this often
    :param auto_remove: who removes expired sessions
    :param auto_remove_interval_minutes: minutes between two removals, for ``interval``
    :param pickle: whether values that no document can hold are stored pickled
    :param signing_key: signs every pickled payload
    :param transform_id: the digest that stands for the session id in the database
    :param data_serializer: what Beaker's Session expects where a document does not say
    :param express_cookie: whether to write the ``session.cookie`` of express-session
    :param lock_lease_seconds: how long a lock outlives its owner
    :param on_unavailable: what a session is while the database is away
    :param indexes: fields to index besides the TTL index
    """

    touch_after: float = 0
    auto_remove: Literal["native", "interval", "disabled"] = "native"
    auto_remove_interval_minutes: float = 10
    pickle: bool = False
    signing_key: bytes | None = field(default=None, repr=False)
    transform_id: Literal["sha256"] | None = None
    data_serializer: Literal["pickle", "json"] = "pickle"
    express_cookie: bool = False
    lock_lease_seconds: float = 30
    on_unavailable: Literal["raise", "anonymous"] = "raise"
    indexes: tuple[str, ...] = ()

    @classmethod
    def from_values(cls, values: Mapping[Path, Any]) -> StoreOptions:
        """Take the options of ``store`` out of all options.

        :param values: the options given, each as its kind read it
        :returns: the options, with the table's defaults where none was given
        """

        def get(name: str) -> Any:
            path = ("store", name)
            return values.get(path, TABLE[path].default)

        return cls(
            touch_after=get("touchAfter"),
            auto_remove=get("autoRemove"),
            auto_remove_interval_minutes=get("autoRemoveInterval"),
            pickle=get("pickle"),
            signing_key=get("signingKey"),
            transform_id=get("transformId"),
            data_serializer=get("dataSerializer"),
            express_cookie=get("expressCookie"),
            lock_lease_seconds=get("lockLease"),
            on_unavailable=get("onUnavailable"),
            indexes=get("indexes"),
        )
