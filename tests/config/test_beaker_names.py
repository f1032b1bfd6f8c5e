"""The names of options: Beaker's own, those of its other backends, and blank ones."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import Usage
from beaker_mongo_soajs.config.start_warnings import find_start_warnings, log_start_warnings
from beaker_mongo_soajs.exceptions import ConfigError
from tests.conftest import Options


def errors_of(options: Options, usage: Usage | None = None) -> list[tuple[str | None, str]]:
    """Return the option and the text of each error of a configuration."""
    with pytest.raises(ConfigError) as caught:
        DbConfig.from_options(options, usage)
    return [(error.option, str(error)) for error in caught.value.errors]


class TestBeakersOptions:
    """Options of Beaker, which its middlewares pass on."""

    @pytest.mark.parametrize(
        "name", ["Encrypt_Key", "Timeout", "SECRET", "SameSite", "Cookie_Path", "HttpOnly"]
    )
    def test_other_case(self, name: str) -> None:
        """An option of Beaker's in another case is an error, as Beaker does not use it."""
        [(option, text)] = errors_of({"name": "shop", name: "x"}, "session")
        assert name == option
        assert f"Write {name.lower()}." in text

    @pytest.mark.parametrize(
        ("usage", "name", "remedy"),
        [
            ("session", "expire", "Use timeout"),
            ("session", "expiretime", "Use timeout"),
            ("session", "regions", "cache.regions"),
            ("session", "key_length", "Remove it"),
            ("cache", "encrypt_key", "not encrypted"),
            ("cache", "secret", "store.signingKey"),
            ("cache", "timeout", "Use expire"),
            ("cache", "cookie_expires", "Remove it"),
        ],
    )
    def test_other_usage(self, usage: Usage, name: str, remedy: str) -> None:
        """An option of caches is an error for a session, and the other way round."""
        [(option, text)] = errors_of({"name": "shop", name: "60"}, usage)
        assert name == option
        assert remedy in text
        assert DbConfig.from_options({"name": "shop", name: None}, usage)
        assert DbConfig.from_options({"name": "shop", name: "60"})

    @pytest.mark.parametrize(
        "name", ["session.prefix", "beaker.session.servers", "session_prefix", "SESSION.PREFIX"]
    )
    def test_prefix_that_is_left(self, name: str) -> None:
        """An option that still has its prefix is an error, unless Beaker passed it without."""
        [(option, text)] = errors_of({"name": "shop", name: "x"})
        assert name == option
        assert "prefix" in text

    def test_names_of_both_kinds_are_suggested(self) -> None:
        """Beaker's options are suggested for a name that is similar to theirs."""
        assert [("timout", "There is no option timout. Did you mean timeout?")] == errors_of(
            {"timout": 60}, "session"
        )
        assert [("expir", "There is no option expir. Did you mean expire?")] == errors_of(
            {"expir": 60}, "cache"
        )


class TestBlankOptions:
    """Options without a value."""

    PROTECTED: ClassVar[Options] = {
        "name": "shop",
        "collection": "web",
        "servers": ["db1:27018"],
        "URLParam": {"ssl": True, "maxPoolSize": 7},
        "credentials": {"username": "ann", "password": "secret"},
        "store": {"signingKey": "0123456789abcdef0123456789abcdef", "touchAfter": 60},
    }

    @pytest.mark.parametrize(
        "name",
        [
            *("name", "collection", "servers", "url", "URLParam", "URLParam.ssl", "credentials"),
            *("credentials.password", "store", "store.signingKey", "store.touchAfter", "STORE"),
        ],
    )
    @pytest.mark.parametrize("blank", ["", "  "])
    def test_blank_option_beside_db_config(self, name: str, blank: str) -> None:
        """A blank option leaves what dbConfig says as it is, and the report says so."""
        expected = DbConfig.from_options({"dbConfig": self.PROTECTED})
        config = DbConfig.from_options({"dbConfig": self.PROTECTED, name: blank})
        assert expected == config
        assert any(
            line.lower().startswith(f"{name.lower()} = ") and "the same as not given" in line
            for line in config.explain().splitlines()
        )

    @pytest.mark.parametrize("value", [None, "null", "None"])
    def test_null_beside_db_config(self, value: object) -> None:
        """A null sets an option of dbConfig back to its default, and the report says so."""
        config = DbConfig.from_options({"dbConfig": self.PROTECTED, "URLParam.ssl": value})
        assert "tls" not in config.keywords
        line = "URLParam.ssl = null: not set, which overrides dbConfig"
        assert line in config.explain().splitlines()

    def test_blank_option_beside_the_same_one(self) -> None:
        """A blank option beside the same one in another spelling does not count."""
        for options in (
            {"URLParam.ssl": "", "URLParam": {"ssl": True}},
            {"URLParam": {"ssl": True}, "URLPARAM.SSL": " "},
        ):
            config = DbConfig.from_options({"name": "shop", **options})
            assert config.keywords["tls"] is True
        assert 'URLParam.ssl = "": the same as not given' in config.explain().splitlines()

    @pytest.mark.parametrize("value", [None, "", " "])
    @pytest.mark.parametrize("name", ["urls", "user", "password", "tenant", "URLParam.tenant"])
    def test_unknown_blank_options(self, name: str, value: object) -> None:
        """An unknown option without a value has no effect, and the report lists it."""
        config = DbConfig.from_options({"name": "shop", name: value})
        assert DbConfig.from_options({"name": "shop"}) == config
        assert f"{name} = " in config.explain()
        assert any(name in text for text in find_start_warnings(config))

    def test_empty_credentials(self) -> None:
        """Credentials of two empty texts mean no authentication."""
        empty = {"username": "", "password": ""}
        assert DbConfig.from_options({"name": "shop", "credentials": empty}).credentials is None


