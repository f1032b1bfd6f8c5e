"""Answers that are reused, and values that have expired."""

import datetime
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from beaker.cache import Cache

from beaker_mongo_soajs import (
    MongoNamespaceManager,
)
from tests.caches.doubles import Clock, Creator
from tests.caches.support import open_cache
from tests.conftest import Db, Options
from tests.recorder import Commands
from tests.waiting import wait_for_indexes, wait_until


class TestStaleness:
    """Reads return what is stored, or a value that is known to be old."""

    def test_each_answer_is_of_the_moment(self, options: Options) -> None:
        """Without Beaker's Value, each read asks the database."""
        one, other = (MongoNamespaceManager("things", **options) for _ in range(2))
        one[b"key"] = 1
        assert b"key" in one
        other[b"key"] = 2
        assert 2 == one[b"key"]
        del other[b"key"]
        assert b"key" not in one
        with pytest.raises(KeyError):
            one[b"key"]
        with pytest.raises(KeyError):
            del one[b"key"]

    def test_answers_are_not_reused(self, options: Options) -> None:
        """The answer of one get() is not reused for the next."""
        one, other = open_cache(options), open_cache(options)
        one.put("key", 1)
        for number in range(3):
            assert "key" in one
            other.put("key", number)
            assert number == one.get("key")
            assert one.namespace.has_key(b"key")

    def test_get_reads_once(self, options: Options) -> None:
        """A value cannot disappear between the two reads of one get()."""
        one, other = open_cache(options), open_cache(options)
        one.put("key", 1)
        namespace = one.namespace
        namespace.acquire_read_lock()
        assert b"key" in namespace
        other.clear()
        assert 1 == namespace[b"key"][2]
        with pytest.raises(KeyError):
            namespace[b"key"]
        namespace.release_read_lock()

    def test_answer_ends_with_the_lock(self, options: Options) -> None:
        """An answer that was not used is dropped with the lock."""
        namespace = open_cache(options).namespace
        namespace[b"key"] = (1, None, "value")
        namespace.acquire_read_lock()
        assert b"key" in namespace
        namespace.release_read_lock()
        del open_cache(options).namespace[b"key"]
        namespace.acquire_read_lock()
        with pytest.raises(KeyError):
            namespace[b"key"]
        namespace.release_read_lock()

    def test_expired_document(self, brief: Cache, database: Db) -> None:
        """An expired document that the TTL index has not removed yet is absent for all readers."""
        brief.put("key", 1)
        database.cache.update_one({}, {"$set": {"expires": datetime.datetime(2000, 1, 1)}})
        assert "key" not in brief
        assert not brief._get_value("key").has_value()
        assert b"key" not in brief.namespace
        assert [] == brief.namespace.keys()

    def test_value_stored_with_its_time(self, brief: Cache) -> None:
        """The age of a value counts from the time that Beaker stores with it."""
        value = brief._get_value("key")
        value.set_value(1, storedtime=time.time() - 5)
        assert b"key" in brief.namespace
        value.set_value(1, storedtime=time.time() - 15)
        assert b"key" not in brief.namespace
        assert value.has_value()

    def test_answers_are_per_thread(self, options: Options) -> None:
        """Threads do not share answers."""
        namespace = open_cache(options).namespace
        namespace[b"key"] = (1, None, "value")
        namespace.acquire_read_lock()
        assert b"key" in namespace
        del namespace[b"key"]
        with ThreadPoolExecutor(1) as thread:
            assert not thread.submit(namespace.has_key, b"key").result()
        namespace.release_read_lock()

    def test_namespace_honours_expiry(self, brief: Cache, clock: Clock) -> None:
        """Without Beaker's Value, an expired value is absent although Value still finds it."""
        brief.put("key", 1)
        namespace = brief.namespace
        assert b"key" in namespace
        assert [b"key"] == namespace.keys()
        clock.move(11)
        assert b"key" not in namespace
        assert [] == namespace.keys()
        with pytest.raises(KeyError):
            namespace[b"key"]
        namespace.acquire_read_lock()
        assert b"key" in namespace
        namespace.release_read_lock()

    @pytest.mark.parametrize("lease", [20, 50])
    def test_expired_value_is_found_for_one_lease(
        self, options: Options, clock: Clock, lease: float
    ) -> None:
        """Beaker's Value finds an expired value for another store.lockLease."""
        brief = open_cache(options, expire=10, **{"store.lockLease": lease})
        value = brief._get_value("key")
        value.set_value(1)
        clock.move(10 + lease - 1)
        assert value.has_value()
        assert not value.has_current_value()
        clock.move(2)
        assert not value.has_value()

    def test_direct_value_expires(self, options: Options, database: Db, clock: Clock) -> None:
        """A value that is set without Beaker's Value is absent when it has expired."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"key", 1, expiretime=10)
        document = database.cache.find_one()
        assert document is not None
        assert document["fresh_until"] == document["expires"]
        clock.move(9)
        assert 1 == namespace[b"key"]
        clock.move(2)
        namespace.acquire_read_lock()
        assert b"key" not in namespace
        namespace.release_read_lock()

    @pytest.mark.usefixtures("ttl_monitor")
    def test_ttl_index(self, options: Options, database: Db) -> None:
        """The server removes expired documents."""
        namespace = MongoNamespaceManager("things", **options)
        namespace.set_value(b"key", 1, expiretime=0.2)
        namespace[b"kept"] = 1
        wait_until(lambda: 1 == database.cache.count_documents({}), 90)
        assert [b"kept"] == namespace.keys()
        wait_for_indexes()
        index = database.cache.index_information()["expires_1"]
        assert ([("expires", 1)], 0) == (index["key"], index["expireAfterSeconds"])

    @pytest.mark.parametrize(("how", "sent"), [("interval", ["delete"]), ("disabled", [])])
    def test_sweep(
        self, options: Options, database: Db, commands: Commands, how: str, sent: list[str]
    ) -> None:
        """With autoRemove interval this package removes expired documents, with disabled none."""
        store = {"autoRemove": how, "autoRemoveInterval": 0.0001}
        namespace = MongoNamespaceManager("things", **options, store=store)
        namespace.set_value(b"key", 1, expiretime=-1)
        until = time.monotonic() + 0.0001 * 60
        wait_until(lambda: time.monotonic() > until)
        commands.clear()
        namespace[b"other"] = 1
        assert sent == [name for name in commands.names if name == "delete"]
        wait_until(partial(self._has_documents, database, 1 if sent else 2))
        assert ["_id_"] == list(database.cache.index_information())

    def _has_documents(self, database: Db, number: int) -> bool:
        return number == database.cache.count_documents({})

    def test_value_that_vanished_does_not_come_back(
        self, options: Options, clock: Clock, creator: Creator, database: Db
    ) -> None:
        """The creation of a value does not bring back one that expired long ago."""
        brief = open_cache(options, expire=10, **{"store.autoRemove": "disabled"})
        brief.put("key", "very old")
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        dates = {"fresh_until": past, "expires": past}
        database.cache.update_one({}, {"$set": dates})
        clock.move(86400)
        creator.may_return.clear()
        with ThreadPoolExecutor(2) as threads:
            answers = [threads.submit(brief.get, "key", createfunc=creator) for _ in range(2)]
            wait_until(lambda: creator.calls)
            clock.move(-86400)
            assert not brief._get_value("key").has_value()
            creator.may_return.set()
            assert ["value 1"] * 2 == [answer.result(30) for answer in answers]
