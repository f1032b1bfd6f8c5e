"""What became of each option of a configuration, in words."""

from __future__ import annotations

from collections.abc import Iterator

from beaker_mongo_soajs.config.connection_string import mask_url
from beaker_mongo_soajs.config.endpoint import Endpoint
from beaker_mongo_soajs.config.given_options import GivenOptions
from beaker_mongo_soajs.config.translation import Outcome, Translation
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.option import Option, Setting
from beaker_mongo_soajs.options.table import ROWS, TABLE

_POSITIONS = {row.name: position for position, row in enumerate(ROWS)}


def given_outcomes(given: GivenOptions, translation: Translation) -> tuple[Outcome, ...]:
    """Say what became of the options that were given.

    :param given: the options
    :param translation: what became of those for the driver
    :returns: an outcome for each option in the table's order, those that say ``null`` included
    """
    settings = tuple(
        Outcome(TABLE[path].name, _show(TABLE[path], value), effect.what)
        for path, value in given.values.items()
        if isinstance(effect := TABLE[path].effect, Setting)
    )
    nulls = tuple(
        Outcome(".".join(path), "null", "as if it were not given") for path in given.nulls
    )
    outcomes = (*settings, *translation.given, *nulls)
    return tuple(sorted(outcomes, key=lambda outcome: _POSITIONS.get(outcome.name, -1)))


def default_outcomes(
    given: GivenOptions, endpoint: Endpoint, translation: Translation
) -> tuple[Outcome, ...]:
    """Say what holds for the options that were not given.

    :param given: the options that were
    :param endpoint: where to connect to
    :param translation: the defaults for the driver
    :returns: an outcome for each default
    """
    settings = tuple(_default_settings(given, endpoint))
    return settings if endpoint.client is not None else settings + translation.defaults


def write_refusal(error: ConfigError) -> str:
    """Write the line of an option that is refused.

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
