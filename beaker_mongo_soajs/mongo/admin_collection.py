"""The commands of an operator to a collection: scans, aggregations, inserts of many documents."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError, OperationFailure

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import StoreError
from beaker_mongo_soajs.mongo.binding import Bound
from beaker_mongo_soajs.mongo.collection import StoreCollection
from beaker_mongo_soajs.mongo.documents import CODEC_OPTIONS, Document
from beaker_mongo_soajs.mongo.errors import DRIVER_ERRORS, duplicate_index, raise_translated

_IDS_AT_ONCE = 20_000
_DOCUMENTS_AT_ONCE = 500
_BAD_VALUE = 2
_NAMESPACE_NOT_FOUND = 26


class AdminCollection(StoreCollection):
    """The collection of a configuration, for an operator. It makes no indexes.

    :param config: the configuration.
    """

    def __init__(self, config: DbConfig) -> None:
        super().__init__(config, config.collection)

    def scan(
        self,
        query: Document,
        *,
        sorted_by: str | None = None,
        direction: int = -1,
        at_once: int = _DOCUMENTS_AT_ONCE,
    ) -> Iterator[bytes]:
        """Yield documents as BSON; only some are in memory at a time.

        :param query: the filter.
        :param sorted_by: the field by which to sort. Without an index on it the documents come in
            any order, because the server cannot sort them all.
        :param direction: -1 for the largest value first, 1 for the smallest.
        :param at_once: how many documents the server sends at once.
        """
        more: Document = {} if sorted_by is None else _sort_by_index(sorted_by, direction)
        while True:
            bound = None
            try:
                bound = self._get()
                found = bound.raw.find(query, batch_size=at_once, **more, **bound.exact)
                for document in found:
                    yield bytes(document.raw)
            except DRIVER_ERRORS as error:
                if more and isinstance(error, OperationFailure) and error.code == _BAD_VALUE:
                    # There is no such index.
                    more = {}
                    continue
                if self._binding.lacks_collation(error, bound):
                    continue
                raise_translated(error, self.namespace, reads=True, config=self.config)
            return

    def scan_ids(self) -> Iterator[str]:
        """Yield each ``_id`` that is a text, from the index on ``_id`` alone."""
        try:
            batches = self._get().raw.find_raw_batches(
                {}, {"_id": 1}, hint=[("_id", 1)], batch_size=_IDS_AT_ONCE
            )
            for batch in batches:
                for document in bson.decode_all(bytes(cast(bytes, batch))):
                    stored_id = document["_id"]
                    if type(stored_id) is str:
                        yield stored_id
        except DRIVER_ERRORS as error:
            raise_translated(error, self.namespace, reads=True, config=self.config)

    def aggregate(self, pipeline: Sequence[Document]) -> list[Document]:
        """Return the result of an aggregation, which must be small.

        :param pipeline: its stages.
        """
        return self._run(
            lambda bound: list(
                bound.decoded.with_options(codec_options=CODEC_OPTIONS).aggregate(
                    [*pipeline], allowDiskUse=True, **bound.exact
                )
            ),
            reads=True,
        )

    def estimate(self) -> int:
        """Return about how many documents there are, at once."""
        return self._run(lambda bound: bound.decoded.estimated_document_count(), reads=True)

    def storage(self) -> tuple[dict[str, int], int]:
        """Return the size of each index, and that of the documents on the disk, in bytes."""
        try:
            found = self.aggregate([{"$collStats": {"storageStats": {}}}])
        except StoreError as error:
            if error.code != _NAMESPACE_NOT_FOUND:
                raise
            return {}, 0
        # One document for each shard.
        stats = [each["storageStats"] for each in found]
        sizes = Counter[str]()
        for each in stats:
            sizes.update(each["indexSizes"])
        return dict(sizes), sum(each["storageSize"] for each in stats)

    def insert_missing(self, documents: Sequence[bytes]) -> int:
        """Insert the documents whose ``_id`` does not exist; return how many that were.

        :param documents: the documents as BSON.
        """

        def send(bound: Bound) -> int:
            try:
                bound.raw.insert_many(map(RawBSONDocument, documents), ordered=False)
            except BulkWriteError as error:
                return _inserted(error)
            return len(documents)

        return self._run(send)


def _sort_by_index(field: str, direction: int) -> Document:
    return {"sort": [(field, direction)], "hint": [(field, 1)]}


def _inserted(error: BulkWriteError) -> int:
    """Return how many documents a bulk inserted; raise any error but that of an ``_id``."""
    for failure in error.details["writeErrors"]:
        other = OperationFailure(failure.get("errmsg", ""), failure.get("code"), failure)
        if other.code != 11000 or duplicate_index(other) != "_id_":
            raise other from None
    if error.details["writeConcernErrors"]:
        raise error
    return int(error.details["nInserted"])
