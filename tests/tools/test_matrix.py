"""The test matrix: its promises, and the tables of tested versions."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.matrix import environments, in_readme, ran, table_of_versions
from tests.repository import ROOT

# The variables of factors with short names.
_NAMES = {"py": "PYTHON", "mongo": "MONGODB"}


@pytest.fixture(scope="module")
def variables() -> dict[str, Mapping[str, str]]:
    """Return the variables that tox sets in each environment that runs tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TOX_")}
    tox = [sys.executable, "-P", "-m", "tox", "config", "--format", "json", "-k", "set_env"]
    command = [*tox, "-e", ",".join(environments())]
    said = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return {name: each["set_env"] for name, each in json.loads(said.stdout)["env"].items()}


def test_each_factor_promises_its_version(variables: dict[str, Mapping[str, str]]) -> None:
    """Each factor promises the version in its name: flask31 promises Flask 3.1."""
    for environment, promised in variables.items():
        for factor in environment.split("-"):
            parts = re.fullmatch(r"([a-z]+?)(lowest|latest|\d*)", factor)
            assert parts is not None
            name, version = parts.groups()
            promise = promised.get(f"EXPECT_{_NAMES.get(name, name.upper())}")
            assert promise, f"{environment} promises no {name}"
            assert version in ("lowest", "latest", "", promise.replace(".", "")), environment


def test_the_package_is_tested_as_installed(variables: dict[str, Mapping[str, str]]) -> None:
    """All environments of the matrix test the installed package, not the working tree."""
    promised = {name: each.get("EXPECT_PACKAGE") for name, each in variables.items()}
    assert dict.fromkeys(environments(), "installed") == promised


def test_table_of_versions() -> None:
    """The table lists each version once, in the order of version numbers."""
    runs = {
        "one": {"PyMongo": "4.20.1", "Python": "3.11.7"},
        "two": {"PyMongo": "4.9", "Python": "3.11.7", "Flask": "3.1.3"},
    }
    assert [
        "| | the tests passed with |",
        "| --- | --- |",
        "| Python | 3.11.7 |",
        "| PyMongo | 4.9, 4.20.1 |",
        "| Flask | 3.1.3 |",
    ] == table_of_versions(runs).splitlines()


@pytest.mark.tables
def test_each_environment_has_run() -> None:
    """docs/tested.md lists all environments of the matrix and no others."""
    assert sorted(environments()) == sorted(ran())


@pytest.mark.tables
def test_table_in_the_readme() -> None:
    """The README's table of versions is made from docs/tested.md."""
    assert table_of_versions(ran()) == in_readme()
