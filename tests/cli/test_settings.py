"""Where the command line finds its configuration."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from beaker_mongo_soajs import ConfigError, DbConfig, SessionMiddleware, SessionStore
from beaker_mongo_soajs.cli.settings import Settings, find_settings, settings_of
from tests.cli.support import run
from tests.conftest import Options
from tests.passwords import PASSWORD

URL = "mongodb://127.0.0.1:27017/shop"


def find(file: Path | str | None = None, **given: Any) -> Settings:
    """Find settings in a file, without other sources."""
    arguments: dict[str, Any] = {"settings": None, "url": None, "environ": {}}
    return find_settings(None if file is None else str(file), **{**arguments, **given})


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    """Return the path of an INI file that a test writes."""
    return tmp_path / "production.ini"


class TestIniFiles:
    """INI files of Paste and Pyramid."""

    @pytest.mark.parametrize("prefix", ["session.", "beaker.session.", "session_", "shop.web."])
    def test_any_prefix(self, ini: Path, prefix: str) -> None:
        """The session options are found by their type, first those with a prefix of Beaker."""
        ini.write_text(
            f"[app:main]\nuse = egg:shop\nsqlalchemy.url = sqlite:///x\n"
            f"{prefix}type = ext:mongodb_soajs\n{prefix}name = shop\ncache.type = memory\n"
            "second.type = ext:mongodb_soajs\n"
        )
        settings = find(ini)
        assert {"type": "ext:mongodb_soajs", "name": "shop"} == settings.options
        assert "shop" == settings.read().database

    def test_without_a_type(self, ini: Path) -> None:
        """The options of a SessionMiddleware need no type; other backends' options are none."""
        ini.write_text("[app:main]\nsession.name = shop\nsession.timeout = 1800\n")
        assert "shop" == find(ini).read().database
        ini.write_text("[app:main]\nsession.type = file\nsession.url = x\n")
        with pytest.raises(ConfigError, match="has no session options"):
            find(ini)

    def test_sections(self, ini: Path) -> None:
        """A section is named with or without its kind; of several, one has to be named."""
        ini.write_text("[app:main]\nsession.name = one\n[app:other]\nsession.name = two\n[x]\n")
        with pytest.raises(ConfigError, match=r"app:main, app:other.*#app:main"):
            find(ini)
        assert "two" == find(f"{ini}#other").read().database
        assert "two" == find(f"{ini}#app:other").read().database
        with pytest.raises(ConfigError, match=r"no section more.*app:main, app:other, x"):
            find(f"{ini}#more")
        with pytest.raises(ConfigError, match="The section x of"):
            find(f"{ini}#x")

    def test_a_filter_without_prefix(self, ini: Path) -> None:
        """The options of a Paste filter of this package have no prefix."""
        ini.write_text("[filter:s]\nuse = egg:beaker_mongo_soajs#session\nname = shop\nsecure=1\n")
        assert {"name": "shop", "secure": "1"} == find(ini).options

    def test_values_of_other_places(self, ini: Path) -> None:
        """Values of [DEFAULT], %(here)s, and of a file that is inherited are found."""
        ini.with_name("base.ini").write_text(
            "[app:main]\nsession.name = base\nsession.collection = web\n"
        )
        ini.write_text(
            "[DEFAULT]\nhost = db1\n[app:main]\nuse = config:base.ini\nother = %(unknown)s\n"
            "session.name = shop\nsession.servers = %(host)s:27018\n"
            "session.URLParam.appName = %(here)s\n"
        )
        assert "URLParam.appName" in find(ini).options
        config = find(ini).read()
        assert ("shop", "web") == (config.database, config.collection)
        assert (("db1", 27018),) == config.servers
        assert str(ini.parent) == config.keywords["appName"]

    @pytest.mark.parametrize(("use", "name"), [("", "x"), ("#web", "b"), ("#plain", "c")])
    def test_other_sections(self, ini: Path, use: str, name: str) -> None:
        """A section of another file is inherited; of a repeated name, the last value counts."""
        ini.with_name("base.ini").write_text(
            "[app:main]\nsession.name = a\nsession.name = x\n[app:web]\nsession.name = b\n"
            "[plain]\nsession.name = c\n"
        )
        ini.write_text(f"[app:shop]\nuse = config:base.ini{use}\nsession.timeout = 9\n")
        assert name == find(ini).options.get("name")

    def test_chains(self, ini: Path) -> None:
        """Files may inherit from ten others, one after the other; endless chains end there."""
        for number in range(20):
            ini.with_name(f"{number}.ini").write_text(
                f"[app:main]\nuse = config:{number + 1}.ini\nsession.name = shop\n"
                f"session.n{number} = x\n"
            )
        assert {"name", *(f"n{number}" for number in range(11))} == set(
            find(ini.with_name("0.ini")).options
        )

    def test_no_file(self, ini: Path) -> None:
        """A file that does not exist, or is no INI file, is one clear error."""
        with pytest.raises(ConfigError, match="There is no file"):
            find(ini)
        ini.write_text("[DEFAULT]\nsession.name = shop\n")
        assert {"name": "shop"} == find(ini).options
        ini.write_text("[app:main]\nuse = config:none.ini\n")
        with pytest.raises(ConfigError, match=r"none.ini cannot be read: No such file"):
            find(ini)
        ini.write_text(f"session.password = {PASSWORD}\n")
        with pytest.raises(ConfigError, match="it is no INI file"):
            find(ini)


