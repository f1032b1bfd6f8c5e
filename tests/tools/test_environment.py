"""What the tests run on is what the test matrix says that they run on."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import beaker_mongo_soajs
from tests import versions
from tests.conftest import Client

_PREFIX = "EXPECT_"


def _server_version(request: pytest.FixtureRequest) -> str:
    client: Client = request.getfixturevalue("mongo_client")
    answer: str = client.server_info()["version"]
    return answer


def _place_of_the_package(_request: pytest.FixtureRequest) -> str:
    path = Path(beaker_mongo_soajs.__file__).resolve()
    return "installed" if path.is_relative_to(Path(sys.prefix).resolve()) else "tree"


def _version(name: str, _request: pytest.FixtureRequest) -> str:
    return versions.find(name) or "none"


# What can be promised, and how the truth is found. The variable has the name in capitals.
_FOUND: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    f"{_PREFIX}{name.upper()}": partial(_version, name) for name in versions.NAMES
} | {
    # Of the server that answers, where the others can only look at what is installed.
    "EXPECT_MONGODB": _server_version,
    "EXPECT_PACKAGE": _place_of_the_package,
}


@pytest.mark.parametrize("variable", _FOUND)
def test_it_is_the_promised_version(request: pytest.FixtureRequest, variable: str) -> None:
    """The version found is the one promised, as far as that is given: 6.0 for 6.0.5.

    Where nothing is promised, any version will do, and none.
    """
    promised = os.environ.get(variable, "")
    found = _FOUND[variable](request)
    length = len(promised.split(".")) if promised else 0
    assert promised == ".".join(found.split(".")[:length])


def test_no_promise_is_overlooked() -> None:
    """Each promise of the environment is one that a test knows."""
    promised = {name for name in os.environ if name.startswith(_PREFIX)}
    # The tests in a browser see to the last one themselves.
    assert set() == promised - {*_FOUND, "EXPECT_CHROMIUM"}


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
    monkeypatch.setattr(versions, "find", lambda name: None)
    with pytest.raises(AssertionError):
        test_it_is_the_promised_version(request, "EXPECT_FLASK")
