"""The translation of ``URLParam`` and ``extraParam`` into keywords of ``MongoClient``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from beaker_mongo_soajs.config.credentials import Credentials
from beaker_mongo_soajs.config.keyword_checks import TLS_LENIENCE, KeywordChecks
from beaker_mongo_soajs.config.outcome import Outcome, no_effect
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.frozen import FrozenDict
from beaker_mongo_soajs.options.option import Keyword, LeaveOut, NoEffect, Option, Path, Refused
from beaker_mongo_soajs.options.table import TABLE
from beaker_mongo_soajs.options.urlparam import ZERO_IS_NEVER

SECURITY = frozenset({"ssl", "sslCA", "sslCert", "sslKey", "sslPass"})
"""Options that ask for protection. If one of them has no effect, that is an error."""

DRIVER_GROUPS = ("URLParam", "extraParam")

GROUP_MEANING = {
    "server": "one server",
    "replSet": "a replica set",
    "mongos": "several servers without a replicaSet name",
}


@dataclass(frozen=True, repr=False)
class Translation:
    """Hold the keywords for a ``MongoClient``, and the effect of each option.

    :param keywords: PyMongo's keyword arguments, frozen; ``tlsCAFile`` and similar keywords hold
        PEM text or paths, ``sslKey`` the key that belongs to ``tlsCertificateKeyFile``
    :param origins: the name of the option behind each keyword
    :param given: the outcome of each given option
    :param defaults: the outcome of each default
    """

    keywords: FrozenDict
    origins: FrozenDict
    given: tuple[Outcome, ...]
    defaults: tuple[Outcome, ...]


@dataclass(frozen=True, repr=False)
class Candidate:
    """An option that sets a keyword. Of several, the one with the highest rank applies."""

    rank: int
    option: Option
    value: Any
    converted: Any


def topology_group(values: Mapping[Path, Any], count: int, srv: bool) -> str:
    """Return which of ``server``, ``replSet`` and ``mongos`` applies.

    :param values: the given options
    :param count: the number of servers
    :param srv: whether the servers come from the DNS, which means a replica set
    :returns: the name of the group
    """
    named = ("URLParam", "replicaSet") in values or (
        "extraParam",
        "replSet",
        "replicaSet",
    ) in values
    if named or srv:
        return "replSet"
    return "server" if count == 1 else "mongos"


def translate(
    values: Mapping[Path, Any], count: int, srv: bool, credentials: Credentials | None
) -> Translation:
    """Translate the driver options.

    :param values: the given options of all groups
    :param count: the number of servers
    :param srv: whether the servers come from the DNS
    :param credentials: the user's name and password, or ``None``
    :returns: keywords and outcomes
    :raises ConfigError: an option is refused, or contradicts another
    """
    group = topology_group(values, count, srv)
    winners = {
        name: _decide(candidates) for name, candidates in _find_candidates(values, group).items()
    }
    keywords = {
        name: candidate.converted
        for name, candidate in winners.items()
        if not isinstance(candidate.converted, LeaveOut)
    }
    names = {
        name: candidate.option.name for name, candidate in winners.items() if candidate.rank >= 0
    }
    checks = KeywordChecks(keywords, names, count, srv, credentials)
    checks.run()
    _check_idle_security(values, group, keywords)
    report = _Report(group, winners, checks.dropped)
    return Translation(
        FrozenDict(keywords),
        FrozenDict(names),
        tuple(
            report.describe(TABLE[path], value)
            for path, value in values.items()
            if path[0] in DRIVER_GROUPS
        ),
        tuple(
            report.describe(option, option.default)
            for option in _defaulted()
            if option.path not in values
        ),
    )


def _find_candidates(values: Mapping[Path, Any], group: str) -> dict[str, list[Candidate]]:
    candidates: dict[str, list[Candidate]] = {}
    for path, value, rank in _ranked(values, group):
        option = TABLE[path]
        if isinstance(option.effect, Refused):
            raise ConfigError(
                f"{option.name} cannot be given: {option.effect.because}.",
                option=option.name,
                value=option.show(value),
                hint="Remove it.",
            )
        if isinstance(option.effect, Keyword):
            keyword = option.effect
            # serverSelectionTimeoutMS overrides bufferMaxEntries, in whichever group it is.
            candidate = Candidate(
                rank - 10 if keyword.yields else rank, option, value, keyword.convert(value)
            )
            candidates.setdefault(keyword.name, []).append(candidate)
    return candidates


def _check_idle_security(values: Mapping[Path, Any], group: str, keywords: dict[str, Any]) -> None:
    """Refuse an option that asks for protection in a group that does not apply."""
    for path, value in values.items():
        if path[0] != "extraParam" or path[1] in ("db", group) or path[-1] not in SECURITY:
            continue
        effect = TABLE[path].effect
        assert isinstance(effect, Keyword)
        if value is not False and keywords.get(effect.name) != value:
            raise ConfigError(
                f"{TABLE[path].name} protects nothing: it is for {GROUP_MEANING[path[1]]}, but this"
                f" is {GROUP_MEANING[group]}.",
                option=TABLE[path].name,
                value=TABLE[path].show(value),
                hint=f"Set extraParam.{group}.{path[-1]} instead.",
            )


def _defaulted() -> Iterable[Option]:
    return (
        option
        for option in TABLE.values()
        if option.path[0] in DRIVER_GROUPS and option.default is not None
    )


def _ranked(values: Mapping[Path, Any], group: str) -> Iterable[tuple[Path, Any, int]]:
    """Yield the options that apply, with their rank: extraParam, URLParam, then defaults."""
    for path, value in values.items():
        if path[0] == "URLParam":
            yield path, value, 1
        elif path[0] == "extraParam" and path[1] in ("db", group):
            yield path, value, 2
    for option in _defaulted():
        if option.path not in values:
            yield option.path, option.default, 0


def _decide(candidates: list[Candidate]) -> Candidate:
    best = max(candidate.rank for candidate in candidates)
    first = next(candidate for candidate in candidates if candidate.rank == best)
    for other in candidates:
        rival = other.rank == best or (other.rank > 0 and _weakens(first, other))
        if rival and other.converted != first.converted:
            raise ConfigError(
                f"{first.option.name} is {first.option.show(first.value)} and {other.option.name}"
                f" is {other.option.show(other.value)}, but both mean the same setting.",
                option=other.option.name,
                value=other.option.show(other.value),
                hint="Remove one of them.",
            )
    return first


def _weakens(first: Candidate, other: Candidate) -> bool:
    """Check whether the first candidate turns off protection that the other asks for."""
    assert isinstance(first.option.effect, Keyword)
    keyword = first.option.effect.name
    if keyword == "tls":
        return other.converted is True
    return keyword in TLS_LENIENCE and first.converted is True


@dataclass(frozen=True, repr=False)
class _Report:
    """Describe the effect of options."""

    group: str
    winners: Mapping[str, Candidate]
    dropped: Mapping[str, str]

    def describe(self, option: Option, value: Any) -> Outcome:
        group = option.path[1]
        if option.path[0] == "extraParam" and group not in ("db", self.group):
            meaning = GROUP_MEANING[self.group]
            return _idle(option, value, f"it is for {GROUP_MEANING[group]}, and this is {meaning}")
        effect = option.effect
        if isinstance(effect, NoEffect):
            return _idle(option, value, effect.because)
        assert isinstance(effect, Keyword)
        winner = self.winners[effect.name]
        if winner.option is not option and winner.converted != effect.convert(value):
            return _idle(option, value, f"{winner.option.name} overrides it")
        if effect.name in self.dropped:
            return _idle(option, value, self.dropped[effect.name])
        if isinstance(winner.converted, LeaveOut):
            text = f"applied without {effect.name}, because {winner.converted.because}"
        else:
            never = " (never)" if effect.note == ZERO_IS_NEVER and winner.converted == 0 else ""
            text = f"applied as {effect.name} = {option.show(winner.converted)}{never}"
        return Outcome(option.name, option.show(value), text)


def _idle(option: Option, value: Any, because: str) -> Outcome:
    return no_effect(option.name, option.show(value), because)
