"""From the forms a configuration is written in to one value for each option."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from beaker_mongo_soajs.config.beaker_options import BEAKER_OPTIONS, PREFIXES
from beaker_mongo_soajs.config.db_config_option import load_db_config
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.coerce import NULL_WORDS, InvalidValue, parse_json
from beaker_mongo_soajs.options.option import Path
from beaker_mongo_soajs.options.table import GROUPS, TABLE, find_path

_DB_CONFIG = ("dbConfig",)
_NONE_IS_ABSENT = frozenset({("url",), ("client",), _DB_CONFIG})
"""pyramid_beaker names ``url`` for every cache region, with ``None`` when there is none."""

_POSITIONS = {path: position for position, path in enumerate(TABLE)}

OnError = Callable[[ConfigError], None]
"""What is told of an error, and may raise it or go on."""


@dataclass(frozen=True, repr=False)
class GivenOptions:
    """Hold the options that were given.

    :param values: each option's value as its kind reads it, in the table's order
    :param nulls: the options that were given as ``null``, which is as good as not at all
    """

    values: Mapping[Path, Any]
    nulls: tuple[Path, ...] = ()

    def without(self, name: str) -> GivenOptions:
        """Leave an option out, or where it was not given itself, the closest around it.

        :param name: the option's name
        :returns: the rest: fewer options in any case, and in the end none
        """
        wanted = tuple(name.split("."))
        while wanted and not any(path[: len(wanted)] == wanted for path in self.values):
            wanted = wanted[:-1]
        rest = {path: value for path, value in self.values.items() if path[: len(wanted)] != wanted}
        return GivenOptions(rest, self.nulls)


@dataclass(frozen=True, repr=False)
class _Raw:
    value: Any
    spelling: str


_Layer = dict[Path, _Raw]


def raise_error(error: ConfigError) -> None:
    """Raise the first error there is."""
    raise error


def gather(options: Mapping[Any, object], on_error: OnError = raise_error) -> GivenOptions:
    """Read all forms of options into one value each.

    :param options: the options without Beaker's prefix, with what else Beaker passes
    :param on_error: is told of each option that is unknown, given twice or does not fit; where it
        returns, the option is left out
    :returns: what was given
    :raises ConfigError: whatever ``on_error`` raises
    """
    own = _Flattener(on_error)
    for name, value in options.items():
        if not isinstance(name, str):
            kind = type(name).__name__
            on_error(ConfigError(f"An option has a {kind} for a name, not text."))
        elif not _is_beakers(name):
            own.put((), name, value, name)
    whole = _Flattener(on_error)
    source = own.layer.pop(_DB_CONFIG, None)
    if source is not None and not TABLE[_DB_CONFIG].kind.is_null(source.value):
        whole.put_all(source.value)
    _override(whole.layer, own.layer)
    return _read(whole.layer, on_error)


def _is_beakers(name: str) -> bool:
    return name.lower() in BEAKER_OPTIONS or name.lower().startswith(PREFIXES)


class _Flattener:
    """Spread groups of options out into one entry for each option."""

    def __init__(self, on_error: OnError) -> None:
        self.layer: _Layer = {}
        self._on_error = on_error

    def put_all(self, db_config: Any) -> None:
        """Put all options of a ``dbConfig``."""
        try:
            options = load_db_config(db_config)
        except ConfigError as error:
            self._on_error(error)
            return
        for name, value in options.items():
            self.put((), str(name), value, f"dbConfig.{name}")
        if self.layer.pop(_DB_CONFIG, None) is not None:
            self._on_error(
                ConfigError(
                    "dbConfig holds a dbConfig.",
                    option="dbConfig",
                    hint="Leave the outer one out.",
                )
            )

    def put(self, group: Path, name: str, value: Any, spelling: str) -> None:
        """Put an option, or a group of options one by one."""
        try:
            path = find_path(group, name)
            content = _read_group(path, value) if path in GROUPS else None
        except ConfigError as error:
            self._on_error(error)
            return
        if content is not None:
            for part, item in content.items():
                self.put(path, str(part), item, f"{spelling}.{part}")
        elif path in self.layer:
            self._on_error(_given_twice(path, self.layer[path].spelling, spelling))
        else:
            self.layer[path] = _Raw(None if path in GROUPS else value, spelling)


def _given_twice(path: Path, first: str, second: str) -> ConfigError:
    return ConfigError(
        f"{'.'.join(path)} is given twice, as {first} and as {second}.",
        option=".".join(path),
        hint="Leave one of them out: case makes no difference in the name of an option.",
    )


def _read_group(path: Path, value: Any) -> Mapping[Any, Any] | None:
    """Read a group of options: an object, JSON text, or null."""
    if isinstance(value, str) and value.strip().lower() in NULL_WORDS:
        return None
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except InvalidValue:
            raise _not_an_object(path) from None
    if value is not None and not isinstance(value, Mapping):
        raise _not_an_object(path)
    return value


def _not_an_object(path: Path) -> ConfigError:
    option = ".".join(path)
    example = next(row[len(path)] for row in TABLE if row[: len(path)] == path)
    return ConfigError(
        f"{option} must be an object, or text that holds one in JSON.",
        option=option,
        # Whatever stands here may hold a password.
        value=MASK,
        hint=f"Its parts can also be given one by one: {option}.{example}.",
    )


def _override(layer: _Layer, upper: _Layer) -> None:
    for path, raw in upper.items():
        if path in _NONE_IS_ABSENT and raw.value is None:
            continue
        if path in GROUPS:
            for below in [option for option in layer if option[: len(path)] == path]:
                del layer[below]
        layer[path] = raw


def _read(layer: _Layer, on_error: OnError) -> GivenOptions:
    values: dict[Path, Any] = {}
    nulls: list[Path] = []
    # In the table's order, so that equal configurations are equal in every respect.
    for path in sorted(layer, key=lambda path: _POSITIONS.get(path, -1)):
        try:
            value = _read_value(path, layer[path].value)
        except ConfigError as error:
            on_error(error)
            continue
        if value is None:
            nulls.append(path)
        else:
            values[path] = value
    return GivenOptions(values, tuple(nulls))


def _read_value(path: Path, raw: Any) -> Any:
    if path in GROUPS or TABLE[path].kind.is_null(raw):
        return None
    try:
        return TABLE[path].kind.read(raw)
    except InvalidValue as error:
        code = {"name": 190, "servers": 190, "collection": 191}.get(TABLE[path].name)
        raise TABLE[path].error(raw, str(error), code=code) from None


def add_url_options(given: GivenOptions, options: Iterable[tuple[str, str]]) -> GivenOptions:
    """Count the options of a connection string among those of ``URLParam``.

    :param given: the options given otherwise
    :param options: names and values from the connection string
    :returns: both together
    :raises ConfigError: an option is unknown, malformed, or has another value in ``URLParam``
    """
    texts: dict[Path, list[str]] = {}
    for name, text in options:
        texts.setdefault(find_path(("URLParam",), name), []).append(text)
    layer: _Layer = {}
    for path, values in texts.items():
        # MongoDB's connection string format repeats this one option, in order of preference.
        if len(values) > 1 and path[-1] != "readPreferenceTags":
            raise ConfigError(
                f"url gives {path[-1]} {len(values)} times.",
                option="url",
                hint="Leave all but one out.",
            )
        value = values if path[-1] == "readPreferenceTags" else values[0]
        layer[path] = _Raw(value, f"url: {path[-1]}")
    found = _read(layer, raise_error).values
    for path, value in found.items():
        if given.values.get(path, value) != value:
            raise ConfigError(
                f"url and {'.'.join(path)} give {path[-1]} different values.",
                option=".".join(path),
                value=TABLE[path].show(given.values[path]),
                hint="Leave one of them out.",
            )
    merged = {**given.values, **found}
    ordered = {path: merged[path] for path in sorted(merged, key=_POSITIONS.__getitem__)}
    return GivenOptions(ordered, given.nulls)
