"""The table of all options, and how an option is found by its name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options import (
    extraparam,
    migrate_from,
    node_crypto,
    node_names,
    pymongo_names,
    top,
    urlparam,
)
from beaker_mongo_soajs.options.foreign_names import find_advice
from beaker_mongo_soajs.options.masking import show_name
from beaker_mongo_soajs.options.option import Option, Path

ROWS: tuple[Option, ...] = (
    *top.ROWS,
    *migrate_from.ROWS,
    *node_crypto.ROWS,
    *node_names.TOP_ROWS,
    *urlparam.ROWS,
    *pymongo_names.ROWS,
    *extraparam.ROWS,
    *node_names.ROWS,
)
TABLE: dict[Path, Option] = {row.path: row for row in ROWS}

GROUPS: frozenset[Path] = frozenset(
    path[:length] for path in TABLE for length in range(1, len(path))
)
"""The paths of groups of options: ``("extraParam", "db")``."""

_ALIASES: dict[str, Path] = {
    "user": ("credentials", "username"),
    "username": ("credentials", "username"),
    "password": ("credentials", "password"),
}
"""Names at the top level that most other packages use for the credentials."""

_CHILDREN: dict[Path, dict[str, str]] = {}
for _path in TABLE:
    for _depth, _segment in enumerate(_path):
        _CHILDREN.setdefault(_path[:_depth], {})[_segment.lower()] = _segment


_JOINED: dict[str, Path] = {"_".join(path).lower(): path for path in (*GROUPS, *TABLE)}
"""The names with underscores instead of dots, as environment variables have them."""

_NAMES = frozenset(".".join(path).lower() for path in TABLE)

_MOST_NAMES = 20
"""A group with so many options is not listed in an error."""

_SIBLING_RATIO = 0.6
_LEAF_RATIO = 0.8
_CERTAIN_RATIO = 0.85
_MARGIN = 0.15
"""A suggestion is not shown if another one is closer by more than this."""


def find_path(group: Path, name: str, known: Iterable[str] = (), *, cache: bool = False) -> Path:
    """Find an option or a group of options by its name, in upper or lower case.

    :param group: the group to search, ``()`` for the top level
    :param name: the name, with a dot after the name of each group, or an underscore, as in
        ``STORE_TOUCHAFTER``
    :param known: further names to suggest, which are not in the table: Beaker's
    :param cache: whether the options are those of a cache, for the suggestions
    :returns: the path in the spelling of a dbConfig
    :raises ConfigError: there is no such option; the hint suggests names
    """
    path = group
    for segment in name.split("."):
        children = _CHILDREN.get(path, {})
        spelling = children.get(segment.strip().lower())
        if spelling is None:
            found = _find_other_spelling(group, name)
            if found is None:
                raise _unknown(group, name, path, known, cache=cache)
            return found
        path = (*path, spelling)
    return path


def is_alias(name: str) -> bool:
    """Check whether a name at the top level is another package's name of an option.

    :param name: the name
    """
    return name.strip().lower() in _ALIASES


def _find_other_spelling(group: Path, name: str) -> Path | None:
    name = name.strip().lower()
    if not group and name in _ALIASES:
        return _ALIASES[name]
    return _JOINED.get("_".join((*group, *name.split("."))).lower())


def _unknown(
    group: Path, name: str, reached: Path, known: Iterable[str], *, cache: bool
) -> ConfigError:
    full = show_name(".".join((*group, name)))
    segments = name.split(".")[len(reached) - len(group) :]
    advice = None if reached else find_advice(name, cache=cache)
    return ConfigError(
        f"There is no option {full}.",
        option=full,
        hint=advice or _suggest(reached, segments, () if reached else known),
    )


def _suggest(reached: Path, segments: list[str], known: Iterable[str]) -> str:
    first, *inner = segments
    close = find_close_names(reached, first, known)
    if inner:
        rest = ".".join(inner)
        close = [f"{group}.{rest}" for group in close if _exists(f"{group}.{rest}")]
        close = close or find_close_names(reached, inner[-1])
    if close:
        return f"Did you mean {' or '.join(close)}?"
    names = sorted(_CHILDREN.get(reached, {}).values())
    if not reached:
        names = ["name", "servers", "url", "collection", "credentials", "URLParam", "store"]
    if not names or len(names) >= _MOST_NAMES:
        return "Remove it, or correct its name."
    where = f"the options of {'.'.join(reached)}" if reached else "the most common options"
    return f"Remove it, or correct its name: {where} are {', '.join(names)}."


def _exists(name: str) -> bool:
    return name.lower() in _NAMES


def find_close_names(group: Path, name: str, known: Iterable[str] = ()) -> list[str]:
    """Find the names that are most similar to an unknown one.

    :param group: the group in which the name is unknown
    :param name: the unknown name
    :param known: further names to suggest
    :returns: at most four full names, the closest first
    """
    wanted = name.strip().lower()

    def score(candidates: Iterable[tuple[str, str]], least: float) -> dict[str, float]:
        ratios = {
            full: SequenceMatcher(None, wanted, candidate.lower()).ratio()
            for candidate, full in candidates
        }
        return {full: ratio for full, ratio in ratios.items() if ratio >= least}

    siblings = [
        (spelling, ".".join((*group, spelling))) for spelling in _CHILDREN.get(group, {}).values()
    ]
    scores = score([*siblings, *((other, other) for other in known)], _SIBLING_RATIO)
    if all(ratio < _CERTAIN_RATIO for ratio in scores.values()):
        scores |= score([(path[-1], ".".join(path)) for path in TABLE], _LEAF_RATIO)
    ranked = sorted(scores, key=lambda full: (-scores[full], full.count(".")))
    return [full for full in ranked if scores[full] >= scores[ranked[0]] - _MARGIN][:4]
