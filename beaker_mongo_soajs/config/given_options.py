"""The options that were given, read from all ways to write them into one value each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from beaker_mongo_soajs.config.beaker_options import (
    UNUSED,
    Usage,
    find_other_backend,
    is_blank,
    is_express,
    is_of_beaker,
    names_for,
)
from beaker_mongo_soajs.config.db_config_option import load_db_config
from beaker_mongo_soajs.config.node_crypto import GROUP as NODE_CRYPTO
from beaker_mongo_soajs.config.node_crypto import encrypted_twice
from beaker_mongo_soajs.config.outcome import Outcome, no_effect
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.coerce import NULL_WORDS, InvalidValue, check_encodable, parse_json
from beaker_mongo_soajs.options.masking import show, show_name
from beaker_mongo_soajs.options.option import Path
from beaker_mongo_soajs.options.table import GROUPS, TABLE, find_path, is_alias

_DB_CONFIG = ("dbConfig",)
_EXPRESS_COOKIE = ("store", "expressCookie")
_NONE_IS_ABSENT = frozenset({("url",), ("client",), _DB_CONFIG})
"""Options for which ``None`` means absent: pyramid_beaker passes ``url=None`` to cache regions."""

POSITIONS = {path: position for position, path in enumerate((*sorted(GROUPS), *TABLE))}
"""The order of groups and options in reports."""

OnError = Callable[[ConfigError], None]
"""A function that is called with each error. It may raise the error, or return to continue."""


@dataclass(frozen=True, repr=False)
class GivenOptions:
    """Hold the options that were given.

    :param values: the value of each option as its kind reads it, in the order of the table
    :param nulls: the outcomes of the options that were given as ``null`` or blank text
    :param leftovers: the outcomes of the options that are not in the table and have no effect
    """

    values: Mapping[Path, Any]
    nulls: tuple[Outcome, ...] = ()
    leftovers: tuple[Outcome, ...] = ()

    def without(self, name: str) -> GivenOptions:
        """Return these options without one of them.

        If that option was not given itself, the smallest given group around it is left out, so
        that repeated calls always end.

        :param name: the option's name
        :returns: the remaining options
        """
        wanted = tuple(name.split("."))
        while wanted and not any(path[: len(wanted)] == wanted for path in self.values):
            wanted = wanted[:-1]
        rest = {path: value for path, value in self.values.items() if path[: len(wanted)] != wanted}
        return replace(self, values=rest)


@dataclass(frozen=True, repr=False)
class _Raw:
    value: Any
    spelling: str


_Layer = dict[Path, _Raw]


def raise_error(error: ConfigError) -> None:
    """Raise an error at once."""
    raise error


def gather(
    options: Mapping[Any, object], on_error: OnError, usage: Usage | None = None
) -> GivenOptions:
    """Read the options from all forms.

    :param options: the options without Beaker's prefix; Beaker's own options are skipped
    :param on_error: called for each option that is unknown, given twice or invalid; if it
        returns, the option is left out
    :param usage: whether the options are for sessions or caches
    :returns: the given options
    :raises ConfigError: ``on_error`` raised it
    """
    single = _Flattener(on_error, usage)
    for name, value in options.items():
        if not isinstance(name, str):
            kind = type(name).__name__
            on_error(ConfigError(f"The name of an option has the type {kind}; it must be text."))
            continue
        try:
            skipped = is_of_beaker(name, options, usage)
        except ConfigError as error:
            on_error(error)
            continue
        if not skipped:
            single.add((), name, value, name)
        elif name in UNUSED and usage != "cache" and not is_blank(value):
            # A cache region inherits those of regions with another backend.
            single.add_leftover(name, UNUSED[name])
    whole = _Flattener(on_error, usage)
    source = single.layer.pop(_DB_CONFIG, None)
    if source is not None and not TABLE[_DB_CONFIG].kind.is_null(source.value):
        whole.add_all(source.value)
    nulls = [*whole.nulls, *single.nulls, *_override(whole.layer, single.layer)]
    given = _read(whole.layer, on_error, nulls, (*single.leftovers, *whole.leftovers))
    if any(path[:2] == NODE_CRYPTO for path in given.values):
        given = _with_express_cookie(given, on_error, "store.nodeCrypto is set")
        if not is_blank(options.get("encrypt_key")):
            on_error(encrypted_twice("encrypt_key"))
    if is_express(options):
        given = _with_express_cookie(given, on_error, "session.cookie_format is express")
    return given


def _with_express_cookie(given: GivenOptions, on_error: OnError, because: str) -> GivenOptions:
    """Add the option that ``cookie_format = express`` and ``store.nodeCrypto`` imply."""
    if given.values.get(_EXPRESS_COOKIE, True):
        return replace(given, values=_ordered({**given.values, _EXPRESS_COOKIE: True}))
    on_error(
        ConfigError(
            f"store.expressCookie is false, but {because}.",
            option="store.expressCookie",
            value=False,
            hint="Remove store.expressCookie: Express needs its cookie in each session.",
        )
    )
    return given


class _Flattener:
    """Flatten groups of options into one entry for each option."""

    def __init__(self, on_error: OnError, usage: Usage | None) -> None:
        self.layer: _Layer = {}
        self.nulls: list[Outcome] = []
        self.leftovers: list[Outcome] = []
        self._on_error = on_error
        self._usage = usage

    def add_all(self, db_config: Any) -> None:
        """Add all options of a ``dbConfig``."""
        try:
            options = load_db_config(db_config)
        except ConfigError as error:
            self._on_error(error)
            return
        for name, value in options.items():
            self.add((), str(name), value, f"dbConfig.{name}")
        if self.layer.pop(_DB_CONFIG, None) is not None:
            self._on_error(
                ConfigError(
                    "dbConfig contains an option dbConfig.",
                    option="dbConfig",
                    hint="Remove the outer one.",
                )
            )

    def add(self, group: Path, name: str, value: Any, spelling: str) -> None:
        """Add an option, or each option of a group."""
        if not group and self._is_leftover(name):
            return
        try:
            path = find_path(group, name, names_for(self._usage), cache=self._usage == "cache")
            content = _read_group(path, value) if path in GROUPS else None
        except ConfigError as error:
            if is_blank(value):
                self.leftovers.append(no_effect(show_name(spelling), show(value), "it is empty"))
            else:
                self._on_error(error)
            return
        if content is not None:
            for part, item in content.items():
                self.add(path, str(part), item, f"{spelling}.{part}")
            return
        first = self.layer.get(path)
        if first is not None and is_blank(value):
            self.nulls.append(_same_as_not_given(path))
        elif first is not None and not is_blank(first.value):
            self._on_error(_given_twice(path, first.spelling, spelling))
        elif not group and is_alias(name) and is_blank(value):
            # It must not unset the option in dbConfig.
            self.leftovers.append(no_effect(show_name(spelling), show(value), "it is empty"))
        else:
            self.layer[path] = _Raw(value, spelling)

    def _is_leftover(self, name: str) -> bool:
        backend = find_other_backend(name)
        if backend is not None:
            self.add_leftover(name, backend)
        return backend is not None

    def add_leftover(self, name: str, backend: str) -> None:
        """Add an option of another backend, which has no effect."""
        because = f"it is for Beaker's backend {backend}"
        self.leftovers.append(no_effect(show_name(name), MASK, because))


def _given_twice(path: Path, first: str, second: str) -> ConfigError:
    return ConfigError(
        f"{'.'.join(path)} is given twice, as {show_name(first)} and as {show_name(second)}.",
        option=".".join(path),
        hint="Remove one of them: option names are the same in upper and lower case.",
    )


def _same_as_not_given(path: Path) -> Outcome:
    return Outcome(".".join(path), '""', "the same as not given")


def _read_group(path: Path, value: Any) -> Mapping[Any, Any] | None:
    """Read a group of options: an object, JSON text, or null."""
    if isinstance(value, str) and value.strip().lower() in NULL_WORDS:
        return None
    if isinstance(value, str):
        with suppress(InvalidValue):
            value = parse_json(value)
    if value is not None and not isinstance(value, Mapping):
        raise _not_an_object(path)
    return value


def _not_an_object(path: Path) -> ConfigError:
    option = ".".join(path)
    example = next(row[len(path)] for row in TABLE if row[: len(path)] == path)
    return ConfigError(
        f"{option} must be an object, or the JSON text of one.",
        option=option,
        # The value may contain a password.
        value=MASK,
        hint=f"You can also give each option by itself, as in {option}.{example}.",
    )


def _override(layer: _Layer, upper: _Layer) -> Iterator[Outcome]:
    """Lay individual options over those of ``dbConfig``; a blank one changes nothing.

    :returns: the outcomes of the options that unset an option of ``dbConfig``, or are blank
    """
    for path, raw in upper.items():
        if path in _NONE_IS_ABSENT and raw.value is None:
            continue
        below = [option for option in layer if option[: len(path)] == path]
        if below and isinstance(raw.value, str) and not raw.value.strip():
            yield _same_as_not_given(path)
            continue
        if path in GROUPS:
            for option in below:
                del layer[option]
        if below and (path in GROUPS or TABLE[path].kind.is_null(raw.value)):
            layer.pop(path, None)
            yield Outcome(".".join(path), "null", "not set, which overrides dbConfig")
            continue
        layer[path] = raw


def _read(
    layer: _Layer, on_error: OnError, nulls: Iterable[Outcome], leftovers: tuple[Outcome, ...]
) -> GivenOptions:
    values: dict[Path, Any] = {}
    found = list(nulls)
    # In the order of the table, so that equal configurations have equal reports.
    for path in sorted(layer, key=POSITIONS.__getitem__):
        try:
            value = _read_value(path, layer[path].value)
        except ConfigError as error:
            on_error(error)
            continue
        if value is None:
            found.append(Outcome(".".join(path), "null", "the same as not given"))
        else:
            values[path] = value
    return GivenOptions(values, tuple(found), leftovers)


def _read_value(path: Path, raw: Any) -> Any:
    if path in GROUPS or TABLE[path].kind.is_null(raw):
        return None
    try:
        check_encodable(raw)
        return TABLE[path].kind.read(raw)
    except InvalidValue as error:
        code = {"name": 190, "servers": 190, "collection": 191}.get(TABLE[path].name)
        raise TABLE[path].error(raw, str(error), code=code) from None


def add_url_options(given: GivenOptions, options: Iterable[tuple[str, str]]) -> GivenOptions:
    """Add the options of a connection string to those of ``URLParam``.

    :param given: the other options
    :param options: names and values from the connection string
    :returns: all options together
    :raises ConfigError: an option is unknown, invalid, or has another value in ``URLParam``
    """
    texts: dict[Path, list[str]] = {}
    for name, text in options:
        texts.setdefault(find_path(("URLParam",), name), []).append(text)
    layer: _Layer = {}
    for path, values in texts.items():
        # A connection string may repeat this one option, in order of preference.
        if len(values) > 1 and path[1] != "readPreferenceTags":
            raise ConfigError(
                f"url gives {path[1]} {len(values)} times.",
                option="url",
                hint="Keep one of them.",
            )
        value = values if path[1] == "readPreferenceTags" else values[0]
        layer[path] = _Raw(value, "url")
    found = _read(layer, raise_error, (), ()).values
    for path, value in found.items():
        if given.values.get(path, value) != value:
            raise ConfigError(
                f"url and {'.'.join(path)} set {path[1]} to different values.",
                option=".".join(path),
                value=TABLE[path].show(given.values[path]),
                hint="Remove one of them.",
            )
    return replace(given, values=_ordered({**given.values, **found}))


def _ordered(values: Mapping[Path, Any]) -> dict[Path, Any]:
    """Return options in the order of the table."""
    return {path: values[path] for path in sorted(values, key=POSITIONS.__getitem__)}
