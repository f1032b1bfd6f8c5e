"""How often the tests try something."""

import pytest

from tests.effort import times


@pytest.mark.parametrize(("named", "expected"), [("", 200), ("full", 200), ("tenth", 20)])
def test_the_environment_chooses(
    monkeypatch: pytest.MonkeyPatch, named: str, expected: int
) -> None:
    """The full effort is made where nothing else is said."""
    monkeypatch.setenv("TEST_EFFORT", named)
    assert expected == times(200)


def test_a_wrong_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that means nothing is no reason to try less."""
    monkeypatch.setenv("TEST_EFFORT", "tenths")
    with pytest.raises(AssertionError, match="TEST_EFFORT=tenths: full or tenth"):
        times(200)
