"""The tested versions are those that the test matrix promises."""

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


def _package_location(_request: pytest.FixtureRequest) -> str:
    path = Path(beaker_mongo_soajs.__file__).resolve()
    return "installed" if path.is_relative_to(Path(sys.prefix).resolve()) else "tree"


def _version(name: str, _request: pytest.FixtureRequest) -> str:
    return versions.find(name) or "none"


# The variables of all promises, each with a function that finds the actual version.
_FOUND: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    f"{_PREFIX}{name.upper()}": partial(_version, name) for name in versions.NAMES
} | {
    # The version of the running server; the others are those of installed packages.
    "EXPECT_MONGODB": _server_version,
    "EXPECT_PACKAGE": _package_location,
}


@pytest.mark.parametrize("variable", _FOUND)
def test_promised_version(request: pytest.FixtureRequest, variable: str) -> None:
    """The actual version begins with the promised one: 6.0.5 with 6.0.

    Without a promise, any version is accepted, and so is none.
    """
    promised = os.environ.get(variable, "")
    found = _FOUND[variable](request)
    length = len(promised.split(".")) if promised else 0
    assert promised == ".".join(found.split(".")[:length])


def test_all_promises_are_checked() -> None:
    """Each promise in the environment is checked by a test."""
    promised = {name for name in os.environ if name.startswith(_PREFIX)}
    # The tests in a browser check the last one.
    assert set() == promised - {*_FOUND, "EXPECT_CHROMIUM"}
