"""The choice of a Python by the commands of the Makefile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT

# Each stands for one kind of Python: what it answers when it is asked for its version, and when it
# is asked for the module venv.
_KINDS = {
    "good": (0, 0),
    "old": (1, 0),
    "bare": (0, 1),
    "launcher of nothing": (127, 127),
}


def _install(folder: Path, name: str, kind: str) -> Path:
    version, venv = _KINDS[kind]
    path = folder / name
    path.write_text(
        f"#!/bin/sh\ncase $2 in *version*) exit {version} ;; *venv*) exit {venv} ;; esac\n"
        f'echo "{name} runs $*"\n'
    )
    path.chmod(0o755)
    return path


def _choose(folder: Path, python: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci" / "python", "a script", "dev"],
        env={"PATH": str(folder), "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"python3": "good"}, "python3"),
        ({"python3.12": "good", "python3.13": "good"}, "python3.13"),
        ({"python3.11": "good", "python3.13": "launcher of nothing"}, "python3.11"),
        ({"python3": "old", "python": "good"}, "python"),
        ({"python3.13": "bare", "python3": "good"}, "python3"),
    ],
)
def test_the_first_that_works_is_chosen(tmp_path: Path, there: dict[str, str], chosen: str) -> None:
    """A Python that is too old, has no venv module or does not run at all is passed over."""
    for name, kind in there.items():
        _install(tmp_path, name, kind)
    assert f"{chosen} runs a script dev\n" == _choose(tmp_path).stdout


def test_a_named_python_is_chosen(tmp_path: Path) -> None:
    """The Python that PYTHON names goes before all others."""
    _install(tmp_path, "python3.13", "good")
    named = _install(tmp_path, "my python", "good")
    assert "my python runs a script dev\n" == _choose(tmp_path, str(named)).stdout


@pytest.mark.parametrize(
    ("there", "python", "words"),
    [
        ({}, "", "No Python 3.11 or later found on PATH"),
        ({"python3": "old"}, "", "No Python 3.11 or later found on PATH"),
        ({"python3": "bare"}, "", "python3 has no venv module"),
        ({"python3": "good", "mine": "old"}, "mine", "PYTHON=mine does not run, or is older"),
        ({"python3": "good"}, "mine", "PYTHON=mine does not run, or is older"),
        ({"python3": "good", "mine": "bare"}, "mine", "mine has no venv module"),
    ],
)
def test_without_one_that_works_a_sentence_says_why(
    tmp_path: Path, there: dict[str, str], python: str, words: str
) -> None:
    """Nothing is run, and one line on standard error tells what to do."""
    for name, kind in there.items():
        _install(tmp_path, name, kind)
    answer = _choose(tmp_path, python)
    assert (1, "") == (answer.returncode, answer.stdout)
    assert words in answer.stderr
    assert 1 == answer.stderr.count("\n")


def test_the_python_of_these_tests_works() -> None:
    """What the script asks a real Python is answered as it should be."""
    answer = subprocess.run(
        [ROOT / ".ci" / "python", "-c", "import sys; print(sys.version_info >= (3, 11))"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "True\n" == answer.stdout
