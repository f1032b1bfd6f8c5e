"""Logging users out while their sessions get new ids."""

import itertools
import threading
from functools import partial
from typing import Any

import pytest

from beaker_mongo_soajs import MongoSession
from tests.conftest import Options
from tests.effort import times
from tests.waiting import wait_until

_COOKIE = "beaker.session.id"


def visit(options: Options, session_id: str) -> Any:
    """Return the session of a request with a cookie."""
    return MongoSession({"cookie": f"{_COOKIE}={session_id}"}, **options)


def begin(options: Options, **values: object) -> str:
    """Begin a session, and return its id."""
    session: Any = MongoSession({}, **options)
    session.update(values)
    session.save()
    session_id: str = session.id
    return session_id


class TestDestroyWhere:
    """destroy_where() against sessions that keep changing their ids."""

    @pytest.mark.parametrize("end", ["destroy_where", "clear"])
    def test_nobody_stays(self, options: Options, end: str) -> None:
        """Of 150 sessions whose ids change all the time, none is left, in any of 10 rounds."""
        options = options | {"store": {"createIndexes": False}}
        for _ in range(max(times(10), 2)):
            stop = threading.Event()
            moved: list[int] = [0] * 6
            errors: list[BaseException] = []
            threads = [
                threading.Thread(
                    target=self._keep_changing,
                    args=([begin(options, user="ann") for _ in range(25)], options, stop, errors),
                    kwargs={"moved": moved, "index": index},
                )
                for index in range(len(moved))
            ]
            for thread in threads:
                thread.start()
            wait_until(partial(all, moved))
            store = MongoSession({}, use_cookies=False, **options).store
            if end == "clear":
                store.clear()
            else:
                store.destroy_where(user="ann")
            left = store.length()
            stop.set()
            for thread in threads:
                thread.join()
            assert not errors
            assert (0, 0) == (left, store.length())

    def _keep_changing(
        self,
        ids: list[str],
        options: Options,
        stop: threading.Event,
        errors: list[BaseException],
        *,
        moved: list[int],
        index: int,
    ) -> None:
        try:
            for position in itertools.cycle(range(len(ids))):
                if stop.is_set():
                    return
                session = visit(options, ids[position])
                if "user" in session:
                    session.regenerate_id()
                    session.save()
                    ids[position] = session.id
                    moved[index] += 1
        except BaseException as error:  # noqa: BLE001 - the test reports it
            errors.append(error)
