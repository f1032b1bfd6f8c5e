"""A configuration has the same values in all forms."""

from __future__ import annotations

import json
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.given_options import gather, raise_error
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options import coerce, kinds
from beaker_mongo_soajs.options.option import Option, Refused, Setting
from beaker_mongo_soajs.options.table import ROWS
from tests.config.reference_configs import EXAMPLE
from tests.conftest import Options
from tests.effort import times
from tests.passwords import PASSWORD


def read(options: Options | None = None, **more: Any) -> DbConfig:
    """Read a configuration."""
    return DbConfig.from_options({**(options or {}), **more})


def dotted(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write a configuration with one dotted name for each option."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict) and prefix + name in {
            "URLParam", "extraParam", "credentials", "store", "extraParam.db", "extraParam.server",
            "extraParam.replSet", "extraParam.mongos", "extraParam.server.socketOptions",
            "extraParam.replSet.socketOptions", "extraParam.mongos.socketOptions",
        }:  # fmt: skip
            flat.update(dotted(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def as_text(value: Any) -> str:
    """Write a value as an INI file does."""
    if isinstance(value, bool):
        return "yes" if value else "off"
    return value if isinstance(value, str) else json.dumps(value)


def through_ini(config: dict[str, Any]) -> dict[str, str]:
    """Write a configuration into an INI file and read it back, with names in lower case."""
    lines = [f"{name} = {as_text(value)}" for name, value in dotted(config).items()]
    parser = ConfigParser(interpolation=None)
    parser.read_string("\n".join(["[app:main]", *lines]))
    return dict(parser["app:main"])


def short_ini(config: dict[str, Any]) -> dict[str, str]:
    """Write each group as JSON text, and the servers separated by commas."""
    servers = ", ".join(f"{server['host']}:{server['port']}" for server in config["servers"])
    return {name: as_text(value) for name, value in config.items()} | {"servers": servers}


FORMS = {
    "Python values": EXAMPLE,
    "dotted names": dotted(EXAMPLE),
    "object": {"dbConfig": EXAMPLE},
    "JSON text": {"dbConfig": json.dumps(EXAMPLE)},
    "JSON text in quotes": {"dbConfig": f"'{json.dumps(EXAMPLE)}'"},
    "INI": through_ini(EXAMPLE),
    "short INI": short_ini(EXAMPLE),
    "partly each": {
        "dbConfig": {name: EXAMPLE[name] for name in list(EXAMPLE)[:4]},
        **{name: EXAMPLE[name] for name in list(EXAMPLE)[4:]},
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_equal(form: str) -> None:
    """A configuration is the same in every form."""
    config, expected = read(FORMS[form]), read(EXAMPLE)
    assert expected == config
    assert hash(expected) == hash(config)
    assert expected.connection_key == config.connection_key
    assert expected.explain() == config.explain()


def test_file_is_read(tmp_path: Path) -> None:
    """A JSON file may be given as text or as a path, and may start with a byte order mark."""
    path = tmp_path / "db.json"
    path.write_text("\ufeff" + json.dumps(EXAMPLE), encoding="utf-8")
    assert read(EXAMPLE) == read(dbConfig=str(path))
    assert read(EXAMPLE) == read(dbConfig=path)


def test_individual_option_overrides_dbconfig() -> None:
    """An individual option overrides dbConfig and leaves the rest of its group."""
    blank = {"url": None, "name": " ", "credentials": None}
    config = read({"dbConfig": EXAMPLE, **blank, "urlparam.MAXPOOLSIZE": "9"})
    assert {"maxPoolSize": 9, "w": "majority", "journal": True} == dict(config.url_param)
    assert config.credentials is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 5),
        ({"url": "mongodb://db1/?maxPoolSize=7"}, 7),
        ({"dbConfig": {"url": "mongodb://db1/?maxPoolSize=7"}}, 7),
        ({"dbConfig": {"URLParam": {"maxPoolSize": 8}}}, 8),
        ({"dbConfig": {"URLParam": {"maxPoolSize": 8}}, "URLParam.maxPoolSize": 9}, 9),
        ({"dbConfig": {"URLParam": {"maxPoolSize": 8}}, "URLParam": {"maxPoolSize": 9}}, 9),
        (
            {
                "dbConfig": {
                    "URLParam": {"maxPoolSize": 8},
                    "extraParam": {"server": {"poolSize": 6}},
                },
                "URLParam.maxPoolSize": 9,
            },
            6,
        ),
    ],
    ids=["default", "url", "url in dbConfig", "dbConfig", "single", "group", "extraParam"],
)
def test_precedence(options: Options, expected: int) -> None:
    """Individual options override dbConfig, extraParam.server overrides URLParam; then defaults."""
    assert expected == read(options, name="shop").keywords["maxPoolSize"]


@pytest.mark.parametrize("options", [{"URLParam.maxPoolSize": 8}, {"URLParam": {"maxPoolSize": 8}}])
def test_url_contradicts_an_option(options: Options) -> None:
    """The connection string overrides no option: another value in it is an error."""
    with pytest.raises(ConfigError, match="maxPoolSize to different values"):
        read(options, url="mongodb://db1/?maxPoolSize=7")


def test_equal_configurations() -> None:
    """Configurations of the same servers and lifetime are equal, given or by default."""
    servers = [{"host": "127.0.0.1", "port": 27017}]
    assert read(name="shop") == read(name="shop", servers=servers, expireAfter="2w")
    assert "has_" not in repr(read(name="shop"))


def test_repr_of_given_options() -> None:
    """The repr of the given options shows no values."""
    given_options = gather({"url": f"mongodb://ann:{PASSWORD}@db1/shop"}, raise_error)
    assert PASSWORD not in repr(given_options) + repr([given_options])


def test_null_means_not_given() -> None:
    """A null is the same as an option that is not given, in JSON and in INI text."""
    nulls = {"URLParam": {"authSource": None, "w": None}, "credentials": None, "extraParam": None}
    texts = {"URLParam.authSource": "null", "URLParam.w": "None", "credentials": ""}
    assert read(name="shop") == read(nulls, name="shop") == read(texts, name="shop")


def test_url_of_none_is_absent() -> None:
    """The url=None that pyramid_beaker passes to every cache region is the same as absent."""
    url = "mongodb://db1/shop"
    assert read(name="shop") == read(name="shop", url=None, client=None, dbConfig=None)
    assert read(url=url) == read(dbConfig={"url": url}, url=None)


JSON_KINDS: dict[str, st.SearchStrategy[Any]] = {
    coerce.BOOLEAN.name: st.booleans(),
    coerce.COUNT.name: st.integers(0, 2**31),
    coerce.MILLISECONDS.name: st.integers(0, 2**31),
    coerce.SECONDS.name: st.integers(0, 1000) | st.floats(0, 1000),
    coerce.TEXT.name: st.from_regex(r"[a-zA-Z$][a-zA-Z0-9_.:/@% é-]{0,20}[a-z]", fullmatch=True),
    kinds.WRITE_CONCERN.name: st.integers(1, 7) | st.sampled_from(["majority", "two"]),
    kinds.TAG_SETS.name: st.lists(
        st.dictionaries(st.sampled_from(["dc", "rack"]), st.sampled_from(["ny", "1", "é"])),
        min_size=1,
    ),
    kinds.READ_CONCERN_LEVEL.name: st.sampled_from(kinds.READ_CONCERN_LEVELS),
    kinds.READ_CONCERN.name: st.fixed_dictionaries(
        {"level": st.sampled_from(kinds.READ_CONCERN_LEVELS)}
    ),
    kinds.READ_PREFERENCE.name: st.sampled_from(kinds.READ_PREFERENCES),
    kinds.PEM.name: st.just("/etc/ssl/client.pem"),
    kinds.PEM_LIST.name: st.just(["/etc/ssl/ca.pem", "/etc/ssl/more.pem"]),
    kinds.PASSPHRASE.name: st.just(PASSWORD),
    kinds.SIGNING_KEYS.name: st.just("0123456789abcdef"),
    kinds.INDEX_FIELDS.name: st.just(["session.user"]),
}


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a configuration with some options of the table, nested as in a dbConfig."""
    rows: list[Option] = [
        row
        for row in ROWS
        if row.kind.name in JSON_KINDS
        and not isinstance(row.effect, Refused)
        and row.name not in ("name", "prefix", "collection")
    ]
    config: dict[str, Any] = {"name": draw(st.sampled_from(["shop", "core_session"]))}
    for row in draw(st.lists(st.sampled_from(rows), unique=True, max_size=12)):
        place = config
        for segment in row.path[:-1]:
            place = place.setdefault(segment, {})
        place[row.path[-1]] = draw(JSON_KINDS[row.kind.name])
    return config


def outcome(options: Options) -> object:
    """Read a configuration, or name the option that an error is about."""
    try:
        config = DbConfig.from_options(options)
    except ConfigError as error:
        return error.option
    assert isinstance(hash(config), int)
    return config


@settings(max_examples=times(200))
@given(configurations())
def test_forms_are_equal(config: dict[str, Any]) -> None:
    """Python values, JSON text and dotted INI text give the same configuration, or error."""
    expected = outcome(config)
    assert expected == outcome({"dbConfig": json.dumps(config)})
    assert expected == outcome(through_ini(config))


@settings(max_examples=times(100))
@given(
    st.dictionaries(
        st.sampled_from([row.name for row in ROWS if not isinstance(row.effect, Setting)])
        | st.sampled_from(["name", "servers", "URLParam", "extraParam", "credentials", "store"])
        | st.text(max_size=8),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.binary(max_size=5)
        | st.lists(st.text(max_size=5) | st.integers(), max_size=3)
        | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        max_size=6,
    )
)
def test_garbage_is_a_config_error(options: Options) -> None:
    """Random options lead to a configuration or a ConfigError."""
    assert outcome(options) is not NotImplemented
