"""The report on the effect of each option."""

from __future__ import annotations

import re
from typing import Any

import pytest

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import Usage
from beaker_mongo_soajs.mongo.client import check_client
from beaker_mongo_soajs.options.table import ROWS
from tests.config.reference_configs import DEFAULTS, EXAMPLES_CONFIG, FULL_REFERENCE, README_EXAMPLE
from tests.config.soajs_configs import CONFIGS
from tests.config.test_given_options import dotted
from tests.conftest import Client, Options


def read(options: Options | None = None, **more: Any) -> DbConfig:
    """Read a configuration."""
    return DbConfig.from_options({**(options or {}), **more})


@pytest.mark.parametrize(
    "config", [README_EXAMPLE, EXAMPLES_CONFIG, FULL_REFERENCE, DEFAULTS], ids=str
)
def test_configurations_of_the_reference_load(config: dict[str, Any]) -> None:
    """The reference's own configurations load unchanged, and the report explains each line."""
    report = read(dbConfig=config).explain().splitlines()
    named = {line.partition(" = ")[0] for line in report[1:]}
    empty = {"store", "extraParam.server"}
    assert set(dotted(config)) - empty == named
    assert len(named) == len(report) - 1


@pytest.mark.parametrize("config", CONFIGS.values(), ids=[*CONFIGS])
def test_configurations_of_soajs_load(config: dict[str, Any]) -> None:
    """Configurations of SOAJS load unchanged, and the report explains each line of them."""
    read_config = read(dbConfig=config)
    check_client(read_config)
    lines = read_config.explain().splitlines()[1:]
    named = [line.partition(" = ")[0] for line in lines]
    missing = set(dotted(config)) - set(named)
    assert set() == {name for name in missing if not name.startswith("extraParam.server")}
    assert len(set(named)) == len(named)
    effect = re.compile(r": (applied (as|without)|no effect, because|the )")
    assert [] == [line for line in lines if not effect.search(line)]


def test_pool_size_of_soajs_is_applied() -> None:
    """An option that PyMongo has under another name is applied under that name."""
    config = read(dbConfig=CONFIGS["profile of a replica set"])
    assert 2 == config.keywords["maxPoolSize"]
    assert "URLParam.poolSize = 2: applied as maxPoolSize = 2" in config.explain().splitlines()


def test_an_unknown_name_without_a_value() -> None:
    """An unknown option is an error, unless it is empty; the report lists an empty one."""
    lines = read(URLParam={"unknown": ""}).explain().splitlines()
    assert 'URLParam.unknown = "": no effect, because it is empty' in lines


def test_report_of_the_full_reference() -> None:
    """The report says what applies, and what has no effect and why."""
    report = read(dbConfig=FULL_REFERENCE).explain().splitlines()
    assert "URLParam.maxPoolSize = 5: applied as maxPoolSize = 5" in report
    assert "URLParam.connectTimeoutMS = 0: applied as connectTimeoutMS = 0 (never)" in report
    line = "URLParam.connectTimeoutMS = 9: applied as connectTimeoutMS = 9"
    assert line in read({"URLParam.connectTimeoutMS": 9}).explain().splitlines()
    assert "extraParam.db.authSource = null: the same as not given" in report
    assert (
        "extraParam.server.ssl = false: no effect, because it is for one server, and this is a"
        " replica set"
    ) in report


def test_options_of_the_other_usage() -> None:
    """An option that is for sessions only is reported to have no effect on caches."""
    options = {"name": "shop", "stringify": True, "expireAfter": "2w", "store.touchAfter": 60}
    report = DbConfig.from_options(options, "cache").explain()
    assert 3 == report.count("no effect, because it is for sessions")
    assert "no effect" not in DbConfig.from_options(options, "session").explain()
    assert "no effect" not in DbConfig.from_options(options).explain()
    usages: list[tuple[Usage, str]] = [("session", "create"), ("cache", "anonymous")]
    for usage, value in usages:
        outage = {"name": "shop", "store.onUnavailable": value}
        explained = DbConfig.explain_options(outage, usage=usage)
        assert f"no effect, because {value} is for" in explained


def test_report_names_the_option_that_overrides() -> None:
    """An option that another one overrides is reported to have no effect."""
    config = read({"URLParam.w": 1, "extraParam.db.w": 2})
    assert (
        "URLParam.w = 1: no effect, because extraParam.db.w overrides it"
        in config.explain().splitlines()
    )
    assert 2 == config.keywords["w"]


def test_report_lists_defaults_on_request() -> None:
    """The report lists the defaults of the options that would have an effect, only on request."""
    assert 1 == len(read().explain().splitlines())
    defaults = [row.name for row in ROWS if row.default is not None]
    elsewhere = [name for name in defaults if name not in ("name", "servers")]
    assert defaults == defaults_of()
    assert [name for name in defaults if name != "URLParam.maxPoolSize"] == defaults_of(
        {"URLParam.maxPoolSize": 6}
    )
    assert elsewhere == defaults_of({"url": "mongodb://db1/shop"})
    with Client("mongodb://127.0.0.1/shop", connect=False) as client:
        own = [name for name in elsewhere if not name.startswith("URLParam.")]
        assert own == defaults_of({"client": client})


def defaults_of(options: Options | None = None) -> list[str]:
    """Return the names of the options of which a report lists the default."""
    lines = read(options).explain(defaults=True).splitlines()
    return [line.partition(" = ")[0] for line in lines if line.endswith(" (default)")]


def test_report_on_options_that_are_refused() -> None:
    """The report lists the accepted options, then each refused option with the reason."""
    options = {
        "name": "shop",
        "URLParam": {"journal": True, "maxPoolSize": "many", "wat": 1},
        "extraParam": {"replSet": {"ssl": True}},
        "credentials": {"username": "ann"},
        "collection": "",
    }
    lines = DbConfig.explain_options(options).splitlines()
    accepted = [line for line in lines if ": refused, because " not in line]
    refused = [line.partition(": refused, because ")[0] for line in lines if line not in accepted]
    assert [
        'name = "shop": the name of the database',
        "URLParam.journal = true: applied as journal = true",
    ] == accepted
    assert {
        "URLParam.wat",
        "URLParam.maxPoolSize",
        "credentials.password",
        "extraParam.replSet.ssl",
        "collection",
    } == set(refused)


def test_report_on_good_options_is_that_of_the_configuration() -> None:
    """If no option is refused, explain_options() and explain() report the same."""
    config = {"dbConfig": FULL_REFERENCE}
    for defaults in (False, True):
        expected = read(config).explain(defaults)
        assert expected == DbConfig.explain_options(config, defaults)
