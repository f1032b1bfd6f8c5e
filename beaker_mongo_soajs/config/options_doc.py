"""The documentation of all options, generated from the table: ``docs/options.md``.

``python -m beaker_mongo_soajs.config.options_doc`` writes it to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from beaker_mongo_soajs.config.translation import GROUP_MEANING
from beaker_mongo_soajs.options import node_names, pymongo_names, urlparam
from beaker_mongo_soajs.options.masking import show
from beaker_mongo_soajs.options.option import Effect, Keyword, NoEffect, Option, Refused
from beaker_mongo_soajs.options.table import ROWS

INTRODUCTION = """\
# Options

<!-- Written by: python -m beaker_mongo_soajs.config.options_doc > docs/options.md -->

This page lists every option of a dbConfig, as connect-mongo-soajs 0.2.2 defines it, and the options
of this package. In Beaker's settings, each name has Beaker's prefix: `session.name`,
`session.URLParam.maxPoolSize`.

- Names are the same in upper and lower case. An unknown name is an error that suggests the right
  one.
- Text is converted to the type of the option, so INI files work: `yes`, `5`,
  `db1:27017, db2:27017`, `{"w": "majority"}`. Where an option may be left out, `null` means "not
  given"; in INI text, so do `none` and blank text.
- Individual options override `dbConfig`. A blank one is the same as not given; `null` sets the
  option back to its default.
- Every duration accepts a unit: `"30s"`, `"30m"`, `"2w"`.
- Names may have underscores instead of dots, as environment variables do: `STORE_TOUCHAFTER`.
- `user`, `username` and `password` at the top level mean the credentials.
- Options of Beaker's other backends (`sa.url`, `memcache_module`, `file_dir`, …) and unknown
  options without a value have no effect. One warning at the start of the application lists them.
- All errors of a configuration are one `ConfigError`. Its `errors` has one error for each.
- Each option has its own default. (In connect-mongo-soajs, a given `URLParam` replaces all defaults
  of `URLParam`.)
- "Reference" is the value that connect-mongo-soajs documents. "As" is the resulting keyword of
  PyMongo's `MongoClient`.
- `DbConfig.from_options(…).explain()` describes the effect of each option in a configuration.
"""

URLPARAM = """\
Options in the query of `url` are read as `URLParam`. If both set an option, the values must be
equal. `extraParam` overrides `URLParam`, but it cannot remove protection: if `URLParam.ssl` is on
and `extraParam` turns it off, that is an error. The same applies to the checks of the server's
certificate.
"""

PYMONGO = """\
The other options of PyMongo are options of `URLParam`, too, with PyMongo's names and defaults.
Options that take a Python object cannot be given as text.
"""

NODE = """\
Configurations of SOAJS pass these options, too. They are accepted, and `explain()` describes the
effect of each.
"""

EXTRAPARAM = f"""\
`db` always applies. `server` applies to {GROUP_MEANING["server"]}, `replSet` to
{GROUP_MEANING["replSet"]} (`replicaSet` is given, or `url` starts with `mongodb+srv://`), `mongos`
to {GROUP_MEANING["mongos"]}. Options of the other groups have no effect. If one of them
asks for TLS, or names a certificate that is not in use, that is an error.

Certificates and keys may be PEM text, PEM bytes or the path of a PEM file. PyMongo accepts only
files, so text is written to files that only the current user can read. They are removed as soon as
PyMongo has read them (with `mongodb+srv://`: when the process ends). `sslCA`, `sslCert` and
`sslKey` imply TLS; together with `ssl: false` they are an error.
"""

SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Top level", "", ()),
    ("`credentials`", "`null` or `{}`: no authentication.\n", ("credentials",)),
    ("`store`", "These options are this package's own.\n", ("store",)),
    (
        "`store.migrateFrom`",
        "The backend that sessions are moved from. See [Migrating](migrating.md).\n",
        ("store", "migrateFrom"),
    ),
)


def render() -> str:
    """Render the documentation.

    :returns: Markdown
    """
    parts = [INTRODUCTION]
    for title, text, group in SECTIONS:
        rows = [row for row in ROWS if row.path[:-1] == group]
        parts.append(f"## {title}\n\n{text}{_newline(text)}{_settings_table(rows)}")
    parts.append(f"## `URLParam`\n\n{URLPARAM}\n{_driver_table(urlparam.ROWS)}")
    parts.append(
        f"### Further options of PyMongo\n\n{PYMONGO}\n{_driver_table(pymongo_names.ROWS)}"
    )
    parts.append(f"### Options of SOAJS and the Node driver\n\n{NODE}\n{_node_table()}")
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


def _node_table() -> str:
    top = tuple(node_names.TOP_ROWS)
    rows = (*top, *(row for row in node_names.ROWS if row.path[0] == "URLParam"))
    body = ((_code(row.name), row.kind.name, _effect(row.effect)) for row in rows)
    return _table(("Option", "Value", "Effect"), body)


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
