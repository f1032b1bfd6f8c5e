"""The table of mistakes and messages: ``mistakes.txt``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beaker_mongo_soajs import SessionMiddleware
from beaker_mongo_soajs.exceptions import ConfigError

TABLE = Path(__file__).with_name("mistakes.txt")


def read_table() -> Iterator[Any]:
    """Yield the settings and the message of each mistake in the table."""
    for block in TABLE.read_text(encoding="utf-8").strip().split("\n\n"):
        settings: dict[str, Any] = {}
        words: list[str] = []
        for line in block.splitlines():
            if line.startswith(" "):
                words.append(line)
            else:
                name, _, value = line.partition(" = ")
                settings[name] = json.loads(value)
        yield pytest.param(settings, " ".join(words), id=", ".join(settings))


@pytest.mark.filterwarnings("ignore::beaker_mongo_soajs.InsecureSessionWarning")
@pytest.mark.parametrize(("settings", "message"), [*read_table()])
def test_message(settings: dict[str, Any], message: str) -> None:
    """Each mistake has the message in the table, apart from the places of the line breaks."""
    with pytest.raises(ConfigError) as caught:
        SessionMiddleware(lambda *_: [], {"session.secret": "a secret"} | settings)
    assert message.split() == str(caught.value).split()