class TestOtherNames:
    """Names that other packages and environment variables use."""

    @pytest.mark.parametrize(
        "options",
        [
            {"user": "ann", "password": "secret"},
            {"username": "ann", "password": "secret"},
            {"USERNAME": "ann", "credentials.password": "secret", "user": ""},
            {"CREDENTIALS_USERNAME": "ann", "credentials_password": "secret"},
        ],
        ids=str,
    )
    def test_credentials(self, options: Options) -> None:
        """The names user, username and password mean the credentials."""
        config = DbConfig.from_options({"name": "shop", **options})
        assert config.credentials is not None
        assert ("ann", "secret") == (config.credentials.username, config.credentials.password)

    def test_user_given_twice(self) -> None:
        """Two names of the same user are an error."""
        [(option, text)] = errors_of({"user": "ann", "username": "bob", "password": "secret"})
        assert "credentials.username" == option
        assert "given twice, as user and as username" in text

    def test_environment_variables(self) -> None:
        """Names may have underscores instead of dots."""
        names = {"STORE_TOUCHAFTER": "60", "urlparam_maxpoolsize": "7", "NAME": "shop"}
        config = DbConfig.from_options(names)
        assert ("shop", 60, 7) == (
            config.database,
            config.store.touch_after,
            config.keywords["maxPoolSize"],
        )


class TestLeftovers:
    """Lines that a configuration keeps from another backend of Beaker's."""

    LINES: ClassVar[Options] = {
        "memcache_module": "pylibmc",
        "protocol": "binary",
        "sa.url": "postgresql://ann:x7Qk9z@db1/shop",
        "sa.pool_recycle": "3600",
        "table_name": "sessions",
        "schema_name": "public",
        "sparse_collection": "true",
        "dbm_dir": "/var/cache",
        "file_dir": "/var/cache",
        "data_dir": "/var/cache",
        "lock_dir": "/var/lock",
        "urls": "redis://db1",
    }

    def test_start_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        """One warning at the start names every line that has no effect, and no value."""
        config = DbConfig.from_options({"name": "shop", "servers": "db1", **self.LINES})
        assert DbConfig.from_options({"name": "shop", "servers": "db1"}) == config
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                log_start_warnings(config)
        [text] = [record.getMessage() for record in caplog.records]
        assert [] == [name for name in self.LINES if name not in text]
        assert "ext:memcached" in text
        assert "/var" not in text

    def test_folders_of_a_cache(self) -> None:
        """A cache region inherits the folders of other backends without a warning."""
        region = {"name": "shop", "servers": "db1", "data_dir": "/var/cache", "lock_dir": "/var"}
        assert () == DbConfig.from_options(region, "cache").leftovers

    def test_default_server(self) -> None:
        """A configuration without any server has a warning that names the default server."""
        [text] = find_start_warnings(DbConfig.from_options({"name": "shop"}))
        assert "127.0.0.1:27017" in text
        for given in ({"servers": "db1"}, {"url": "mongodb://db1/shop"}):
            assert [] == [*find_start_warnings(DbConfig.from_options({"name": "shop", **given}))]


class TestErrors:
    """Several errors of one configuration."""

    def test_all_errors_are_reported(self) -> None:
        """All errors of a configuration are one ConfigError, which lists each with its remedy."""
        options: Any = {5: 1, "Secure": True, "timout": 1, "URLParam.w": 0, "collection": ""}
        options |= {"credentials.username": 5}
        errors = errors_of(options, "session")
        expected = {None, "Secure", "timout", "URLParam.w", "collection", "credentials.username"}
        assert expected == {option for option, _ in errors}
        with pytest.raises(ConfigError) as caught:
            DbConfig.from_options(options, "session")
        assert [] == [text for _, text in errors if text not in str(caught.value)]
        assert 191 == caught.value.code
        first = caught.value.errors[0]
        assert (first.option, first.value) == (caught.value.option, caught.value.value)

    def test_a_consequence_is_no_error_of_its_own(self) -> None:
        """An error that follows from another one of the same option is not reported."""
        options = {"credentials": {"username": "ann", "password": 5}}
        assert ["credentials.password"] == [option for option, _ in errors_of(options)]

    def test_from_options_takes_a_connection_string(self) -> None:
        """A connection string alone is a configuration."""
        url = "mongodb://db1/shop"
        assert DbConfig.from_options({"url": url}) == DbConfig.from_options(url)

    def test_db_config_names_from_options(self) -> None:
        """DbConfig itself cannot be called, and the error names from_options."""
        with pytest.raises(TypeError, match="from_options"):
            DbConfig(name="shop")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("expireAfter", "2w", 1209600000),
        ("expireAfter", "30m", 1800000),
        ("expireAfter", "1800s", 1800000),
        ("expireAfter", "1.5 hours", 5400000),
        ("URLParam.socketTimeoutMS", "20s", 20000),
        ("URLParam.maxStalenessSeconds", "2m", 120),
        ("extraParam.server.haInterval", "10s", 10000),
        ("store.touchAfter", "5m", 300),
        ("store.touchAfter", "500ms", 0.5),
        ("store.lockLease", "1m", 60),
        ("store.maxLifetime", "1h", 3600),
        ("store.autoRemoveInterval", "1h", 60),
    ],
)
def test_durations(option: str, value: str, expected: float) -> None:
    """Every duration may have a unit."""
    given = DbConfig.from_options(
        {"name": "shop", option: value, "URLParam.readPreference": "nearest"}
    )
    plain = DbConfig.from_options(
        {"name": "shop", option: expected, "URLParam.readPreference": "nearest"}
    )
    assert plain == given
    assert (
        plain != DbConfig.from_options({"name": "shop", "URLParam.readPreference": "nearest"})
        or expected == 1209600000
    )
