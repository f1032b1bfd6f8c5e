"""How the commands of the Makefile choose a Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT

# Kinds of Python, each with the exit status of its version check and of its check for venv.
_KINDS = {
    "good": (0, 0),
    "old": (1, 0),
    "bare": (0, 1),
    "broken launcher": (127, 127),
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
        ({"python3.11": "good", "python3.13": "broken launcher"}, "python3.11"),
        ({"python3": "old", "python": "good"}, "python"),
        ({"python3.13": "bare", "python3": "good"}, "python3"),
    ],
)
def test_first_working_python(tmp_path: Path, there: dict[str, str], chosen: str) -> None:
    """A Python that is too old, lacks the venv module or does not run is skipped."""
    for name, kind in there.items():
        _install(tmp_path, name, kind)
    assert f"{chosen} runs a script dev\n" == _choose(tmp_path).stdout


def test_named_python(tmp_path: Path) -> None:
    """The Python in the variable PYTHON overrides all others."""
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
def test_no_working_python(tmp_path: Path, there: dict[str, str], python: str, words: str) -> None:
    """Nothing is run, and one line on standard error explains the reason."""
    for name, kind in there.items():
        _install(tmp_path, name, kind)
    answer = _choose(tmp_path, python)
    assert (1, "") == (answer.returncode, answer.stdout)
    assert words in answer.stderr
    assert 1 == answer.stderr.count("\n")


def test_real_python() -> None:
    """The Python of these tests passes the checks of the script."""
    answer = subprocess.run(
        [ROOT / ".ci" / "python", "-c", "import sys; print(sys.version_info >= (3, 11))"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "True\n" == answer.stdout
