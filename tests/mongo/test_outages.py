"""How a process notices that an outage is over."""

import os
import threading
from types import SimpleNamespace

import pytest

from beaker_mongo_soajs.exceptions import StoreRefused, StoreUnavailable
from beaker_mongo_soajs.mongo import outages as module
from beaker_mongo_soajs.mongo.outages import Outages
from tests.waiting import wait_until


@pytest.mark.parametrize("answer", [None, StoreRefused("not authorized")])
def test_any_answer_ends_an_outage(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage lasts until the database answers, with a refusal too; it is asked each second."""
    pauses: list[float] = []
    begun = threading.Event()

    def sleep(seconds: float) -> None:
        assert begun.wait(10)
        pauses.append(seconds)

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep))
    answers = [*[StoreUnavailable("no answer")] * 5, answer]

    def probe() -> None:
        found = answers.pop(0)
        if found is not None:
            raise found

    outages = Outages(probe)
    assert not outages.lasts
    outages.begin()
    outages.begin()
    begun.set()
    wait_until(lambda: not outages.lasts)
    assert [] == answers
    assert [0.1, 0.2, 0.4, 0.8, 1.0, 1.0] == pauses


def test_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked process, which has no thread that asks again, finds out by itself."""
    outages = Outages(lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda self: None)
        outages.begin()
        assert outages.lasts
        patch.setattr(os, "getpid", lambda: -1)
        assert not outages.lasts
