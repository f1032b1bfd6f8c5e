"""Planted data cannot occupy a process, and ends in one of the documented errors."""

import datetime
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from beaker.cache import Cache
from bson import SON, json_util
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.regex import Regex
from bson.timestamp import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beaker_mongo_soajs import (
    DbConfig,
    Locks,
    LockTimeout,
    MongoNamespaceManager,
    MongoSession,
    SerializationError,
    SessionStore,
    StoreError,
)
from beaker_mongo_soajs.sessions import class_types, collection_types, scalars
from tests.application import Site
from tests.conftest import Db, Options
from tests.effort import times
from tests.recorder import Commands
from tests.sessions.values import TEXTS

_TAGS = sorted(scalars.BUILDERS | collection_types.BUILDERS | class_types.BUILDERS)
_DAY = datetime.timedelta(days=1)
_MERSENNE = 2**61 - 1
"""The modulus of Python's hash of numbers: all its multiples have the hash 0."""

_BUSY_SECONDS = 5.0
"""The most processor time for a document of 16 MB, on a slow machine."""


def _tagged(tag: str, value: Any) -> dict[str, Any]:
    return {"__type__": tag, "value": value}


def _colliding(number: int) -> list[Any]:
    return [_tagged("int", hex(k * _MERSENNE)) for k in range(10, 10 + number)]


def _colliding_sets(levels: int, width: int) -> Any:
    """Return a tagged set of sets, which collide at each level and differ at the lowest."""
    start = iter(range(10, 10**9))

    def build(level: int) -> Any:
        if level == 0:
            return _tagged("int", hex(next(start) * _MERSENNE))
        return _tagged("frozenset", [build(level - 1) for _ in range(width)])

    return build(levels)


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


_DIGITS = "9" * 1_000_000
_SMALL_EXPONENT = _tagged("decimal", "1E+3000000")
_HEAVY: dict[str, Callable[[], Any]] = {
    "integer around a decimal": lambda: _tagged("int64", _SMALL_EXPONENT),
    "integer of a megabyte": lambda: _tagged("int64", _DIGITS),
    "hexadecimal integer": lambda: _tagged("int", "0x" + _DIGITS),
    "hexadecimal key": lambda: _tagged("set", [_tagged("int", "0x" + _DIGITS)] * 10),
    "decimal of a megabyte": lambda: _tagged("decimal", _DIGITS),
    "fraction with an exponent": lambda: _tagged("fraction", "1E+300000000"),
    "fraction of a megabyte": lambda: _tagged("fraction", f"{_DIGITS}/7"),
    "range of decimals": lambda: _tagged("range", [0, _SMALL_EXPONENT, 1]),
    "time span of decimals": lambda: _tagged("timedelta", [_SMALL_EXPONENT, 0, 0]),
    "zone with an exponent": lambda: _tagged(
        "datetime", ["2026-01-01", [_SMALL_EXPONENT, 0, 0], 0]
    ),
    "date of a megabyte": lambda: _tagged("datetime", "2026-01-01" + _DIGITS),
    "address of a megabyte": lambda: _tagged("ip", ["IPv4Network", _DIGITS]),
    "complex of a megabyte": lambda: _tagged("complex", _DIGITS),
    "identifier of a megabyte": lambda: _tagged("uuid", _DIGITS),
    "float of a megabyte": lambda: _tagged("float", _DIGITS),
    "bytes of a number": lambda: _tagged("bytearray", 2**40),
    "text of a number": lambda: _tagged("str", 2**40),
    "deque of a huge length": lambda: _tagged("deque", [2**62, [1]]),
    "set of colliding integers": lambda: _tagged("set", _colliding(40_000)),
    "set of colliding tuples": lambda: _tagged(
        "set", [_tagged("tuple", [each]) for each in _colliding(25_000)]
    ),
    "dict of colliding integers": lambda: _tagged("dict", [[k, 0] for k in _colliding(40_000)]),
    "counter of colliding integers": lambda: _tagged(
        "counter", [[k, 0] for k in _colliding(40_000)]
    ),
    "ordered dict of colliding integers": lambda: _tagged(
        "ordered_dict", [[k, 0] for k in _colliding(40_000)]
    ),
    "default dict of colliding integers": lambda: _tagged(
        "defaultdict", ["int", [[k, 0] for k in _colliding(40_000)]]
    ),
    "sets of colliding sets": lambda: _colliding_sets(5, 10),
    "many sets of colliding integers": lambda: [
        _tagged("set", _colliding(900)) for _ in range(150)
    ],
    "deep lists": lambda: _nested(70),
}


