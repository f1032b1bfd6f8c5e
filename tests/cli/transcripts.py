"""Transcripts of commands on a terminal, as pictures."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from tests.cli.terminal import COLUMNS, screen
from tests.repository import ROOT

FOLDER = ROOT / "docs" / "images" / "cli"

_MASKS = (
    # Ports have five digits.
    (r"127\.0\.0\.1:\d{5}", "127.0.0.1:27017"),
    (r"MongoDB \d+\.\d+\.\d+", "MongoDB 6.0.5"),
    (r"answers in \d+ ms", "answers in 1 ms"),
    (r"\d+\.\d s between", "0.0 s between"),
    (r"\b2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-31T12:00:00Z"),
    (r'127\.0\.0\.1", \d{5}', '127.0.0.1", 27017'),
    (r"(?<!\d)1\d{9}\.25", "1769860800.25"),
    (r"(\W)\d:\d\d:\d\d\b", r"\g<1>0:00:00"),
    # The digits of a date vary.
    (r"\d\.\d/\d\.\d kB", "1.2/1.2 kB"),
)
_SIZE = re.compile(
    r"(?m)^(.*(?:On the disk|Index |expires_1|session\.user_1).*?)( *[\d.]+ k?B)( *)$"
)
_VERSIONS = re.compile(r"(?ms)^### Versions\n.*?(?=\n### )")
# Which others are installed varies.
_INSTALLED = ("Python", "system", "beaker_mongo_soajs", "Beaker", "pymongo", "click", "rich")


@dataclass(frozen=True, repr=False)
class Step:
    """Describe a command of a transcript.

    :param arguments: its arguments, after the configuration.
    :param answers: what the terminal shows, and what is typed then.
    :param code: its exit code.
    """

    arguments: tuple[str, ...]
    answers: tuple[tuple[str, str], ...] = ()
    code: int = 0


def mask(output: str) -> str:
    """Return what a terminal shows, without what differs from run to run.

    :param output: what was written to the terminal.
    """
    text = screen(output.replace("\r\n", "\n"))
    for pattern, replacement in _MASKS:
        text = re.sub(pattern, replacement, text)
    text = _VERSIONS.sub(_versions(), text)
    return _SIZE.sub(lambda found: f"{found[1]}{'20.5 kB':>{len(found[2])}}{found[3]}", text)


def picture(name: str, steps: Sequence[tuple[str, str]]) -> str:
    """Return the picture of commands and what they printed, as SVG.

    :param name: the name of the picture.
    :param steps: each command line, and what the terminal showed.
    """
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    for line, output in steps:
        console.print(Text.assemble(("$ ", "bold green"), line), soft_wrap=True)
        console.print(Text.from_ansi(output), overflow="fold")
    svg = console.export_svg(title="beaker-mongo", unique_id=name)
    # The pages load nothing from other sites.
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def _versions() -> str:
    return "\n".join(["### Versions", "", *(f"    {name} …" for name in _INSTALLED), ""])
