"""A collection of this process's client, and how the server compares texts in it."""

from collections.abc import Hashable
from typing import NamedTuple

from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.mongo.client import clients_generation, get_client
from beaker_mongo_soajs.mongo.command_log import hide_commands
from beaker_mongo_soajs.mongo.documents import CODEC_OPTIONS, RAW_OPTIONS, Document

_EXACT: Document = {"collation": {"locale": "simple"}}
"""Compare texts exactly, whatever the collection's default collation is."""

_without_collation: set[Hashable] = set()
"""The connections whose servers know no collations, and so compare texts exactly anyway."""


class Bound(NamedTuple):
    """A collection of this process's client.

    :param decoded: with its documents as dicts.
    :param raw: with its documents as BSON.
    :param primary: the same, read from the primary; it is ``raw`` if that is read from there.
    :param exact: keyword arguments with which commands compare texts exactly.
    """

    decoded: Collection[Document]
    raw: Collection[RawBSONDocument]
    primary: Collection[RawBSONDocument]
    exact: Document


class Binding:
    """Bind a collection to the client of the process, again after a fork or a close.

    :param config: the configuration.
    :param name: the collection's name.
    """

    def __init__(self, config: DbConfig, name: str) -> None:
        self._config = config
        self._name = name
        # One attribute, so that no thread combines halves of two values.
        self._bound: tuple[Bound, int] | None = None

    def get(self) -> Bound:
        """Return the collection."""
        now = clients_generation()
        bound = self._bound
        if bound is None or bound[1] != now:
            self._bound = bound = (self._bind(), now)
        return bound[0]

    def lacks_collation(self, error: Exception, bound: Bound | None) -> bool:
        """Tell whether the server knows no collations; if so, send none from now on.

        :param error: the error of a command.
        :param bound: the collection to which it was sent, if that was bound.
        """
        if (
            bound is None
            or not bound.exact
            or not isinstance(error, OperationFailure)
            or "collation" not in str(error).lower()
        ):
            return False
        _without_collation.add(self._config.connection_key)
        self._bound = None
        return True

    def _bind(self) -> Bound:
        client = get_client(self._config)
        if not self._config.store.log_commands:
            hide_commands(client, self._config.database, self._name)
        database = client[self._config.database]
        decoded = database.get_collection(self._name, codec_options=CODEC_OPTIONS)
        raw = decoded.with_options(codec_options=RAW_OPTIONS)
        primary = raw
        if raw.read_preference != ReadPreference.PRIMARY:
            primary = raw.with_options(read_preference=ReadPreference.PRIMARY)
        exact = {} if self._config.connection_key in _without_collation else _EXACT
        return Bound(decoded, raw, primary, exact)
