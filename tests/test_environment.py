"""What the tests run on is what the test matrix says that they run on."""

import os
import platform
from collections.abc import Callable
from importlib.metadata import version

import pytest

from tests.conftest import Client

_FOUND: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "EXPECT_PYTHON": lambda request: platform.python_version(),
    "EXPECT_BEAKER": lambda request: version("beaker"),
    "EXPECT_PYMONGO": lambda request: version("pymongo"),
    "EXPECT_MONGODB": lambda request: _server_version(request.getfixturevalue("mongo_client")),
}


def _server_version(client: Client) -> str:
    answer: str = client.server_info()["version"]
    return answer


@pytest.mark.parametrize("variable", _FOUND)
def test_it_is_the_promised_version(request: pytest.FixtureRequest, variable: str) -> None:
    """The version found is the one promised, as far as that is given: 6.0 for 6.0.5.

    Where nothing is promised, any version will do.
    """
    promised = os.environ.get(variable, "")
    found = _FOUND[variable](request)
    length = len(promised.split(".")) if promised else 0
    assert promised == ".".join(found.split(".")[:length])


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
