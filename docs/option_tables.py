"""The tables of the page *Options*, made from the tables of the package.

A comment ``<!-- options: URLParam -->`` in the page is replaced by the table of that group.
"""

import inspect
import re
from collections.abc import Iterable
from typing import Any

from beaker.session import Session
from beaker_options import CACHES, SESSIONS, BeakerOption

from beaker_mongo_soajs.options.masking import show
from beaker_mongo_soajs.options.option import Keyword, NoEffect, Option, Refused
from beaker_mongo_soajs.options.table import ROWS

_MARK = re.compile(r"<!-- options: ([\w. ]+) -->")
_DRIVER = ("URLParam", "extraParam")
# The defaults of MongoSession and of the middleware of this package, which differ from Beaker's.
_OTHER_DEFAULTS = {"httponly": True, "invalidate_corrupt": True, "type": "ext:mongodb_soajs"}


def insert_tables(text: str) -> str:
    """Replace each mark of a page by its table.

    :param text: the page, in Markdown.
    """
    return _MARK.sub(lambda mark: _table_of(mark[1]), text)


def _table_of(name: str) -> str:
    match name:
        case "sessions of Beaker":
            return _beaker_table(SESSIONS, _session_defaults())
        case "caches of Beaker":
            return _beaker_table(CACHES, {"enabled": True, "key_length": 250})
        case "without effect":
            rows = [row for row in ROWS if isinstance(row.effect, NoEffect)]
            return _table(("Option", "Reason"), ((_code(row.name), _reason(row)) for row in rows))
        case "refused":
            rows = [row for row in ROWS if isinstance(row.effect, Refused)]
            return _table(("Option", "Reason"), ((_code(row.name), _reason(row)) for row in rows))
    group = () if name == "top level" else tuple(name.split("."))
    rows = [
        row
        for row in ROWS
        if row.path[:-1] == group and not isinstance(row.effect, NoEffect | Refused)
    ]
    if not rows:
        raise ValueError(f"docs/options.md: there are no options {name}")
    head = ("Option", "Value", "Default", "Meaning")
    return _table(
        head, ((_code(row.name), row.kind.name, _default(row), _doc(row)) for row in rows)
    )


def _beaker_table(options: Iterable[BeakerOption], defaults: dict[str, Any]) -> str:
    return _table(
        ("Option", "Value", "Default", "Meaning"),
        (
            (_code(each.name), each.value, _shown(defaults.get(each.name)), each.meaning)
            for each in options
        ),
    )


def _session_defaults() -> dict[str, Any]:
    parameters = inspect.signature(Session.__init__).parameters.values()
    return {each.name: each.default for each in parameters} | _OTHER_DEFAULTS


def _reason(row: Option) -> str:
    assert isinstance(row.effect, NoEffect | Refused)
    reason = row.effect.because
    return f"{reason[:1].upper()}{reason[1:]}."


def _doc(row: Option) -> str:
    parts = [row.doc.replace("``", "`")]
    if isinstance(row.effect, Keyword):
        note = f", {row.effect.note}" if row.effect.note else ""
        if row.effect.name != row.path[-1] or note:
            parts.append(f"In PyMongo: `{row.effect.name}`{note}.")
    if row.reference and row.path[0] in _DRIVER:
        parts.append(f"Reference: {_code(row.reference)}.")
    return " ".join(parts)


def _default(row: Option) -> str:
    return _shown(row.default)


def _shown(value: object) -> str:
    return "" if value is None or value == "" else _code(show(value))


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], body: Iterable[tuple[str, ...]]) -> str:
    rows = (head, ("---",) * len(head), *body)
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    )
