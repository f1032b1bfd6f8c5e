"""The effect of each option of a configuration, in words."""

from __future__ import annotations

from collections.abc import Iterator

from beaker_mongo_soajs.config.beaker_options import Usage
from beaker_mongo_soajs.config.endpoint import Endpoint
from beaker_mongo_soajs.config.given_options import POSITIONS, GivenOptions
from beaker_mongo_soajs.config.outcome import Outcome, no_effect
from beaker_mongo_soajs.config.translation import Translation
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options import node_crypto
from beaker_mongo_soajs.options.masking import mask_url
from beaker_mongo_soajs.options.option import NoEffect, Option, Setting
from beaker_mongo_soajs.options.table import ROWS, TABLE

_POSITIONS = {".".join(path): position for path, position in POSITIONS.items()}

_FOR_SESSIONS = frozenset(row.name for row in node_crypto.ROWS) | frozenset(
    "stringify expireAfter store.touchAfter store.pickle store.transformId store.dataSerializer"
    " store.expressCookie store.timestamps store.userKey store.indexes".split()
)
"""The options that have no effect on caches."""

_OUTAGES = {("session", "create"): "for caches", ("cache", "anonymous"): "for sessions"}
"""Values of ``store.onUnavailable`` that mean ``raise`` for one usage, and what they are for."""


def given_outcomes(
    given: GivenOptions, translation: Translation, usage: Usage | None
) -> tuple[Outcome, ...]:
    """Describe the effect of the given options.

    :param given: the options
    :param translation: the effect of the driver options
    :param usage: whether the options are for sessions or caches
    :returns: an outcome for each option, in the order of the table, nulls included
    """
    own = tuple(_describe_own(given, usage))
    outcomes = (*own, *translation.given, *given.nulls)
    ordered = sorted(outcomes, key=lambda outcome: _POSITIONS[outcome.name])
    return (*ordered, *given.leftovers)


def _describe_own(given: GivenOptions, usage: Usage | None) -> Iterator[Outcome]:
    for path, value in given.values.items():
        option = TABLE[path]
        reason = _find_other_usage(option.name, value, usage)
        if reason:
            yield no_effect(option.name, _show(option, value), reason)
        elif isinstance(option.effect, Setting):
            yield Outcome(option.name, _show(option, value), option.effect.what)
        elif isinstance(option.effect, NoEffect) and len(path) == 1:
            yield no_effect(option.name, _show(option, value), option.effect.because)


def _find_other_usage(name: str, value: object, usage: Usage | None) -> str | None:
    """Return why an option that is only for sessions, or only for caches, has no effect."""
    if usage == "cache" and name in _FOR_SESSIONS:
        return "it is for sessions"
    if name == "store.onUnavailable":
        other = _OUTAGES.get((str(usage), str(value)))
        return f"{value} is {other}; an outage is an error" if other else None
    return None


def default_outcomes(
    given: GivenOptions, endpoint: Endpoint, translation: Translation
) -> tuple[Outcome, ...]:
    """Describe the defaults of the options that were not given.

    :param given: the given options
    :param endpoint: the servers and the database
    :param translation: the defaults of the driver options
    :returns: an outcome for each default
    """
    settings = tuple(_default_settings(given, endpoint))
    return settings if endpoint.client is not None else settings + translation.defaults


def write_refusal(error: ConfigError) -> str:
    """Format the line of a refused option.

    :param error: the reason
    :returns: the line
    """
    return f"{error.option or 'An option'}: refused, because {error}"


def _default_settings(given: GivenOptions, endpoint: Endpoint) -> Iterator[Outcome]:
    for option in ROWS:
        if option.path in given.values or not isinstance(option.effect, Setting):
            continue
        elsewhere = endpoint.url is not None or endpoint.client is not None
        if option.default is None or (elsewhere and option.path in (("name",), ("servers",))):
            continue
        yield Outcome(option.name, _show(option, option.default), option.effect.what)


def _show(option: Option, value: object) -> str:
    if option.path == ("url",) and isinstance(value, str):
        return mask_url(value)
    return option.show(value)
