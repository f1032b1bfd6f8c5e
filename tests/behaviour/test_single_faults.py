"""Single commands that fail, and documents that cannot be read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from beaker.session import Session
from bson.raw_bson import RawBSONDocument

from beaker_mongo_soajs import (
    BeakerMongoError,
    SerializationError,
    StoreUnavailable,
    close_clients,
)
from beaker_mongo_soajs.testing import ReplicaSet
from tests.behaviour.scenarios import LOGOUT, READ, Change, Site, cookies_in
from tests.conftest import Client, Db, FailPoint, Options
from tests.faults import fail_point as open_fail_point

APP_NAME = "beaker_mongo_soajs"


# Beaker warns of what it takes for a corrupt session even while it is told otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:Invalidating corrupt session")

# MongoDB's error codes. Drivers try again after the first one. (They do so too where a server says
# that it shuts down or steps down, but then wait for its next heartbeat.)
NETWORK_TIMEOUT = 89


UNKNOWN_ERROR = 8


FAULTS: dict[str, dict[str, Any]] = {
    "cut": {"close_connection": True},
    "timed out": {"error_code": NETWORK_TIMEOUT},
    "error": {"error_code": UNKNOWN_ERROR},
}


@pytest.mark.slow
class TestSingleFaults:
    """One command that fails."""

    def try_out(
        self, site: Site, cookie: str, change: Change, expected: dict[str, Any] | None
    ) -> None:
        """Make a request while the fault is active.

        :param expected: the session that it sees, or ``None`` for an error.
        """
        headers: list[tuple[str, str]] = []
        if expected is None:
            with pytest.raises(StoreUnavailable):
                site.serve(cookie, change, headers=headers)
        else:
            assert expected == site.serve(cookie, change, headers=headers).seen
        assert [] == cookies_in(headers)

    @pytest.mark.parametrize("change", [READ, Change({"n": 1})], ids=["reads", "changes"])
    @pytest.mark.parametrize(
        ("fault", "times", "is_answered"),
        [
            ("cut", 1, True),
            ("cut", 2, True),
            ("cut", 3, False),
            ("timed out", 1, True),
            ("timed out", 2, True),
            ("timed out", 3, False),
            ("error", 1, False),
        ],
    )
    def test_of_find(
        self,
        kind_options: Options,
        fail_point: FailPoint,
        change: Change,
        fault: str,
        times: int,
        is_answered: bool,
        *,
        stringify: bool,
    ) -> None:
        """A find that fails is retried twice or an error; never a new session."""
        site = Site(kind_options | {"stringify": stringify})
        cookie = site.begin_session(user="ann")
        with fail_point("find", times=times, app_name=APP_NAME, **FAULTS[fault]):
            self.try_out(site, cookie, change, {"user": "ann"} if is_answered else None)
        changed = dict(change.assigned) if is_answered else {}
        assert {"user": "ann", **changed} == site.read(cookie)

    @pytest.mark.parametrize("change", [READ, Change({"n": 1})], ids=["reads", "changes"])
    @pytest.mark.parametrize("fault", FAULTS)
    def test_of_update(
        self,
        kind_options: Options,
        fail_point: FailPoint,
        change: Change,
        fault: str,
        *,
        stringify: bool,
    ) -> None:
        """An update that fails on a server by itself is an error, and the session stays."""
        site = Site(kind_options | {"stringify": stringify, "store.touchAfter": 0})
        cookie = site.begin_session(user="ann")
        with fail_point("update", times=1, app_name=APP_NAME, **FAULTS[fault]):
            self.try_out(site, cookie, change, None)
        assert {"user": "ann"} == site.read(cookie)

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("command", ["insert", "delete"])
    def test_of_other_writes(
        self, kind_options: Options, fail_point: FailPoint, command: str, fault: str
    ) -> None:
        """A new session that cannot be saved sets no cookie; a logout that fails is an error."""
        site = Site(kind_options)
        cookie = site.begin_session(user="ann")
        headers: list[tuple[str, str]] = []
        requests: dict[str, tuple[str | None, Change]] = {
            "insert": (None, Change({"user": "bob"})),
            "delete": (cookie, LOGOUT),
        }
        brings, change = requests[command]
        with (
            fail_point(command, times=1, app_name=APP_NAME, **FAULTS[fault]),
            pytest.raises(StoreUnavailable),
        ):
            site.serve(brings, change, headers=headers)
        assert [] == headers
        assert {"user": "ann"} == site.read(cookie)

    @pytest.mark.parametrize(
        ("fault", "times", "is_answered"),
        [("cut", 1, True), ("timed out", 1, True), ("cut", 2, False), ("error", 1, False)],
    )
    def test_of_update_in_a_replica_set(
        self,
        replica_set_of_one: ReplicaSet,
        kind: type[Session],
        fault: str,
        times: int,
        is_answered: bool,
        *,
        stringify: bool,
    ) -> None:
        """In a replica set an update that fails is retried once or an error."""
        options = {"url": replica_set_of_one.url, "name": "single_faults", "stringify": stringify}
        options["session_class"] = kind
        site = Site(options | {"URLParam.serverSelectionTimeoutMS": 5000})
        cookie = site.begin_session(user="ann")
        with (
            Client(replica_set_of_one.url) as client,
            open_fail_point(client, "update", times=times, app_name=APP_NAME, **FAULTS[fault]),
        ):
            self.try_out(site, cookie, Change({"n": 1}), {"user": "ann"} if is_answered else None)
        changed = {"n": 1} if is_answered else {}
        assert {"user": "ann", **changed} == site.read(cookie)

    @pytest.mark.parametrize("command", ["find", "update"])
    def test_in_the_first_request_of_a_process(
        self, kind_options: Options, fail_point: FailPoint, command: str
    ) -> None:
        """A fault in a process's first request is retried or an error; the next one is answered."""
        cookie = Site(kind_options).begin_session(user="ann")
        close_clients()
        site = Site(kind_options | {"URLParam.maxPoolSize": 7, "store.touchAfter": 0})
        headers: list[tuple[str, str]] = []
        with fail_point(command, times=3, app_name=APP_NAME, **FAULTS["cut"]):
            with pytest.raises(StoreUnavailable):
                site.serve(cookie, headers=headers)
            assert [] == headers
        assert {"user": "ann"} == site.read(cookie)


