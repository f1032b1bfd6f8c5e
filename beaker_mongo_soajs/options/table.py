"""The table of all options, and how an option is found by its name."""

from __future__ import annotations

from difflib import get_close_matches

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options import extraparam, pymongo_names, top, urlparam
from beaker_mongo_soajs.options.option import Option, Path

ROWS: tuple[Option, ...] = (
    *top.ROWS,
    *urlparam.ROWS,
    *pymongo_names.ROWS,
    *extraparam.ROWS,
)
TABLE: dict[Path, Option] = {row.path: row for row in ROWS}

GROUPS: frozenset[Path] = frozenset(
    path[:length] for path in TABLE for length in range(1, len(path))
)
"""The paths of groups of options: ``("extraParam", "db")``."""

_CHILDREN: dict[Path, dict[str, str]] = {}
for _path in TABLE:
    for _depth, _segment in enumerate(_path):
        _CHILDREN.setdefault(_path[:_depth], {})[_segment.lower()] = _segment


def find_path(group: Path, name: str) -> Path:
    """Find an option or a group of options by its name, in upper or lower case.

    :param group: the group to search, ``()`` for the top level
    :param name: the name, with a dot after the name of each group
    :returns: the path in the spelling of a dbConfig
    :raises ConfigError: there is no such option; the hint suggests names
    """
    path = group
    for segment in name.split("."):
        known = _CHILDREN.get(path, {})
        spelling = known.get(segment.strip().lower())
        if spelling is None:
            raise _unknown(group, name, path)
        path = (*path, spelling)
    return path


def _unknown(group: Path, name: str, reached: Path) -> ConfigError:
    full = ".".join((*group, name))
    wanted = name.rpartition(".")[2].strip().lower()
    siblings = _CHILDREN.get(reached, {})
    close = [
        ".".join((*reached, siblings[match]))
        for match in get_close_matches(wanted, siblings, n=3, cutoff=0.6)
    ]
    leaves: dict[str, list[str]] = {}
    for path in TABLE:
        leaves.setdefault(path[-1].lower(), []).append(".".join(path))
    for match in get_close_matches(wanted, leaves, n=3, cutoff=0.8):
        close += [option for option in leaves[match] if option not in close]
    hint = (
        f"Did you mean {' or '.join(close[:4])}?" if close else "docs/options.md lists all options."
    )
    return ConfigError(f"There is no option {full}.", option=full, hint=hint)
