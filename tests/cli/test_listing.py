"""``beaker-mongo list`` and ``show``."""

import csv
import datetime
import io
import json
import re
import time
from typing import Any

import pytest
from bson import ObjectId

from beaker_mongo_soajs import MongoSession, SessionStore
from beaker_mongo_soajs.cli import listing
from beaker_mongo_soajs.cli.selecting import shorten
from beaker_mongo_soajs.sessions.inventory import SessionInventory
from beaker_mongo_soajs.sessions.stored import StoredId
from tests.cli.conftest import DAY, Run
from tests.cli.terminal import plain
from tests.conftest import Db, Options


def users(command: Run, *arguments: str) -> list[str | None]:
    """Return the users of the listed sessions."""
    result = command("list", "--format", "json", *arguments)
    assert 0 == result.exit_code, result.output
    return sorted((row["user"] for row in json.loads(result.stdout)), key=str)


class TestList:
    """``beaker-mongo list``."""

    def test_json(self, store: SessionStore, command: Run) -> None:
        """The JSON is an array of objects with the same six fields."""
        rows = json.loads(command("list", "--format", "json").stdout)
        assert 4 == len(rows)
        for row in rows:
            assert ["handle", "user", "created", "last_used", "expires", "bytes"] == list(row)
            assert re.fullmatch("[0-9a-f]{8}", row["handle"])
            for name in ("created", "last_used", "expires"):
                assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[name])
        handles = {StoredId(id_).handle[:8] for id_ in store.ids()}
        assert handles == {row["handle"] for row in rows}

    @pytest.mark.parametrize(
        ("arguments", "found"),
        [
            ((), ["None", "ann", "ann", "bob"]),
            (("--user", "ann"), ["ann", "ann"]),
            (("--user", "carl"), []),
            (("--where", "device=phone"), ["ann", "bob"]),
            (("--where", "device=phone", "--user", "ann"), ["ann"]),
            (("--where", "n=5"), ["None", "ann"]),
            (("--where", "cart=tea"), []),
            (("--idle", "1h"), ["ann", "bob"]),
            (("--limit", "-1"), ["None", "ann", "ann", "bob"]),
            (("--older", "2d"), ["ann", "bob"]),
            (("--older", "30d", "--idle", "1d"), ["ann"]),
        ],
        ids=" ".join,
    )
    def test_selections(
        self, command_of_form: Run, arguments: tuple[str, ...], found: list[str]
    ) -> None:
        """Sessions are selected by user, value, idle time and age, in each storage form."""
        assert found == [str(user) for user in users(command_of_form, *arguments)]

    def test_limit(self, store: SessionStore, command: Run) -> None:
        """The limit is kept, and a message says that there are more sessions."""
        result = command("list", "--limit", "3")
        assert 4 == len(result.stdout.splitlines())
        assert "There are more than 3 sessions; --limit 0 lists all.\n" == result.stderr
        everything = command("list", "--limit", "0", "--format", "csv")
        assert "" == everything.stderr
        rows = [*csv.DictReader(io.StringIO(everything.stdout))]
        assert {StoredId(id_).handle for id_ in store.ids()} == {row["handle"] for row in rows}
        for limit, length in ((1000, 8), (1001, 40)):
            row, *_ = json.loads(command("list", "--limit", str(limit), "--format", "json").stdout)
            assert length == len(row["handle"])

    def test_table(
        self, store: SessionStore, command: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The table has ages in words, and no colour in a pipe. Its parts have one header."""
        head, row = command("list", "--user", "bob").stdout.splitlines()
        assert "Handle    User      Began      Last use   Expires      Size" == head
        found = r"[0-9a-f]{8}  bob       3 d ago    2 h ago    in 1[34] d     1\d\d B"
        assert re.fullmatch(found, row)
        assert "There are no such sessions.\n" == command("list", "--user", "carl").stdout
        monkeypatch.setattr(listing, "_ROWS_AT_ONCE", 2)
        lines = command("list").stdout.splitlines()
        assert [head] == [line for line in lines if not re.match("[0-9a-f]{8}  ", line)]
        assert 5 == len(lines)

    def test_latest_first(self, store: SessionStore, command: Run, database: Db) -> None:
        """With the TTL index, the sessions that expire last come first."""
        database.sessions.create_index([("expires", 1)], name="expires_1", expireAfterSeconds=0)
        for days, (id_, _) in enumerate(list(store.find(device="phone"))):
            store.touch(id_)
            future = store.config.expire_after_seconds + days * DAY
            database.sessions.update_one(
                {"_id": id_}, [{"$set": {"expires": {"$add": ["$$NOW", future * 1000]}}}]
            )
        rows = json.loads(command("list", "--format", "json").stdout)
        dates = [row["expires"] for row in rows]
        assert sorted(dates, reverse=True) == dates

    def test_documents_of_others(self, store: SessionStore, command: Run, database: Db) -> None:
        """Sessions of Node, ids of users, and documents that cannot be read are listed, too."""
        database.sessions.insert_many(
            [
                {"_id": "node", "session": {"cookie": {}, "user": ObjectId("0" * 24)}},
                {"_id": "unreadable", "session": 7},
                {"_id": 7, "session": {}},
                {"_id": "old", "session": {"user": "old"}, "moved_to": "x"},
            ]
        )
        assert ["0" * 24, "None", "None", "ann", "ann", "bob"] == [
            str(user) for user in users(command)
        ]
        assert "(unreadable)" in command("list").stdout

    def test_no_ids(self, store: SessionStore, command: Run) -> None:
        """No format of any command shows a session id."""
        output = "".join(
            command(*arguments).output
            for arguments in (
                *(("list", "--format", name) for name in ("table", "json", "csv")),
                *(("show", StoredId(id_).handle) for id_ in store.ids()),
                ("stats",),
            )
        )
        assert not [id_ for id_ in store.ids() if id_ in output]


class TestShow:
    """``beaker-mongo show``."""

    @pytest.fixture
    def handle(self, store: SessionStore) -> str:
        """Return the short handle of one session."""
        return StoredId("ann on the phone 0002").handle[:8]

    def test_values_are_masked(self, handle: str, command: Run) -> None:
        """Keys are shown, and values only with --reveal."""
        masked = command("show", handle)
        assert "\nStored as  a sub-document  " in masked.stdout
        assert "\nValues\n  user            *** (str, length 3)\n  device   " in masked.stdout
        assert "phone" not in masked.stdout
        assert "\n  device          phone  " in command("show", handle.upper(), "--reveal").stdout

    def test_json(self, handle: str, command: Run) -> None:
        """The JSON has the fields of the list, and the values."""
        shown = json.loads(command("show", handle, "--reveal", "--format", "json").stdout)
        assert handle == shown["handle"][:8]
        assert 40 == len(shown["handle"])
        assert 5 == shown["values"]["n"]
        masked = json.loads(command("show", handle, "--format", "json").stdout)
        assert "*** (int)" == masked["values"]["n"]

    def test_any_type(self, store: SessionStore, command: Run) -> None:
        """Values that JSON has no type for are shown as similar ones, and aware dates in UTC."""
        zone = datetime.timezone(datetime.timedelta(hours=9))
        at = datetime.datetime(2026, 1, 31, 12, tzinfo=zone)
        values: dict[str, Any] = {"cart": ("tea", {2}), "days": {1: {"at": at}}, "none": None}
        shown = {"cart": ["tea", [2]], "days": {"1": {"at": "2026-01-31T03:00:00Z"}}, "none": None}
        store.set("various", values)
        arguments = ("show", StoredId("various").handle, "--reveal")
        revealed = json.loads(command(*arguments, "--format", "json").stdout)["values"]
        assert shown == {name: revealed[name] for name in shown}
        assert f"\n  days  {json.dumps(shown['days'])}" in command(*arguments).stdout

    def test_a_race(self, handle: str, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """A session may end while it is looked for."""
        monkeypatch.setattr(SessionInventory, "read", lambda *_: None)
        result = command("show", handle)
        assert (1, True) == (result.exit_code, "has ended meanwhile" in result.stderr)

    def test_unknown_and_ambiguous_handles(
        self, store: SessionStore, command: Run, database: Db
    ) -> None:
        """A handle of no session, of several ones, and one that cannot exist are errors."""
        unknown = command("show", "0" * 40)
        assert 1 == unknown.exit_code
        assert "No session has a handle that begins with 0000" in unknown.stderr
        ids = [StoredId(str(n)) for n in range(400) if StoredId(str(n)).handle[0] == "e"]
        database.sessions.delete_many({})
        database.sessions.insert_many([{"_id": id_, "session": {}} for id_ in ids[:11]])
        shown = ", ".join(sorted(shorten([id_.handle for id_ in sorted(ids[:11])[:10]], 2)))
        begin = "The handle e is ambiguous: {} sessions begin with it. Give more characters: "
        for count, end in ((11, f"{shown} and 1 more.\n"), (10, f"{shown}.\n")):
            ambiguous = command("show", "e")
            assert 2 == ambiguous.exit_code
            assert ambiguous.stderr.endswith(begin.format(count) + end)
            database.sessions.delete_one({"_id": max(ids[:11])})
        for wrong in ("ann", "", "e" * 41):
            result = command("show", wrong)
            assert (2, True) == (result.exit_code, "0-9 and a-f" in result.stderr)

    def test_ended_sessions(self, handle: str, command: Run, database: Db) -> None:
        """Expired documents have no handle any more."""
        database.sessions.update_many({}, {"$set": {"expires": datetime.datetime(2020, 1, 1)}})
        assert 1 == command("show", handle).exit_code

    def test_encrypted(self, options: Options, command: Run) -> None:
        """The values of an encrypted session are not shown, even with --reveal."""
        session: Any = MongoSession({}, encrypt_key="k" * 32, validate_key="v" * 32, **options)
        session["user"] = "ann"
        session.save()
        shown = command("show", StoredId(session.id).handle, "--reveal")
        assert "The values are encrypted with encrypt_key." in shown.stdout
        assert "ann" not in shown.stdout


def test_a_narrow_terminal(
    store: SessionStore, command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a narrow terminal, only texts of users are wrapped, and no character is replaced."""
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "61"), ("NO_COLOR", "")):
        monkeypatch.setenv(name, value)
    now = time.time()
    user = "a :tea: [b] of 6 words"
    times = {"_creation_time": now - 1410, "_accessed_time": now - 750}
    store.set("wide", {"user": user, "a long key": "x" * 99} | times)
    _, first, *others = command("list", "--user", user).stdout.splitlines()
    assert re.fullmatch(r"[0-9a-f]{8}  a :tea:   23 min ago  12 min ago  in 1\d d     \d+ B", first)
    assert ["[b] of 6", "words"] == [line.strip() for line in others]
    assert "0 sessions ended.\n" == command("destroy", "--user", "carl").stdout
    monkeypatch.setenv("COLUMNS", "30")
    more = "There are more than 1 sessions; --limit 0 lists all.\n"
    assert command("list", "--limit", "1").stderr.endswith(more)
    shown = plain(command("show", StoredId("wide").handle, "--reveal").stdout)
    assert "\nUser       a :tea: [b] of 6  " in shown
    assert f"\n  a long key      {'x' * 12}\n                  {'x' * 12}\n" in shown


def test_short_handles() -> None:
    """Handles have eight characters, and more where these do not tell them apart."""
    assert ["a" * 8, "b" * 8] == shorten(["a" * 40, "b" * 40])
    first, second, third = "a" * 40, "a" * 8 + "b" * 32, "c" * 40
    assert ["a" * 9, "a" * 8 + "b", "c" * 8] == shorten([first, second, third])
    assert ["a" * 8, "a" * 8] == shorten([first, first])


def test_transformed_ids(options: Options, command: Run) -> None:
    """With store.transformId, handles are those of the stored digests."""
    store = SessionStore(options | {"store.transformId": "sha256"})
    store.set("x" * 32, {"user": "ann", "_accessed_time": time.time()})
    (id_,) = store.ids()
    assert isinstance(id_, StoredId)
    rows = json.loads(command("list", "--format", "json").stdout)
    assert [id_.handle[:8]] == [row["handle"] for row in rows]
    assert 0 == command("show", id_.handle[:8]).exit_code