GARBAGE: dict[str, dict[str, Any]] = {
    "native": {"session": {"user": {"__type__": "uuid", "value": "no uuid"}, "z": 1, "a": 1.0}},
    "text": {"session": '{"user": "ann"'},
    "number": {"session": 5},
    "nothing": {"other": "field"},
}


class TestCorruptDocuments:
    """Documents that cannot be read."""

    @pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
    def test_they_are_kept(
        self, kind_options: Options, database: Db, garbage: dict[str, Any]
    ) -> None:
        """A document that cannot be read is an error, or a new session; it stays as it is."""
        expires = datetime.now(UTC) + timedelta(days=1)
        database.sessions.insert_one({"_id": "corrupt", **garbage, "expires": expires})
        before = self.raw(database)
        with pytest.raises(SerializationError) as caught:
            Site(kind_options | {"invalidate_corrupt": False}).serve("corrupt", Change({"n": 1}))
        assert isinstance(caught.value, BeakerMongoError)
        assert before == self.raw(database)
        (cookie,) = Site(kind_options).serve("corrupt", Change({"n": 1})).cookies
        assert cookie != "corrupt"
        assert {"n": 1} == Site(kind_options).read(cookie)
        assert before == self.raw(database)

    def raw(self, database: Db) -> bytes:
        """Return the bytes of the document as it is stored."""
        codec = database.codec_options.with_options(document_class=RawBSONDocument)
        raw: Any = database.sessions.with_options(codec).find_one({"_id": "corrupt"})
        stored: bytes = raw.raw
        return stored
