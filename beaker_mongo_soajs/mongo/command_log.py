"""Keep session ids and session data out of PyMongo's debug log.

With the level DEBUG, the logger ``pymongo.command`` logs every command and reply. For commands to
the collections of this package, a filter hides all values in them. Commands to other collections
and commands of other clients are logged as they are.
"""

import logging
import weakref
from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient

from beaker_mongo_soajs.exceptions import MASK

_SHOWN = frozenset({"$db", "collection", "ok", "n", "nModified", "code", "codeName", "errtype"})
"""The fields of commands and replies that hold no data."""

_MOST_REQUESTS = 1000

_Namespace = tuple[str, str]


def hide_commands(client: MongoClient[Any], database: str, collection: str) -> None:
    """Hide the values of a client's commands to a collection in the debug log of PyMongo.

    :param client: the client.
    :param database: the name of the database.
    :param collection: the name of the collection.
    """
    _filter.add(client, (database, collection))
    # A second time has no effect.
    logging.getLogger("pymongo.command").addFilter(_filter)


class _CommandFilter(logging.Filter):
    """Hide the values in the log records of some commands; keep all records."""

    def __init__(self) -> None:
        super().__init__()
        # By identity: clients of the same servers are equal.
        self._clients: dict[int, tuple[weakref.ref[MongoClient[Any]], set[_Namespace]]] = {}
        self._requests: dict[tuple[object, object], None] = {}

    def add(self, client: MongoClient[Any], namespace: _Namespace) -> None:
        """Hide the values of a client's commands to a collection.

        :param client: the client.
        :param namespace: the names of database and collection.
        """
        key = id(client)
        entry = self._clients.get(key)
        if entry is None or entry[0]() is not client:
            self._clients[key] = entry = (weakref.ref(client), set())
            weakref.finalize(client, self._clients.pop, key, None)
        entry[1].add(namespace)

    def filter(self, record: logging.LogRecord) -> bool:
        """Hide the values in a record; return true.

        :param record: the record, whose message is PyMongo's ``LogMessage``.
        """
        fields = getattr(record.msg, "_kwargs", None)
        if type(fields) is dict and self._is_hidden(fields):
            for key in fields.keys() & {"command", "reply", "failure"}:
                fields[key] = _hide(fields[key], fields.get("commandName"))
        return True

    def _is_hidden(self, fields: dict[str, Any]) -> bool:
        request = (fields.get("clientId"), fields.get("requestId"))
        command = fields.get("command")
        if command is None:
            # A reply does not name the collection.
            is_hidden = request in self._requests
            self._requests.pop(request, None)
            return is_hidden
        namespaces = self._namespaces_of(request[0])
        collection = command.get(fields.get("commandName"))
        if not isinstance(collection, str):
            collection = command.get("collection")
        if (fields.get("databaseName"), collection) not in namespaces:
            return False
        while len(self._requests) >= _MOST_REQUESTS:
            # Their replies were not logged: the level changed meanwhile.
            self._requests.pop(next(iter(self._requests), request), None)
        self._requests[request] = None
        return True

    def _namespaces_of(self, client_id: object) -> set[_Namespace]:
        for client, namespaces in list(self._clients.values()):
            # Clients with an SRV record have no settings before they connect.
            settings = getattr(client(), "_topology_settings", None)
            if client_id is not None and getattr(settings, "_topology_id", None) == client_id:
                return namespaces
        return set()


def _hide(value: object, command_name: object) -> object:
    if not isinstance(value, Mapping):
        return MASK
    return {
        key: item if key in _SHOWN or key == command_name else MASK for key, item in value.items()
    }


_filter = _CommandFilter()