class TestOtherSources:
    """JSON files, modules, connection strings, the environment."""

    def test_json_file(self, tmp_path: Path) -> None:
        """A JSON file holds a dbConfig, or settings with a prefix."""
        path = tmp_path / "db.json"
        path.write_text(json.dumps({"name": "shop", "store": {"touchAfter": 9}}))
        assert 9 == find(path).read().store.touch_after
        path.write_text(json.dumps({"session.name": "other", "more": 1}))
        assert "other" == find(path).read().database
        path.write_text("{")
        with pytest.raises(ConfigError, match="must be"):
            find(path)

    def test_module(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name in a module of the current folder is imported."""
        (tmp_path / "shop_conf.py").write_text("class A:\n    BEAKER = {'session.name': 'shop'}\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.path", [*sys.path])
        assert "shop" == find(settings="shop_conf:A.BEAKER").read().database
        assert str(tmp_path) == sys.path[0]
        for wrong in ("shop_conf", "shop_conf:B", "no_such_module:A", ":A"):
            with pytest.raises(ConfigError, match=r"package\.module:NAME"):
                find(settings=wrong)

    def test_objects(self, options: Options) -> None:
        """A config, a store, a middleware, a text and a dict hold a configuration."""
        config = DbConfig.from_options(options)
        middleware = SessionMiddleware(lambda *_: [], secure=False, secret="x" * 32, **options)
        for value in (config, SessionStore(config), options, middleware):
            assert config.database == settings_of(value, "here").read().database
        assert "shop" == settings_of(URL, "here").read().database
        with pytest.raises(ConfigError, match="is a int"):
            settings_of(7, "here")

    def test_environment(self) -> None:
        """The variable is used if no argument names a configuration."""
        environ = {"BEAKER_MONGO_URL": "mongodb://ann:secret@db1/shop?authSource=admin"}
        assert "shop" == find(environ=environ).read().database
        assert "other" == find(url="mongodb://db1/other", environ=environ).read().database

    @pytest.mark.parametrize(
        "url", ["mongodb://ann:s3cr3t@db1/x", "mongodb://db1/?tlsCertificateKeyFilePassword=s3cr3t"]
    )
    def test_secrets_in_arguments(self, url: str) -> None:
        """A connection string with a secret is refused as an argument."""
        with pytest.raises(ConfigError, match=r"can see arguments.*BEAKER_MONGO_URL"):
            find(url=url)

    def test_one_source(self) -> None:
        """Two sources at once, and none, are errors with the exit code 2."""
        with pytest.raises(ConfigError, match="Several configurations"):
            find("x.ini", url=URL)
        result = run("explain")
        assert 2 == result.exit_code
        assert result.stderr.startswith("Error: There is no configuration. Give --config")
        label = "\x1b[31m\x1b[1mError:\x1b[0m "
        assert run("explain", color=True).stderr.startswith(label)

    def test_help(self) -> None:
        """-h is --help, which has the exit codes; --version names the installed version."""
        assert run("--help").stdout == run("-h").stdout
        assert "Exit codes: 0 fine" in run("-h").stdout
        number = version("beaker_mongo_soajs")
        assert f"beaker-mongo, version {number}\n" == run("--version").stdout


class TestExplain:
    """``beaker-mongo explain``."""

    def test_text(self) -> None:
        """Each option has a line; defaults are listed on demand."""
        assert "shop.sessions on mongodb://127.0.0.1:27017" in run("explain", url=URL).stdout
        assert "(default)" in run("explain", "--defaults", url=URL).stdout

    def test_json_and_refusals(self, ini: Path) -> None:
        """As JSON, each option is an object. A refused option is a finding."""
        ini.write_text(
            "[app:main]\nsession.name = shop\nsession.bogus = 1\nsession.store.userKey=\n"
            "session.extraParam.db.native_parser = 1\n"
        )
        result = run("-c", str(ini), "explain", "--json")
        assert 1 == result.exit_code
        rows = {row["option"]: row for row in json.loads(result.stdout)}
        states = {"name": "applied", "bogus": "refused", "extraParam.db.native_parser": "no effect"}
        assert states == {name: rows[name]["status"] for name in states}
        more = json.loads(run("-c", str(ini), "explain", "--json", "--defaults").stdout)
        assert [True] == list({row.get("default") for row in more[len(rows) :]})
        assert result.stdout == run("-c", str(ini), "explain", "--format", "json").stdout
        text = run("-c", str(ini), "explain")
        assert "bogus: refused" in text.stdout
        assert 1 == text.exit_code

    def test_secrets_are_masked(self) -> None:
        """The password of the connection string is not shown."""
        result = run("explain", url="mongodb://ann:s3cr3t@127.0.0.1/shop")
        assert "s3cr3t" not in result.output
        assert 0 == result.exit_code
