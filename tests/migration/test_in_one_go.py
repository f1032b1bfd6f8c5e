"""``beaker-mongo migrate``: all sessions of an old backend at once."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from beaker_mongo_soajs import ConfigError, MongoSession, SessionStore
from beaker_mongo_soajs.sessions.stored import StoredId
from beaker_mongo_soajs.sources.opening import SourceOfProcess
from tests.application import KEYS, Site, live_documents, only_document
from tests.cli.support import run
from tests.conftest import IMPORTS, Db, Options
from tests.migration.old import LISTED, Old, OldServers, open_old
from tests.migration.test_on_the_fly import PLAIN, VALUES
from tests.waiting import wait_until

OLD_KEYS = {"encryptKey": KEYS["encrypt_key"], "validateKey": KEYS["validate_key"]}
NEW_KEYS = KEYS | {"encrypt_key": "a new key"}


class _Unstorable:
    """An object that no document can hold."""


@pytest.fixture(params=LISTED)
def listed(
    request: pytest.FixtureRequest, tmp_path: Path, mongo_url: str, old_servers: OldServers
) -> Old:
    """Return each old backend that can list its sessions."""
    return open_old(request.param, tmp_path, mongo_url, old_servers)


def _arguments(old: Old) -> list[str]:
    source = dict(old.source)
    kind = source.pop("type")
    [place] = source.values()
    if "dataDir" in source:
        place = f"{place}/container_{kind}"
    return ["--from", kind, "--source", place]


def _write(tmp_path: Path, options: Options) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(options))
    return str(path)


def _migrate(tmp_path: Path, options: Options, *arguments: str) -> Result:
    return run("-c", _write(tmp_path, options), "migrate", *arguments)


class TestMigrate:
    """The command."""

    def test_all(self, listed: Old, options: Options, tmp_path: Path, database: Db) -> None:
        """All sessions are moved, with equal values; a second run has nothing to do."""
        cookies = [listed.cookie(VALUES | {"number": number}) for number in range(20)]
        arguments = (*_arguments(listed), "--trust-pickles")
        result = _migrate(tmp_path, options, *arguments)
        assert 0 == result.exit_code, result.output
        assert result.stdout.startswith("Sessions: 20 moved, 0 already here")
        assert (0, 20) == (listed.number(), len(live_documents(database)))
        site = Site(options)
        for number, cookie in enumerate(cookies):
            assert VALUES | {"number": number} == site.visitor(cookie).read()
        again = _migrate(tmp_path, options, *arguments, "--format", "json")
        assert 0 == json.loads(again.stdout)["moved"]

    def test_dry_run(
        self,
        table: Old,
        options: Options,
        tmp_path: Path,
        database: Db,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A dry run counts, names what cannot be stored by its handle, and changes nothing."""
        table.cookie(PLAIN)
        bad = table.cookie({"lock": _Unstorable()})
        arguments = (*_arguments(table), "--trust-pickles", "--dry-run")
        monkeypatch.setattr("beaker_mongo_soajs.cli.migrate.MOST_NAMED", 1)
        text = _migrate(tmp_path, options, *arguments).stdout
        assert text.startswith("Sessions: 1 can be moved, ")
        assert text.endswith(f"\n  {StoredId(bad).handle[:8]}\n")
        result = _migrate(tmp_path, options, *arguments, "--format", "json")
        answer = json.loads(result.stdout)
        assert (1, 1) == (answer["moved"], answer["failed"])
        [failure] = answer["failures"]
        assert StoredId(bad).handle[:8] == failure["handle"]
        assert "session['lock']" in failure["reason"]
        assert bad not in result.output
        assert 1 == result.exit_code
        assert (2, 0) == (table.number(), database.sessions.count_documents({}))

    def test_without_trust(self, table: Old, options: Options, tmp_path: Path) -> None:
        """Without --trust-pickles, nothing is unpickled; the text says why, once, and where."""
        handles = [StoredId(table.cookie(PLAIN)).handle[:8] for _ in range(101)]
        result = _migrate(tmp_path, options, *_arguments(table))
        assert 1 == result.exit_code
        assert 1 == result.stdout.count("can run code in this process")
        assert 100 == sum(handle in result.stdout for handle in handles)
        assert result.stdout.endswith("The first 100 of them are named.\n")
        assert 101 == table.number()

    def test_kept(self, table: Old, options: Options, tmp_path: Path, database: Db) -> None:
        """With --keep the old sessions stay, and a second run finds them here."""
        table.cookie(PLAIN)
        arguments = (*_arguments(table), "--trust-pickles", "--keep", "--format", "json")
        assert 1 == json.loads(_migrate(tmp_path, options, *arguments).stdout)["moved"]
        assert 1 == json.loads(_migrate(tmp_path, options, *arguments).stdout)["present"]
        assert (1, 1) == (table.number(), len(live_documents(database)))

    @pytest.mark.parametrize("kind", ["file", "dbm"])
    def test_data_dir(
        self,
        kind: str,
        options: Options,
        tmp_path: Path,
        mongo_url: str,
        old_servers: OldServers,
        database: Db,
    ) -> None:
        """The source of files may be Beaker's ``data_dir``, too; a wrong folder is an error."""
        old = open_old(kind, tmp_path / "data", mongo_url, old_servers)
        old.cookie(PLAIN)
        arguments = ("--from", kind, "--trust-pickles", "--source")
        wrong = _migrate(tmp_path, options, *arguments, str(tmp_path / "dat"))
        assert (3, True) == (wrong.exit_code, "does not exist" in wrong.stderr)
        assert 0 == _migrate(tmp_path, options, *arguments, str(tmp_path / "data")).exit_code
        assert 1 == len(live_documents(database))

    def test_configured(
        self,
        table: Old,
        options: Options,
        tmp_path: Path,
        database: Db,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Without --from, the old backend of the configuration is used, and closed at the end."""
        table.cookie(PLAIN)
        source = table.source | {"trustPickles": True, "keep": True}
        closed: list[str] = []
        monkeypatch.setattr(SourceOfProcess, "close", lambda source: closed.append("old"))
        assert 0 == _migrate(tmp_path, options | {"store": {"migrateFrom": source}}).exit_code
        assert (1, 1) == (table.number(), len(live_documents(database)))
        assert "old" in closed

    def test_encrypted(self, table: Old, options: Options, tmp_path: Path, database: Db) -> None:
        """Plain sessions are encrypted, if the application of the configuration encrypts."""
        cookie = table.cookie(PLAIN)
        arguments = (*_arguments(table), "--trust-pickles")
        assert 0 == _migrate(tmp_path, options | KEYS, *arguments).exit_code
        [document] = live_documents(database)
        assert isinstance(document["session"], str)
        assert PLAIN == Site(options | KEYS).visitor(cookie).read()

    def test_ended_here(self, table: Old, options: Options, tmp_path: Path, database: Db) -> None:
        """A session that ended here while sessions were moved on the fly is not moved again."""
        cookie = table.cookie(PLAIN)
        source = table.source | {"trustPickles": True, "keep": True}
        store = SessionStore(options | {"store.migrateFrom": source})
        assert 1 == store.destroy(cookie)
        arguments = (*_arguments(table), "--trust-pickles", "--format", "json")
        assert 0 == json.loads(_migrate(tmp_path, options, *arguments).stdout)["moved"]
        assert [] == live_documents(database)

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ((), "There is no old backend"),
            (("--from", "ext:redis"), "--source is missing"),
            (("--from", "ext:redis", "--source", "redis://:secret@db/0"), "has a password"),
            (("--from", "ext:memcached", "--source", "db:11211"), "cannot list its sessions"),
        ],
    )
    def test_usage(
        self, options: Options, tmp_path: Path, arguments: tuple[str, ...], text: str
    ) -> None:
        """A mistake ends the command with the exit code 2, and is explained without secrets."""
        result = _migrate(tmp_path, options, *arguments)
        assert 2 == result.exit_code
        assert text in result.stderr
        assert "secret" not in result.output

    def test_away(self, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the old backend, of a variable with a password, is away, the exit code is 3."""
        monkeypatch.setenv("BEAKER_MONGO_SOURCE", "redis://:secret@127.0.0.1:1")
        assert 3 == _migrate(tmp_path, options, "--from", "ext:redis").exit_code

    def test_interrupted(self, table: Old, options: Options, tmp_path: Path, database: Db) -> None:
        """After Ctrl-C in the middle, another run moves the rest; none is lost or moved twice."""
        number = 100
        site = table.site()
        for each in range(number):
            site.visitor().save(number=each)
        command = [sys.executable, "-m", "beaker_mongo_soajs", "-c", _write(tmp_path, options)]
        command += ["migrate", *_arguments(table), "--trust-pickles"]
        with subprocess.Popen(
            command, env=IMPORTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            wait_until(lambda: database.sessions.count_documents({}) > 5, 60)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        moved = len(live_documents(database))
        assert 5 < moved < number
        assert 130 == process.returncode
        assert 0 == _migrate(tmp_path, options, *_arguments(table), "--trust-pickles").exit_code
        documents = live_documents(database)
        assert list(range(number)) == sorted(each["session"]["number"] for each in documents)
        assert 0 == table.number()


class TestOwnSessions:
    """Between the forms of this package."""

    def _site(self, options: Options, **more: Any) -> Site:
        return Site(options | {"session_class": MongoSession} | more)

    @pytest.mark.parametrize("on_the_fly", [True, False], ids=["on the fly", "in one go"])
    @pytest.mark.parametrize(
        ("before", "after", "source"),
        [
            ({"collection": "old"}, {}, {"collection": "old"}),
            ({"collection": "old", "stringify": True}, {}, {"collection": "old"}),
            ({"collection": "old"}, {"stringify": True}, {"collection": "old"}),
            ({}, {"store.transformId": "sha256"}, {}),
            ({"collection": "old"}, KEYS, {"collection": "old"}),
            (KEYS | {"collection": "old"}, KEYS, {"collection": "old"}),
        ],
        ids=["collection", "from text", "to text", "transformId", "encrypt", "encrypted"],
    )
    def test_forms(
        self,
        options: Options,
        database: Db,
        tmp_path: Path,
        before: Options,
        after: Options,
        source: Options,
        on_the_fly: bool,
    ) -> None:
        """A change of the form, the ids or the collection logs nobody out."""
        old = self._site(options, **before).visitor()
        old.save_items(VALUES)
        options = options | after
        migrate_from = {"type": "ext:mongodb_soajs", **source}
        if on_the_fly:
            options |= {"store.migrateFrom": migrate_from}
        else:
            place = source.get("collection", "sessions")
            arguments = ("--from", "ext:mongodb_soajs", "--source", place, "--format", "json")
            result = _migrate(tmp_path, options, *arguments)
            assert 1 == json.loads(result.stdout)["moved"], result.output
        visitor = self._site(options).visitor(old.cookie)
        assert VALUES == visitor.read()
        assert 1 == len(live_documents(database))
        assert 0 == database.old.count_documents({})

    @pytest.mark.parametrize("on_the_fly", [True, False], ids=["on the fly", "in one go"])
    @pytest.mark.parametrize(
        "after", [{}, {"stringify": True}, NEW_KEYS], ids=["plain", "text", "new key"]
    )
    @pytest.mark.parametrize("serializer", ["json", "pickle"])
    def test_decrypted(
        self,
        options: Options,
        database: Db,
        tmp_path: Path,
        after: Options,
        serializer: str,
        on_the_fly: bool,
    ) -> None:
        """With the old keys, encrypted sessions are stored as plain ones, or under a new key."""
        before = KEYS | {"collection": "old", "data_serializer": serializer}
        old = self._site(options, **before).visitor()
        old.save_items(PLAIN)
        source = {"type": "ext:mongodb_soajs", "collection": "old", **OLD_KEYS}
        options = options | after
        moving = options | {"store.migrateFrom": source}
        if not on_the_fly:
            result = _migrate(tmp_path, moving)
            assert 0 == result.exit_code, result.output
        visitor = self._site(moving if on_the_fly else options).visitor(old.cookie)
        assert PLAIN == visitor.read()
        [document] = live_documents(database)
        kind = str if after else dict
        assert isinstance(document["session"], kind)
        assert ("ann" in str(document)) == (after is not NEW_KEYS)
        assert 0 == database.old.count_documents({})

    def test_wrong_key(self, options: Options, database: Db, tmp_path: Path) -> None:
        """Sessions under another key are counted, and stay where they are."""
        old = self._site(options, **KEYS, collection="old").visitor()
        old.save_items(PLAIN)
        source = {"type": "ext:mongodb_soajs", "collection": "old", **OLD_KEYS, "encryptKey": "x"}
        result = _migrate(tmp_path, options | {"store.migrateFrom": source})
        assert 1 == result.exit_code
        assert "cannot be decrypted" in result.stdout
        assert KEYS["validate_key"] not in result.output
        assert (1, []) == (database.old.count_documents({}), live_documents(database))

    def test_digests_in_one_go(self, options: Options, database: Db, tmp_path: Path) -> None:
        """With transformId, a second run does not make digests of digests."""
        SessionStore(options).set("a-session-id", PLAIN)
        options = options | {"store": {"transformId": "sha256"}}
        arguments = ("--from", "ext:mongodb_soajs", "--source", "sessions", "--format", "json")
        for moved in (1, 0):
            result = _migrate(tmp_path, options, *arguments)
            assert moved == json.loads(result.stdout)["moved"], result.output
        assert PLAIN == SessionStore(options).get("a-session-id")

    def test_into_itself(self, options: Options) -> None:
        """A collection cannot be moved into itself, which would delete its sessions."""
        source = {"type": "ext:mongodb_soajs", "collection": "sessions"}
        with pytest.raises(ConfigError, match="to which sessions are moved"):
            SessionStore(options | {"store.migrateFrom": source})

    def test_digests_to_ids(self, options: Options, database: Db) -> None:
        """Digests of ids become ids when their visitors return."""
        old = self._site(options, collection="old", store={"transformId": "sha256"}).visitor()
        old.save_items(VALUES)
        source = {"type": "ext:mongodb_soajs", "collection": "old", "transformId": "sha256"}
        visitor = self._site(options, **{"store.migrateFrom": source}).visitor(old.cookie)
        assert VALUES == visitor.read()
        assert old.cookie == only_document(database)["_id"]

    def test_of_node(self, options: Options, database: Db) -> None:
        """A document that connect-mongo wrote as text becomes a sub-document."""
        text = json.dumps({"cookie": {"path": "/"}, "user": "ann"})
        database.old.insert_one({"_id": "from-node", "session": text})
        source = {"type": "ext:mongodb_soajs", "collection": "old"}
        store = SessionStore(options | {"store.migrateFrom": source})
        assert "ann" == (store.get("from-node") or {})["user"]
        assert "ann" == only_document(database)["session"]["user"]
