"""From the forms a configuration is written in to one value for each option."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from beaker_mongo_soajs.coerce import NULL_WORDS, Unfit, parse_json
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.option import Path
from beaker_mongo_soajs.options import GROUPS, TABLE, find_path

_SESSION = (
    "request id invalidate_corrupt use_cookies type data_dir key timeout save_accessed_time"
    " cookie_expires cookie_domain cookie_path data_serializer secret secure namespace_class"
    " httponly encrypt_key validate_key encrypt_nonce_bits crypto_type samesite digest_filenames"
    " lock_dir log_file auto webtest_varname session_class environ_key"
)
_CACHE = "namespace expire expiretime starttime createfunc enabled key_length regions cache_regions"
_PYRAMID = "cookie_on_exception constant_csrf_token"
BEAKER_OPTIONS = frozenset(f"{_SESSION} {_CACHE} {_PYRAMID}".split())
"""What Beaker and pyramid_beaker leave among the options of a backend for reasons of their own.

Beaker: the arguments of Session, Cache and their middlewares, what Session.load passes on, and the
names that coerce_session_params and coerce_cache_params know.
"""

BEAKER_PREFIXES = ("beaker.session.", "session.", "beaker.cache.", "cache.", "session_")
"""Beaker's middlewares hand keyword arguments on twice: without the prefix and with it."""

_DB_CONFIG = ("dbConfig",)
_NOT_GIVEN = frozenset({("url",), ("client",), _DB_CONFIG})
"""pyramid_beaker names ``url`` for every cache region, with ``None`` when there is none."""


_POSITIONS = {path: position for position, path in enumerate(TABLE)}


def _position(path: Path) -> int:
    return _POSITIONS.get(path, -1)


@dataclass(frozen=True)
class _Raw:
    value: Any
    spelling: str


_Layer = dict[Path, _Raw]


@dataclass(frozen=True)
class Given:
    """Hold the options that were given.

    :param values: each option's value as its kind reads it
    :param nulls: the options that were given as ``null``, which is as good as not at all
    """

    values: Mapping[Path, Any]
    nulls: tuple[Path, ...] = field(default=())


def gather(options: Mapping[str, object]) -> Given:
    """Read all forms of options into one value each.

    :param options: the options without Beaker's prefix, with what else Beaker passes
    :returns: what was given
    :raises ConfigError: an option is unknown, given twice, or has a value that does not fit
    """
    own: _Layer = {}
    for name, value in options.items():
        if not isinstance(name, str):
            raise ConfigError(f"An option has a {type(name).__name__} for a name, not text.")
        if not _is_beakers(name):
            _spread(own, (), name, value, name)
    layer: _Layer = {}
    whole = own.pop(_DB_CONFIG, None)
    if whole is not None and not TABLE[_DB_CONFIG].kind.is_null(whole.value):
        for name, value in _load_db_config(whole.value).items():
            _spread(layer, (), str(name), value, f"dbConfig.{name}")
        if _DB_CONFIG in layer:
            raise ConfigError(
                "dbConfig holds a dbConfig.", option="dbConfig", hint="Leave the outer one out."
            )
    _lay_over(layer, own)
    return _read(layer)


def _is_beakers(name: str) -> bool:
    return name.lower() in BEAKER_OPTIONS or name.lower().startswith(BEAKER_PREFIXES)


def _load_db_config(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    hint = "Give dbConfig as an object, as JSON text, or as the path of a JSON file."
    where = "dbConfig"
    if isinstance(value, str | os.PathLike) and not str(value).lstrip().startswith(("{", "[")):
        where = f"The dbConfig file {os.fspath(value)}"
        try:
            value = File(value).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(
                f"{where} cannot be read: {why}.", option="dbConfig", hint=hint
            ) from error
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except Unfit as error:
            raise ConfigError(f"{where} must be {error}.", option="dbConfig", hint=hint) from None
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} holds no object.", option="dbConfig", hint=hint)
    return value


def _spread(layer: _Layer, group: Path, name: str, value: Any, spelling: str) -> None:
    """Put an option into the layer, or a group of options one by one."""
    path = find_path(group, name)
    if path not in GROUPS:
        _put(layer, path, _Raw(value, spelling))
        return
    if isinstance(value, str):
        value = _parse_group(path, value)
    if value is None:
        _put(layer, path, _Raw(None, spelling))
        return
    if not isinstance(value, Mapping):
        raise _no_object(path)
    for part, content in value.items():
        _spread(layer, path, str(part), content, f"{spelling}.{part}")


def _put(layer: _Layer, path: Path, raw: _Raw) -> None:
    if path in layer:
        raise ConfigError(
            f"{'.'.join(path)} is given twice, as {layer[path].spelling} and as {raw.spelling}.",
            option=".".join(path),
            hint="Leave one of them out: case makes no difference in the name of an option.",
        )
    layer[path] = raw


def _parse_group(path: Path, text: str) -> Any:
    if text.strip().lower() in NULL_WORDS:
        return None
    try:
        return parse_json(text)
    except Unfit:
        raise _no_object(path) from None


def _no_object(path: Path) -> ConfigError:
    option = ".".join(path)
    return ConfigError(
        f"{option} must be an object, or text that holds one in JSON.",
        option=option,
        # Whatever stands here may hold a password.
        value=MASK,
        hint=f"Its parts can also be given one by one: {option}.{_example(path)}.",
    )


def _example(path: Path) -> str:
    return next(option[len(path)] for option in TABLE if option[: len(path)] == path)


def _lay_over(layer: _Layer, upper: _Layer) -> None:
    for path, raw in upper.items():
        if path in _NOT_GIVEN and raw.value is None:
            continue
        if path in GROUPS:
            for below in [option for option in layer if option[: len(path)] == path]:
                del layer[below]
        layer[path] = raw


def _read(layer: _Layer) -> Given:
    values: dict[Path, Any] = {}
    nulls: list[Path] = []
    # In the table's order, so that equal configurations are equal in every respect.
    for path in sorted(layer, key=_position):
        raw = layer[path]
        if path in GROUPS or TABLE[path].kind.is_null(raw.value):
            nulls.append(path)
            continue
        try:
            value = TABLE[path].kind.read(raw.value)
        except Unfit as error:
            code = 190 if path in (("name",), ("servers",)) else None
            code = 191 if path == ("collection",) else code
            raise TABLE[path].error(raw.value, str(error), code=code) from None
        if value is None:
            nulls.append(path)
        else:
            values[path] = value
    return Given(values, tuple(nulls))


def add_url_options(given: Given, options: Iterable[tuple[str, str]]) -> Given:
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
    found = _read(layer).values
    for path, value in found.items():
        if given.values.get(path, value) != value:
            raise ConfigError(
                f"url and {'.'.join(path)} give {path[-1]} different values.",
                option=".".join(path),
                value=TABLE[path].show(given.values[path]),
                hint="Leave one of them out.",
            )
    merged = {**given.values, **found}
    ordered = {path: merged[path] for path in sorted(merged, key=_position)}
    return Given(ordered, given.nulls)
