"""The indexes of a collection, for an operator: their state, builds and removal."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pymongo
from pymongo import IndexModel
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.mongo.collection_check import find_conflict
from beaker_mongo_soajs.mongo.documents import Document
from beaker_mongo_soajs.mongo.errors import DRIVER_ERRORS, raise_translated
from beaker_mongo_soajs.mongo.indexes import exact_index, existing_indexes, serves, session_indexes

READY, MISSING, OTHER, BUILDING, EXTRA = (
    *("ready", "missing", "another definition", "building"),
    "not needed by this package",
)
"""The states of an index."""

_POLL_SECONDS = 0.2
_ID_INDEX = "_id_"


@dataclass(frozen=True, slots=True, repr=False)
class IndexState:
    """Describe an index that exists, or is needed.

    :param name: its name.
    :param fields: its fields.
    :param state: one of the states above.
    :param size: its size in bytes, if it exists.
    """

    name: str
    fields: tuple[str, ...]
    state: str
    size: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Build:
    """Describe the build of indexes.

    :param names: the names of the indexes.
    :param done: how many documents were read, if the server says so.
    :param total: how many there are, if the server says so.
    """

    names: tuple[str, ...]
    done: int
    total: int


class IndexAdmin(AdminCollection):
    """The indexes of the collection of a configuration.

    :param config: the configuration.
    """

    def states(self) -> list[IndexState]:
        """Return the state of each index that exists or is needed."""
        existing = self._run(lambda bound: existing_indexes(bound.decoded), reads=True)
        sizes, _ = self.storage()
        building = {name for build in self.builds() for name in build.names}
        found: list[IndexState] = []
        used = {_ID_INDEX}
        for wanted in self._wanted(existing):
            name, keys = str(wanted["name"]), tuple(wanted["key"])
            serving = next((each for each in existing if serves(wanted, each)), None)
            conflict = serving or find_conflict(wanted, existing)
            if conflict is not None:
                name = str(conflict["name"])
            used.add(name)
            state = READY if serving is not None else OTHER if conflict is not None else MISSING
            found.append(
                IndexState(name, keys, BUILDING if name in building else state, sizes.get(name))
            )
        found += [
            IndexState(str(each["name"]), tuple(each["key"]), EXTRA, sizes.get(str(each["name"])))
            for each in existing
            if each["name"] not in used
        ]
        return found

    def create(self, on_progress: Callable[[Build], None]) -> list[str]:
        """Create the needed indexes that do not exist; return their names.

        The build runs in a thread, without a time limit. It continues in the server if this method
        is interrupted.

        :param on_progress: called again and again while the server builds.
        :raises StoreRefused: the server refuses an index.
        """
        existing = self._run(lambda bound: existing_indexes(bound.decoded), reads=True)
        wanted = [
            IndexModel(list(each["key"].items()), **{k: v for k, v in each.items() if k != "key"})
            for each in self._wanted(existing)
            if not any(serves(each, found) for found in existing)
        ]
        if wanted:
            self._build(wanted, on_progress)
        return [str(index.document["name"]) for index in wanted]

    def remove(self, name: str) -> None:
        """Drop an index.

        :param name: its name.
        :raises StoreRefused: the server refuses that.
        """
        self._run(lambda bound: bound.decoded.drop_index(name))

    def builds(self) -> list[Build]:
        """Return the builds of indexes on this collection that are running now."""
        match = {
            "$match": {"command.createIndexes": self.name, "command.$db": self.config.database}
        }
        admin = self._get().decoded.database.client.admin
        for everybody in (True, False):
            stage = {"$currentOp": {"allUsers": everybody}}
            try:
                return [_build_of(each) for each in admin.aggregate([stage, match])]
            except OperationFailure:
                # To see the operations of all users takes a right of its own.
                continue
            except DRIVER_ERRORS as error:
                raise_translated(error, self.namespace, reads=True, config=self.config)
        return []

    def _wanted(self, existing: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        has_collation = any(each["name"] == _ID_INDEX and "collation" in each for each in existing)
        return [
            (exact_index(index) if has_collation else index).document
            for index in session_indexes(self.config)
        ]

    def _build(self, wanted: list[IndexModel], on_progress: Callable[[Build], None]) -> None:
        errors: list[Exception] = []
        collection = self._get().decoded
        thread = threading.Thread(
            target=_create, args=(collection, wanted, errors), daemon=True, name="index build"
        )
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            for build in self.builds() if thread.is_alive() else ():
                on_progress(build)
        for error in errors:
            raise_translated(error, self.namespace, config=self.config)


def _create(
    collection: Collection[Document], wanted: list[IndexModel], errors: list[Exception]
) -> None:
    try:
        with pymongo.timeout(0):
            collection.create_indexes(wanted)
    except DRIVER_ERRORS as error:
        errors.append(error)


def _build_of(operation: Document) -> Build:
    indexes = operation.get("command", {}).get("indexes", [])
    progress = operation.get("progress", {})
    return Build(
        tuple(str(each.get("name")) for each in indexes),
        int(progress.get("done", 0)),
        int(progress.get("total", 0)),
    )
