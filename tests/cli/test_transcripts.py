"""The pictures of the documentation: each command on a terminal.

``UPDATE_TRANSCRIPTS=1 pytest tests/cli/test_transcripts.py`` makes them again.
"""

import datetime
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from beaker.session import Session

from beaker_mongo_soajs.sessions.stored import StoredId
from beaker_mongo_soajs.testing import MongoServer
from tests.cli.terminal import Terminal
from tests.cli.transcripts import FOLDER, Step, mask, picture
from tests.conftest import Client, Db

_NAME = "core_session"
_HOUR, _DAY = 3600.0, 86400.0
_SESSIONS: tuple[tuple[str | None, float, float, float, list[str]], ...] = (
    ("ann", 3.5 * _DAY, 2.5 * _HOUR, 13.5 * _DAY, ["tea", "coffee"]),
    ("ann", 40.5 * _DAY, 26.5 * _HOUR, 12.5 * _DAY, []),
    ("bob", 5.5 * _HOUR, 1.5 * _HOUR, 13.2 * _DAY, ["bread"] * 40),
    (None, 2.5 * _HOUR, 1.5 * _HOUR, 13.1 * _DAY, ["salt"]),
)
"""The user, the age, the idle time, the time left and the cart of each session. Halves of units
keep the texts the same for a while."""

_HANDLES = [StoredId(f"session {number} of the pictures").handle[:8] for number in range(4)]

_MIGRATE = ("migrate", "--from", "file", "--source", "old/container_file")

TRANSCRIPTS = {
    "check": (Step(("check",)),),
    "explain": (Step(("explain",)),),
    "list": (Step(("list",)), Step(("list", "--user", "ann", "--idle", "1h", "--format", "json"))),
    "show": (Step(("show", _HANDLES[0])), Step(("show", _HANDLES[0], "--reveal"))),
    "destroy": (
        Step(("destroy", "--user", "ann", "--dry-run")),
        Step(("destroy", "--user", "ann"), ((r"\[y/N\]", "y\n"),)),
    ),
    "clear": (Step(("clear",), (("name of the database", f"{_NAME}\n"),)),),
    "stats": (Step(("stats",)),),
    "index": (Step(("index", "status"), code=1), Step(("index", "create"))),
    "export": (
        Step(("export", "sessions.jsonl")),
        Step(("import", "sessions.jsonl")),
    ),
    "migrate": (
        Step((*_MIGRATE, "--dry-run"), code=1),
        Step((*_MIGRATE, "--trust-pickles")),
    ),
    "doctor": (Step(("doctor",)),),
}


@pytest.fixture
def shop(mongo_server: MongoServer, tmp_path: Path) -> Iterator[Db]:
    """Return a database with fixed sessions, and write ``production.ini``."""
    (tmp_path / "production.ini").write_text(
        "[app:main]\nsession.type = ext:mongodb_soajs\n"
        f"session.name = {_NAME}\nsession.servers = 127.0.0.1:{mongo_server.port}\n"
        "session.timeout = 86400\nsession.store.userKey = user\nsession.store.touchAfter = 1m\n"
    )
    _store_old_sessions(tmp_path / "old")
    with Client(mongo_server.url) as client:
        client.drop_database(_NAME)
        database = client[_NAME]
        # The number of digits is always the same.
        now = int(time.time()) + 0.25
        documents = []
        for number, (user, age, idle, left, cart) in enumerate(_SESSIONS):
            session = {"user": user, "cart": cart} if user else {"cart": cart}
            times = {"_creation_time": now - age, "_accessed_time": now - idle}
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=left)
            id_ = f"session {number} of the pictures"
            documents.append({"_id": id_, "session": session | times, "expires": expires})
        database.sessions.insert_many(documents)
        database.sessions.create_index([("expires", 1)], name="expires_1", expireAfterSeconds=0)
        yield database
        client.drop_database(_NAME)


def _store_old_sessions(folder: Path) -> None:
    """Store sessions in files, one of them as a pickle."""
    for number, serializer in enumerate(("json", "json", "pickle")):
        id_ = f"session {number} of the pictures, in a file"
        session = Session({}, id=id_, data_dir=str(folder), data_serializer=serializer)
        session["user"] = "ann"
        session.save()


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_picture(shop: Db, tmp_path: Path, name: str) -> None:
    """The picture of a command in the documentation is what the terminal shows."""
    shown = []
    for step in TRANSCRIPTS[name]:
        arguments = ("-c", "production.ini", *step.arguments)
        with Terminal(*arguments, folder=tmp_path) as terminal:
            for pattern, answer in step.answers:
                terminal.wait_for(pattern)
                terminal.type(answer)
            assert step.code == terminal.finish(), terminal.output
        shown.append((f"beaker-mongo {' '.join(arguments)}", mask(terminal.output)))
    made = picture(name, shown)
    path = FOLDER / f"{name}.svg"
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made)
    assert path.read_text() == made, (
        "the picture is out of date: UPDATE_TRANSCRIPTS=1 pytest tests/cli/test_transcripts.py"
    )
    assert not re.search(r"session \d of the pictures", made.replace("&#160;", " "))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("On the disk      4.1 kB", "On the disk     36.9 kB"),
        ("Index _id_        512 B", "Index _id_      20.5 kB"),
        ("expires_1  expires  ready   4.1 kB", "expires_1  expires  ready  36.9 kB"),
        ("on 127.0.0.1:41234", "on 127.0.0.1:59999"),
        ("answers in 1 ms", "answers in 1234 ms"),
        ("MongoDB 6.0.5", "MongoDB 7.0.31"),
        ("Importing 0.9/1.2 kB 0:00:01", "Importing 1.2/1.2 kB 0:00:00"),
        (
            "### Versions\n\n    Python 3.11.7\n    gevent 1\n\n### Options",
            "### Versions\n\n    Python 3.13.0\n\n### Options",
        ),
    ],
)
def test_mask(one: str, other: str) -> None:
    """Values that vary with the server, the machine and the time are the same in all pictures."""
    assert mask(one) == mask(other)
