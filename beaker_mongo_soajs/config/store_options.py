"""The options of ``store``, which are this package's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.config.node_crypto import NodeCrypto
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.option import Path
from beaker_mongo_soajs.options.table import TABLE

BEAKER_MARGIN_SECONDS = 120
"""Beaker adds this to a session's timeout before it passes the timeout to a backend."""


@dataclass(frozen=True)
class StoreOptions:
    """Hold the options of ``store``.

    :param touch_after: seconds between two writes of the times of an unchanged session, at least
    :param auto_remove: how expired sessions are removed
    :param auto_remove_interval_minutes: minutes between two removals, for ``interval``
    :param pickle: whether values that a document cannot hold are stored pickled
    :param signing_keys: the keys of pickled payloads and ciphertext: the first signs, all verify
    :param transform_id: the digest that is stored instead of the session id
    :param data_serializer: the ``data_serializer`` of documents that do not name one
    :param express_cookie: whether to write the ``session.cookie`` of express-session
    :param timestamps: whether documents have the dates of their creation and last write
    :param max_lifetime_seconds: seconds after its creation at which any session ends
    :param lock_lease_seconds: seconds after which the lock of a crashed process is released
    :param on_unavailable: how a request is answered during an outage
    :param create_indexes: whether missing indexes are made
    :param log_commands: whether PyMongo's debug log shows session ids and data
    :param user_key: the key of a session that holds its user
    :param user_key_given: whether it was configured, so that it is indexed
    :param indexes: fields to index in addition to the TTL index
    :param migrate_from: the old backend that sessions are moved from
    :param node_crypto: how connect-mongo encrypts the sessions
    """

    touch_after: float | None = None
    auto_remove: Literal["native", "interval", "disabled"] = "native"
    auto_remove_interval_minutes: float = 10
    pickle: bool = False
    signing_keys: tuple[bytes, ...] = field(default=(), repr=False)
    transform_id: Literal["sha256"] | None = None
    data_serializer: Literal["pickle", "json"] = "pickle"
    express_cookie: bool = False
    timestamps: bool = False
    max_lifetime_seconds: float | None = None
    lock_lease_seconds: float = 30
    on_unavailable: Literal["raise", "anonymous", "create"] = "raise"
    create_indexes: bool = True
    log_commands: bool = False
    user_key: str = "user"
    user_key_given: bool = False
    indexes: tuple[str, ...] = ()
    migrate_from: MigrateFrom | None = None
    node_crypto: NodeCrypto | None = None

    def touch_after_seconds(self, lifetime_seconds: float) -> float:
        """Return ``touchAfter``, or its default: a sixtieth of the idle time, at most a minute.

        :param lifetime_seconds: the lifetime of an untouched session: a timeout with Beaker's
            margin, or ``expireAfter``
        """
        if self.touch_after is not None:
            return self.touch_after
        idle_seconds = max(lifetime_seconds - BEAKER_MARGIN_SECONDS, 0)
        return min(idle_seconds / 60, 60.0)

    def check_touch_after(self, lifetime_seconds: float) -> None:
        """Refuse a ``touchAfter`` that is not shorter than the lifetime of a session.

        :param lifetime_seconds: the timeout of a session, or its lifetime without a timeout
        :raises ConfigError: ``touchAfter`` is not shorter
        """
        if self.touch_after and self.touch_after >= lifetime_seconds:
            raise ConfigError(
                f"store.touchAfter is {self.touch_after:g} seconds, but a session ends after"
                f" {lifetime_seconds:g} seconds.",
                option="store.touchAfter",
                value=self.touch_after,
                hint="Set it to a smaller number than the session timeout, or to 0.",
            )

    @classmethod
    def from_values(cls, values: Mapping[Path, Any]) -> StoreOptions:
        """Take the options of ``store`` from all options.

        :param values: the given options, each as its kind reads it
        :returns: the options, with the defaults of the table
        """

        def get(name: str) -> Any:
            path = ("store", name)
            return values.get(path, TABLE[path].default)

        return cls(
            touch_after=get("touchAfter"),
            auto_remove=get("autoRemove"),
            auto_remove_interval_minutes=get("autoRemoveInterval"),
            pickle=get("pickle"),
            signing_keys=get("signingKey") or (),
            transform_id=get("transformId"),
            data_serializer=get("dataSerializer"),
            express_cookie=get("expressCookie"),
            timestamps=get("timestamps"),
            max_lifetime_seconds=get("maxLifetime"),
            lock_lease_seconds=get("lockLease"),
            on_unavailable=get("onUnavailable"),
            create_indexes=get("createIndexes"),
            log_commands=get("logCommands"),
            user_key=get("userKey"),
            user_key_given=("store", "userKey") in values,
            indexes=get("indexes"),
            migrate_from=MigrateFrom.from_values(values),
            node_crypto=NodeCrypto.from_values(values),
        )