@pytest.mark.slow
class TestHeavyValues:
    """Tagged values that took seconds to minutes to decode."""

    @pytest.mark.timeout(120)
    @pytest.mark.parametrize("name", _HEAVY)
    @pytest.mark.parametrize(
        ("with_class", "as_text"),
        [(False, False), (True, True)],
        ids=["session.type-native", "MongoSession-text"],
    )
    def test_it_is_decoded_quickly(
        self, options: Options, database: Db, name: str, *, with_class: bool, as_text: bool
    ) -> None:
        """A planted value is read or refused within seconds."""
        value = _HEAVY[name]()
        session: Any = {"v": value, "user": "ann"}
        if as_text:
            session = json_util.dumps(session)
        expires = datetime.datetime.now(datetime.UTC) + _DAY
        database.sessions.insert_one({"_id": "planted", "session": session, "expires": expires})
        classes = {"session_class": MongoSession} if with_class else {}
        visitor = Site(options | classes | {"invalidate_corrupt": False}).visitor("planted")
        start = time.process_time()
        with suppress(SerializationError):
            visitor.read()
            visitor.save(n=1)
        assert time.process_time() - start < _BUSY_SECONDS

    def test_colliding_names_of_keys(self, options: Options, database: Db) -> None:
        """A session with many colliding top-level keys is refused within seconds."""
        session = {
            f"__key__{number}": _tagged("item", [key, 0])
            for number, key in enumerate(_colliding(40_000))
        }
        database.sessions.insert_one({"_id": "planted", "session": session})
        visitor = Site(options | {"invalidate_corrupt": False}).visitor("planted")
        start = time.process_time()
        with pytest.raises(SerializationError, match="hash"):
            visitor.read()
        assert time.process_time() - start < _BUSY_SECONDS

    def test_deep_text(self, options: Options, database: Db) -> None:
        """A JSON text of very many levels is a SerializationError."""
        for text in ('{"v":' + "[" * 200_000, '{"v":' + "[" * 100_000 + "]" * 100_000 + "}"):
            database.sessions.replace_one({"_id": "planted"}, {"session": text}, upsert=True)
            visitor = Site(options | {"invalidate_corrupt": False}).visitor("planted")
            with pytest.raises(SerializationError):
                visitor.read()


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    TEXTS.filter(lambda text: "\ud800" not in text and text.isprintable()),
    st.binary(max_size=40),
    st.datetimes(),
    st.integers(-(2**63), 2**63 - 1).map(DatetimeMS),
    st.sampled_from(
        [
            DatetimeMS(2**62),
            datetime.datetime(9999, 12, 31),
            Regex("("),
            Code("f()"),
            Code("f()", {"x": 1}),
            MaxKey(),
            Timestamp(1, 1),
            Decimal128("NaN"),
            Int64(5),
            Binary(b"x", 4),
            DBRef("c", 1),
            SON(),
        ]
    ),
)
_NAMES = st.sampled_from(
    "__type__ value owner acquired_until readers expires version fresh_until signature session user"
    " _accessed_time _creation_time _domain _path __key__x item cookie moved_to $x a.b".split()
)
_GARBAGE = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_NAMES, inner, max_size=3),
        st.builds(_tagged, st.sampled_from(_TAGS), inner | st.lists(inner, max_size=3)),
    ),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    _NAMES.filter(lambda name: not name.startswith("$") and "." not in name), _GARBAGE, max_size=5
)
SESSIONS = st.fixed_dictionaries(
    {"session": st.dictionaries(_NAMES, _GARBAGE, max_size=3) | _GARBAGE},
    optional=dict.fromkeys(("expires", "dataSerializer", "signature", "moved_to"), _GARBAGE),
)


def _login(session: Any) -> None:
    session.regenerate_id()
    session["user"] = "ann"
    session.save()


def _save(session: Any) -> None:
    session["n"] = 1
    session.save()


def _lock(session: Any) -> None:
    with session.locked(timeout=1):
        session["n"] = 1


