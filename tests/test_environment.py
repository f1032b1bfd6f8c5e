"""What the tests run on is what the test matrix says that they run on."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import beaker_mongo_soajs
from tests.conftest import Client
from tests.versions import DISTRIBUTIONS, find

_PREFIX = "EXPECT_"
# What can be promised, and how the truth is found. The variable has the name in capitals.
_FOUND: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "EXPECT_MONGODB": lambda request: _server_version(request.getfixturevalue("mongo_client")),
    "EXPECT_PACKAGE": lambda request: _place_of_the_package(),
} | {
    f"{_PREFIX}{name.upper()}": partial(lambda name, request: find(name), name)
    for name in ("Python", *DISTRIBUTIONS)
}


def _server_version(client: Client) -> str:
    answer: str = client.server_info()["version"]
    return answer


def _place_of_the_package() -> str:
    installed = Path(beaker_mongo_soajs.__file__).resolve().is_relative_to(sys.prefix)
    return "installed" if installed else "tree"


@pytest.mark.parametrize("variable", _FOUND)
def test_it_is_the_promised_version(request: pytest.FixtureRequest, variable: str) -> None:
    """The version found is the one promised, as far as that is given: 6.0 for 6.0.5.

    Where nothing is promised, any version will do.
    """
    promised = os.environ.get(variable, "")
    found = _FOUND[variable](request)
    length = len(promised.split(".")) if promised else 0
    assert promised == ".".join(found.split(".")[:length])


def test_no_promise_is_overlooked() -> None:
    """Each promise of the environment is one that the test above knows."""
    promised = {name for name in os.environ if name.startswith(_PREFIX)}
    assert set() == promised - _FOUND.keys()


@pytest.mark.parametrize(
    ("promised", "kept"), [("3", True), ("3.1", False), ("4", False), ("3.99", False)]
)
def test_a_broken_promise_is_seen(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, promised: str, kept: bool
) -> None:
    """The check above accepts a prefix of whole numbers, and nothing else."""
    monkeypatch.setenv("EXPECT_PYTHON", promised)
    if kept:
        test_it_is_the_promised_version(request, "EXPECT_PYTHON")
    else:
        with pytest.raises(AssertionError):
            test_it_is_the_promised_version(request, "EXPECT_PYTHON")


def test_a_promise_of_what_is_not_there_is_seen(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not installed keeps no promise of a version."""
    monkeypatch.setenv("EXPECT_FLASK", "3")
    monkeypatch.setitem(DISTRIBUTIONS, "Flask", "no such distribution")
    with pytest.raises(AssertionError):
        test_it_is_the_promised_version(request, "EXPECT_FLASK")
