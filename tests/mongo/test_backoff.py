"""Pauses between attempts."""

from itertools import islice

import pytest

from beaker_mongo_soajs.mongo import backoff


def test_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are drawn from zero to a length that doubles, from a millisecond to the longest."""
    drawn: list[tuple[float, ...]] = []

    def uniform(*bounds: float) -> float:
        drawn.append(bounds)
        return bounds[0]

    monkeypatch.setattr(backoff._random, "uniform", uniform)
    assert [1, 2, 3, 4, 5] == [*islice(backoff.attempts(60, 0.003), 5)]
    assert [(0, 0.001), (0, 0.002), (0, 0.003), (0, 0.003)] == drawn
    assert [1] == [*backoff.attempts(0)]