_ACTIONS: dict[str, Callable[[Any], None]] = {
    "delete": lambda session: session.delete(),
    "login": _login,
    "save": _save,
    "lock": _lock,
}
HYPOTHESIS = settings(
    max_examples=times(100), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _may_be_live(fields: dict[str, Any], now: datetime.datetime) -> bool:
    latest = now + datetime.timedelta(hours=2)
    readers = fields.get("readers")
    ends = [fields.get("acquired_until")] + [
        reader.get("acquired_until")
        for reader in (readers if isinstance(readers, list) else [])
        if isinstance(reader, dict)
    ]
    return any(isinstance(end, datetime.datetime) and now < end < latest for end in ends)


class TestGarbage:
    """Documents with any content."""

    @pytest.mark.parametrize("moved_to", ["other", None, 5, []])
    def test_id_of_another_document(
        self, options: Options, database: Db, commands: Commands, moved_to: object
    ) -> None:
        """A document that is no session blocks its id, and the save fails after eight attempts."""
        database.sessions.insert_one({"_id": "planted", "moved_to": moved_to})
        visitor = Site(options).visitor("planted")
        start = time.monotonic()
        with pytest.raises(SerializationError, match="belongs to a document that is not a session"):
            visitor.save(n=1)
        assert time.monotonic() - start < 5
        assert 8 == commands.names.count("insert")
        assert {"_id": "planted", "moved_to": moved_to} == database.sessions.find_one()

    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("with_class", [False, True], ids=["session.type", "MongoSession"])
    @HYPOTHESIS
    @given(fields=SESSIONS | FIELDS, action=st.sampled_from(["delete", "login", "save", "lock"]))
    def test_sessions(
        self,
        options: Options,
        database: Db,
        *,
        fields: dict[str, Any],
        action: str,
        with_class: bool,
    ) -> None:
        """A session of any content is read, or ends in a documented error."""
        database.sessions.replace_one({"_id": "planted"}, fields, upsert=True)
        classes = {"session_class": MongoSession} if with_class else {}
        visitor = Site(options | classes | {"invalidate_corrupt": False}).visitor("planted")
        with suppress(SerializationError, StoreError):
            visitor.read()
            can_lock = with_class or action != "lock"
            visitor.request(_ACTIONS[action if can_lock else "save"])
        with suppress(SerializationError, StoreError):
            list(SessionStore(options).find(user="ann"))

    @pytest.mark.timeout(600)
    @HYPOTHESIS
    @given(fields=FIELDS)
    def test_cached_values(self, options: Options, database: Db, fields: dict[str, Any]) -> None:
        """A cache entry of any content counts as absent, or ends in a documented error."""
        cache = Cache("things", type="ext:mongodb_soajs", **options)
        key = {"ns": "things", "key": b"k"}
        assert isinstance(cache.namespace, MongoNamespaceManager)
        database.cache.replace_one({"_id": key}, fields, upsert=True)
        try:
            cache.get("k", createfunc=lambda: "created")
            "k" in cache  # noqa: B015 - it must not raise another error
            cache.namespace.keys()
            cache.put("k", "value")
            assert "value" == cache.get("k")
        except (SerializationError, StoreError):
            return
        finally:
            database.cache.delete_many({})

    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("shared", [False, True], ids=["exclusive", "shared"])
    @HYPOTHESIS
    @given(fields=FIELDS)
    def test_locks(
        self, options: Options, database: Db, *, fields: dict[str, Any], shared: bool
    ) -> None:
        """A lock of any content is acquired soon, or ends in a documented error."""
        locks = Locks(DbConfig.from_options(options))
        name = "planted"
        with locks.lease(name):
            document = database.sessions_locks.find_one()
        assert document is not None
        database.sessions_locks.replace_one({"_id": document["_id"]}, fields, upsert=True)
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        try:
            lease = locks.lease(name, shared=shared)
            lease.acquire(timeout_seconds=0.5)
            lease.extend()
            lease.release()
        except StoreError:
            return
        except LockTimeout:
            # Only a lease like those of this package keeps others out.
            assert _may_be_live(fields, now)
        finally:
            database.sessions_locks.delete_many({})

    @pytest.mark.parametrize("shared", [False, True], ids=["exclusive", "shared"])
    def test_a_lock_with_several_dates(
        self, options: Options, database: Db, *, shared: bool
    ) -> None:
        """A lock whose end is an array of dates does not keep others out."""
        locks = Locks(DbConfig.from_options(options))
        with locks.lease("planted"):
            document = database.sessions_locks.find_one()
        assert document is not None
        dates = [datetime.datetime(1970, 1, 1), datetime.datetime(9999, 12, 31)]
        planted = {"owner": "somebody", "acquired_until": dates}
        database.sessions_locks.insert_one({"_id": document["_id"], **planted})
        assert locks.lease("planted", shared=shared).acquire(timeout_seconds=1)

    @pytest.mark.parametrize("expires", [[None], [datetime.datetime(1970, 1, 1)], [], "", {}, 5])
    def test_an_entry_that_expires_at_no_date(
        self, options: Options, database: Db, expires: Any
    ) -> None:
        """A cache entry whose date is no date does not keep others from creating its value."""
        cache = Cache("things", type="ext:mongodb_soajs", **options)
        entry = {"_id": {"ns": "things", "key": b"k"}, "expires": expires}
        database.cache.insert_one(entry)
        start = time.monotonic()
        assert "created" == cache.get("k", createfunc=lambda: "created")
        assert "created" == cache.get("k", createfunc=lambda: "again")
        assert time.monotonic() - start < _BUSY_SECONDS

    def test_a_lock_until_the_year_9999(self, options: Options, database: Db) -> None:
        """A planted lock that never ends does not keep a session locked."""
        site = Site(options | {"session_class": MongoSession})
        visitor = site.visitor()
        visitor.save(n=1)
        with_lock: list[str] = []

        def count(session: Any) -> None:
            with session.locked(timeout=30):
                lock = database.sessions_locks.find_one()
                with_lock.append(lock["_id"] if lock else "")
                session["n"] += 1

        visitor.request(count)
        planted = {
            "owner": "somebody",
            "acquired_until": datetime.datetime(9999, 12, 31),
            "readers": [{"owner": "x", "acquired_until": datetime.datetime(9999, 12, 31)}],
        }
        database.sessions_locks.replace_one({"_id": with_lock[0]}, planted, upsert=True)
        start = time.monotonic()
        visitor.request(count)
        assert time.monotonic() - start < _BUSY_SECONDS
        assert {"n": 3} == visitor.read()
