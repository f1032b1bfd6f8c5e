"""The documentation of all options, made from the table: ``docs/options.md``.

``python -m beaker_mongo_soajs.config.options_doc`` writes it to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from beaker_mongo_soajs.config.translation import GROUP_MEANING
from beaker_mongo_soajs.options import pymongo_names, urlparam
from beaker_mongo_soajs.options.option import Effect, Keyword, NoEffect, Option, Refused, show
from beaker_mongo_soajs.options.table import ROWS

INTRODUCTION = """\
# Options

<!-- Written by: python -m beaker_mongo_soajs.config.options_doc > docs/options.md -->

Every option of a dbConfig as connect-mongo-soajs 0.2.2 defines it, and those of this package. Under
Beaker each stands behind its prefix: `session.name`, `session.URLParam.maxPoolSize`.

- Names are found in any case. An unknown name is an error that names the closest ones.
- Text is read as the option's own kind, so that INI files work: `yes`, `5`, `db1:27017, db2:27017`,
  `{"w": "majority"}`. Where an option may be left out, `null` means that, too; in INI text also
  `none` or nothing.
- An option given by itself goes before the same option in `dbConfig`.
- Defaults hold option by option. (In connect-mongo-soajs, a `URLParam` of one's own drops all
  defaults of `URLParam`.)
- "Reference" is what connect-mongo-soajs shows for the option. "As" is the keyword of PyMongo's
  `MongoClient` that it becomes.
- `DbConfig.from_options(…).explain()` says for a configuration what became of each line of it.
"""

URLPARAM = """\
Options in the query of `url` count as `URLParam`; one that both give must have one value.
`extraParam` goes before `URLParam`. An exception is whatever would take protection away: where
`URLParam.ssl` is on, `extraParam` cannot turn it off, and the same holds for the checks of the
server's certificate. Such a contradiction is an error.
"""

PYMONGO = """\
What PyMongo knows beyond the reference stands in `URLParam` as well, under PyMongo's own name and
with PyMongo's own default. Options that take a Python object cannot come from text.
"""

EXTRAPARAM = f"""\
`db` always applies. `server` applies to {GROUP_MEANING["server"]}, `replSet` to
{GROUP_MEANING["replSet"]} (`replicaSet` is given, or `url` starts with `mongodb+srv://`), `mongos`
to {GROUP_MEANING["mongos"]}. Options of the other groups have no effect; but where one
of those asks for TLS or names a certificate that is not in force, it is an error.

Certificates and keys may be PEM text, PEM bytes or the path of a PEM file. For PyMongo, which takes
files only, texts are written to files that nobody else can read, and removed as soon as PyMongo has
read them (with `mongodb+srv://`: when the process ends). `sslCA`, `sslCert` and `sslKey` imply TLS;
together with `ssl: false` they are an error.
"""

SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Top level", "", ()),
    ("`credentials`", "`null` or `{}`: no authentication.\n", ("credentials",)),
    ("`store`", "Options of this package's own.\n", ("store",)),
)


def render() -> str:
    """Write the documentation.

    :returns: Markdown
    """
    parts = [INTRODUCTION]
    for title, text, group in SECTIONS:
        rows = [row for row in ROWS if row.path[:-1] == group]
        parts.append(f"## {title}\n\n{text}{_newline(text)}{_settings_table(rows)}")
    parts.append(f"## `URLParam`\n\n{URLPARAM}\n{_driver_table(urlparam.ROWS)}")
    parts.append(f"### More of PyMongo's\n\n{PYMONGO}\n{_driver_table(pymongo_names.ROWS)}")
    parts.append(f"## `extraParam`\n\n{EXTRAPARAM}")
    for group in dict.fromkeys(row.path[:-1] for row in ROWS if row.path[0] == "extraParam"):
        rows = [row for row in ROWS if row.path[:-1] == group]
        parts.append(f"### `{'.'.join(group)}`\n\n{_driver_table(rows)}")
    return "\n".join(parts)


def _newline(text: str) -> str:
    return "\n" if text else ""


def _settings_table(rows: Iterable[Option]) -> str:
    body = ((_code(row.path[-1]), row.kind.name, _default(row), row.doc) for row in rows)
    return _table(("Option", "Value", "Default", "Meaning"), body)


def _driver_table(rows: Iterable[Option]) -> str:
    rows = tuple(rows)
    if all(not row.reference and row.default is None for row in rows if row.path[-1] != "appName"):
        body = ((_code(row.path[-1]), row.kind.name, _meaning(row)) for row in rows)
        return _table(("Option", "Value", "Meaning"), body)
    full = (
        (
            _code(row.path[-1]),
            row.kind.name,
            _code(row.reference),
            _default(row),
            _effect(row.effect),
            row.doc,
        )
        for row in rows
    )
    return _table(("Option", "Value", "Reference", "Default", "As", "Meaning"), full)


def _meaning(row: Option) -> str:
    refused = isinstance(row.effect, Refused)
    default = "" if row.default is None else f" Default: {_default(row)}."
    return _effect(row.effect) if refused else f"{row.doc}{default}"


def _effect(effect: Effect) -> str:
    match effect:
        case Keyword():
            note = f" ({effect.note})" if effect.note else ""
            return f"`{effect.name}`{note}"
        case NoEffect():
            return f"no effect, because {effect.because}"
        case Refused():
            return f"refused, because {effect.because}"
        case _:
            return effect.what


def _default(row: Option) -> str:
    return "" if row.default is None else _code(show(row.default))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: tuple[str, ...], body: Iterable[tuple[str, ...]]) -> str:
    return "".join(_lines((head, ("---",) * len(head), *body)))


def _lines(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n"


if __name__ == "__main__":
    sys.stdout.write(render())
