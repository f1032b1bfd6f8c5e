"""The whole configuration as one value: :class:`DbConfig`."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import unquote_plus

from pymongo import MongoClient

from beaker_mongo_soajs.config.beaker_options import Usage
from beaker_mongo_soajs.config.connection_string import build_host
from beaker_mongo_soajs.config.credentials import Credentials
from beaker_mongo_soajs.config.endpoint import Endpoint
from beaker_mongo_soajs.config.errors import combine_errors
from beaker_mongo_soajs.config.given_options import GivenOptions, add_url_options, gather
from beaker_mongo_soajs.config.keyword_checks import EXTERNAL
from beaker_mongo_soajs.config.names import check_collection, check_database
from beaker_mongo_soajs.config.outcome import Outcome
from beaker_mongo_soajs.config.report import default_outcomes, given_outcomes, write_refusal
from beaker_mongo_soajs.config.store_options import StoreOptions
from beaker_mongo_soajs.config.translation import translate
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.frozen import FrozenDict
from beaker_mongo_soajs.options.option import Path
from beaker_mongo_soajs.options.servers import Address
from beaker_mongo_soajs.options.table import TABLE


@dataclass(frozen=True, init=False)
class DbConfig:
    """Hold a dbConfig: where sessions are stored, and how.

    Use :meth:`from_options` to create one. Two configurations are equal if they mean the same,
    whichever form they were written in. The ``repr`` shows no secret.

    :param name: name of the database without the prefix
    :param prefix: first part of the database's name
    :param database: name of the database: prefix + name
    :param servers: host and port of each server; a socket has a path and no port; empty with
        ``client``
    :param credentials: the user's name and password, or ``None``
    :param url: the connection string as given
    :param client: the caller's own client, used unchanged
    :param client_id: identity of that client; clients for the same servers compare equal
    :param host: the servers as a connection string without secrets
    :param url_param: the options of ``URLParam``, those of ``url`` included
    :param extra_param: the options of ``extraParam``: one mapping for each group that has any
    :param store: this package's own options
    :param collection: name of the collection
    :param collection_given: whether the name was configured
    :param stringify: whether a session is stored as JSON text
    :param expire_after_ms: lifetime of a session without a timeout, in milliseconds
    :param keywords: keyword arguments for ``MongoClient``, without ``host`` and credentials;
        certificates and keys are text or paths
    :param origins: the name of the option behind each keyword
    :param leftovers: the outcomes of options that are not in the table and have no effect
    :param has_servers: whether ``servers``, ``url`` or ``client`` was given
    :param has_expire_after: whether ``expireAfter`` was given
    :param outcomes: the effect of each given option
    :param default_outcomes: the effect of each default
    """

    name: str
    prefix: str
    database: str
    servers: tuple[Address, ...]
    credentials: Credentials | None
    url: str | None = field(repr=False)
    client: MongoClient[Any] | None = field(repr=False, compare=False)
    client_id: int | None = field(repr=False)
    host: str = field(repr=False)
    url_param: FrozenDict
    extra_param: FrozenDict
    store: StoreOptions
    collection: str
    collection_given: bool
    stringify: bool
    expire_after_ms: int
    keywords: FrozenDict = field(repr=False)
    origins: FrozenDict = field(repr=False)
    leftovers: tuple[Outcome, ...] = field(repr=False, compare=False)
    has_servers: bool = field(repr=False, compare=False)
    has_expire_after: bool = field(repr=False, compare=False)
    outcomes: tuple[Outcome, ...] = field(repr=False, compare=False)
    default_outcomes: tuple[Outcome, ...] = field(repr=False, compare=False)

    def __init__(self, *args: object, **values: object) -> None:
        if args or values.keys() != {each.name for each in fields(self)}:
            raise TypeError("Use DbConfig.from_options({...}) to create a DbConfig.")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_options(
        cls, options: Mapping[str, object] | str, usage: Usage | None = None
    ) -> DbConfig:
        """Read a configuration.

        No connection is opened. The only file that is read is the one that ``dbConfig`` may name.

        :param options: the options without Beaker's prefix, as Beaker passes them to a
            ``NamespaceManager``; Beaker's own options among them are skipped. Text is a ``url``.
        :param usage: ``"session"`` or ``"cache"`` to refuse Beaker's options of the other one
        :returns: the configuration
        :raises ConfigError: options are unknown, invalid, or contradict each other; its ``errors``
            are all errors of the configuration
        """
        config, errors = cls._read(options, usage)
        if errors:
            raise combine_errors(errors)
        return config

    @classmethod
    def explain_options(
        cls,
        options: Mapping[str, object] | str,
        defaults: bool = False,
        usage: Usage | None = None,
    ) -> str:
        """Describe the effect of each option, refused options included.

        :param options: as for :meth:`from_options`
        :param defaults: as for :meth:`explain`
        :param usage: as for :meth:`from_options`
        :returns: the lines of :meth:`explain` for the accepted options, then one line for each
            refused option
        """
        config, errors = cls._read(options, usage)
        report = config.explain(defaults)
        if not errors:
            return report
        # The first line would describe a configuration that cannot be used.
        return "\n".join([*report.splitlines()[1:], *map(write_refusal, errors)])

    @classmethod
    def read_usable(
        cls, options: Mapping[str, object] | str, usage: Usage | None = None
    ) -> tuple[DbConfig, tuple[ConfigError, ...]]:
        """Read the options that can be used, for a report about all of them.

        :param options: as for :meth:`from_options`
        :param usage: as for :meth:`from_options`
        :returns: a configuration of the accepted options, and an error for each refused option
        """
        config, errors = cls._read(options, usage)
        return config, tuple(errors)

    @classmethod
    def _read(
        cls, options: Mapping[str, object] | str, usage: Usage | None
    ) -> tuple[DbConfig, list[ConfigError]]:
        """Read the options that can be used, and collect an error for each of the others."""
        errors: list[ConfigError] = []
        given = gather(
            {"url": options} if isinstance(options, str) else options, errors.append, usage
        )
        while True:
            try:
                return cls._from_given(given, usage), errors
            except ConfigError as error:
                # An option that was left out already may be what another one needs.
                if error.option is None or error.option not in {each.option for each in errors}:
                    errors.append(error)
                given = given.without(str(error.option))

    @classmethod
    def _from_given(cls, given: GivenOptions, usage: Usage | None) -> DbConfig:
        endpoint = Endpoint.from_values(given.values)
        given = add_url_options(given, endpoint.url_options)
        values = given.values
        translation = translate(values, len(endpoint.servers), endpoint.srv, endpoint.credentials)
        prefix: str = _get(values, "prefix")
        database = _name_database(endpoint, prefix)
        config = cls(
            name=endpoint.name,
            prefix=prefix,
            database=database,
            servers=endpoint.servers,
            credentials=endpoint.credentials,
            url=endpoint.url,
            client=endpoint.client,
            client_id=None if endpoint.client is None else id(endpoint.client),
            host=_build_host(endpoint, database),
            url_param=_group(values, "URLParam"),
            extra_param=_group(values, "extraParam"),
            store=StoreOptions.from_values(values),
            collection=check_collection(_get(values, "collection"), database),
            collection_given=("collection",) in values,
            stringify=_get(values, "stringify"),
            expire_after_ms=_get(values, "expireAfter"),
            keywords=translation.keywords if endpoint.client is None else FrozenDict(),
            origins=translation.origins,
            leftovers=given.leftovers,
            has_servers=any((name,) in values for name in ("servers", "url", "client")),
            has_expire_after=("expireAfter",) in values,
            outcomes=given_outcomes(given, translation, usage),
            default_outcomes=default_outcomes(given, endpoint, translation),
        )
        _check_indexes(config)
        return config

    @property
    def expire_after_seconds(self) -> float:
        """The lifetime of a session without a timeout, in seconds."""
        return self.expire_after_ms / 1000

    @property
    def stores_text(self) -> bool:
        """Whether a session is stored as text, so that queries cannot reach into it."""
        return self.stringify or self.store.node_crypto is not None

    @property
    def auth_source(self) -> str | None:
        """The database in which the user is looked up; ``None`` without a user, or if unknown."""
        if self.credentials is None:
            return None
        if self.keywords.get("authMechanism") in EXTERNAL:
            return "$external"
        source: str | None = self.keywords.get("authSource")
        return source or unquote_plus(self.host.rpartition("/")[2]) or "admin"

    @property
    def index_fields(self) -> tuple[str, ...]:
        """The fields of sessions to index, in addition to the TTL index."""
        fields = self.store.indexes
        if self.store.user_key_given and not self.stores_text:
            fields += (f"session.{self.store.user_key}",)
        return tuple(dict.fromkeys(fields))

    @property
    def connection_key(self) -> Hashable:
        """A key that is equal for two configurations exactly if they can share one client."""
        if self.client is not None:
            return ("client", self.client_id)
        return (self.host, self.credentials, self.keywords)

    def explain(self, defaults: bool = False) -> str:
        """Describe the effect of each option.

        :param defaults: whether to list the defaults of the other options, too
        :returns: a line for the whole configuration, then a line for each option, without secrets
        """
        form = "JSON text" if self.stringify else "documents"
        if self.store.node_crypto is not None:
            form = "ciphertext of connect-mongo"
        lines = [f"{self.database}.{self.collection} on {self._describe_servers()}, as {form}"]
        lines += [str(outcome) for outcome in self.outcomes]
        if defaults:
            lines += [f"{outcome} (default)" for outcome in self.default_outcomes]
        return "\n".join(lines)

    def _describe_servers(self) -> str:
        if self.client is not None:
            return "the client given"
        return self.host.rpartition("/")[0]


def _get(values: Mapping[Path, Any], name: str) -> Any:
    return values.get((name,), TABLE[name,].default)


def _group(values: Mapping[Path, Any], name: str) -> FrozenDict:
    """Nest the options of a group as a dbConfig does."""
    group: dict[str, Any] = {}
    for path, value in values.items():
        if path[0] == name:
            parent = group
            for segment in path[1:-1]:
                parent = parent.setdefault(segment, {})
            parent[path[-1]] = value
    return FrozenDict(group)


def _name_database(endpoint: Endpoint, prefix: str) -> str:
    if endpoint.name:
        return check_database(prefix + endpoint.name)
    if endpoint.client is None and endpoint.url is None:
        return check_database("")
    source = "url" if endpoint.client is None else "client"
    raise ConfigError(
        f"No database is configured: {source} names none.",
        option="name",
        value="",
        hint="Set name to the name of the database.",
        code=190,
    )


def _build_host(endpoint: Endpoint, database: str) -> str:
    if endpoint.client is not None:
        return ""
    # As in the reference: the database of the sessions authenticates.
    source = database if endpoint.auth_database is None else endpoint.auth_database
    return build_host(endpoint.srv, endpoint.servers, source if endpoint.credentials else None)


def _check_indexes(config: DbConfig) -> None:
    indexes = config.store.indexes
    inside = [name for name in indexes if name.partition(".")[0] == "session"]
    if not inside or not config.stores_text:
        return
    cause = "stringify" if config.stringify else "store.nodeCrypto"
    raise ConfigError(
        f"store.indexes names {inside[0]}, but {cause} stores sessions as text.",
        option="store.indexes",
        value=indexes,
        hint="Set stringify to false, or remove the field." if config.stringify else "Remove it.",
    )
