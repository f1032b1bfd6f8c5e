"""Where the command line finds its configuration."""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beaker_mongo_soajs.backend.session_options import SESSION_TYPE
from beaker_mongo_soajs.cli.ini_file import read_sections
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import CACHE_PREFIXES, SESSION_PREFIXES
from beaker_mongo_soajs.config.connection_string import parse_connection_string
from beaker_mongo_soajs.config.db_config_option import load_db_config
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.table import GROUPS, TABLE, find_path
from beaker_mongo_soajs.sessions.store import SessionStore

URL_VARIABLE = "BEAKER_MONGO_URL"

_OWN_NAMES = {path[0].lower() for path in (*TABLE, *GROUPS)}
_PASTE_NAMES = frozenset({"use", "next", "paste.filter_factory", "paste.filter_app_factory"})


@dataclass(frozen=True, repr=False)
class Settings:
    """Hold the options of the sessions of one application.

    :param options: the options without prefix, Beaker's own included.
    :param origin: where they were found, for messages.
    :param made: the configuration, if the application has made it; then there are no options.
    """

    options: Mapping[str, Any]
    origin: str
    made: DbConfig | None = None

    def read(self) -> DbConfig:
        """Return the configuration.

        :raises ConfigError: it is not valid.
        """
        return self.made or DbConfig.from_options(self.options, "session")

    def read_usable(self) -> tuple[DbConfig, tuple[ConfigError, ...]]:
        """Return a configuration of the accepted options, and the errors of the others."""
        return (self.made, ()) if self.made else DbConfig.read_usable(self.options, "session")

    def explain(self, *, defaults: bool) -> str:
        """Describe the effect of each option, refused options included.

        :param defaults: whether to list the defaults of the other options, too.
        """
        if self.made:
            return self.made.explain(defaults)
        return DbConfig.explain_options(self.options, defaults, "session")


def find_settings(
    file: str | None, settings: str | None, url: str | None, environ: Mapping[str, str]
) -> Settings:
    """Find the configuration that the arguments or the environment name.

    :param file: an INI file, also with ``#section``, or the JSON file of a dbConfig.
    :param settings: ``package.module:NAME``.
    :param url: a connection string without a password.
    :param environ: the environment variables.
    :raises ConfigError: there is none, there are several, or it cannot be read.
    """
    given = [value for value in (file, settings, url) if value]
    if len(given) > 1:
        raise ConfigError(
            "Several configurations are given.", hint="Give one of --config, --settings and --url."
        )
    if file:
        return _from_file(file)
    if settings:
        return _from_module(settings)
    if url:
        _refuse_secrets(url)
        return Settings({"url": url}, "--url")
    if environ.get(URL_VARIABLE):
        return Settings({"url": environ[URL_VARIABLE]}, URL_VARIABLE)
    raise ConfigError(
        "There is no configuration.",
        hint="Give --config FILE.ini, --settings package.module:NAME or --url mongodb://host/name,"
        f" or set the environment variable {URL_VARIABLE}.",
    )


def select_options(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the session options among the settings of an application, without their prefix.

    Any prefix counts whose ``type`` is that of this package, then the prefixes of Beaker.

    :param settings: the settings.
    :returns: the options, or ``None`` if there are none.
    """
    typed = [
        name[: -len("type")]
        for name, value in settings.items()
        if name.endswith(("type", "TYPE")) and value == SESSION_TYPE
    ]
    typed = [prefix for prefix in typed if not prefix.startswith(CACHE_PREFIXES)]
    for prefix in sorted(typed, key=SESSION_PREFIXES.__contains__, reverse=True):
        return _without_prefix(settings, prefix)
    options: dict[str, Any] = {}
    for prefix in SESSION_PREFIXES:
        options |= _without_prefix(settings, prefix)
    if any(_is_own(name) for name in options) and "type" not in options:
        return options
    return None


def _without_prefix(settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name[len(prefix) :]: value for name, value in settings.items() if name.startswith(prefix)
    }


def _is_own(name: str) -> bool:
    return name.partition(".")[0].strip().lower() in _OWN_NAMES


def _from_file(argument: str) -> Settings:
    path, _, section = argument.partition("#")
    if not Path(path).is_file():
        raise ConfigError(
            f"There is no file {path}.", option="--config", hint="Correct the path in --config."
        )
    start = Path(path).read_text(encoding="utf-8-sig", errors="replace").lstrip()
    if start.startswith("{"):
        content = load_db_config(path)
        return Settings(select_options(content) or dict(content), path)
    sections = read_sections(path, section)
    found = {
        name: options
        for name, settings in sections.items()
        if (options := select_options(settings) or _filter_options(settings)) is not None
    }
    if not found:
        named = f"The section {section} of {path}" if section else path
        raise ConfigError(
            f"{named} has no session options.",
            option="--config",
            hint=f"Write them with a prefix: session.type = {SESSION_TYPE}, session.url = …"
            + ("" if section else ", or name the section: --config FILE.ini#section."),
        )
    first = next(iter(found))
    if any(options != found[first] for options in found.values()):
        raise ConfigError(
            f"Several sections of {path} have session options: {', '.join(found)}.",
            option="--config",
            hint=f"Name one of them: --config {path}#{first}.",
        )
    return Settings(found[first], f"{path}, section {first}")


def _filter_options(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options of a Paste filter of this package, which have no prefix."""
    if not any("beaker_mongo_soajs" in str(settings.get(name, "")) for name in _PASTE_NAMES):
        return None
    own = {
        name: value
        for name, value in settings.items()
        if name not in _PASTE_NAMES and name not in {"here", "__file__"}
    }
    return own or None


def _from_module(argument: str) -> Settings:
    module, colon, names = argument.partition(":")
    if not colon or not module or not names:
        raise ConfigError(
            "--settings must have the form package.module:NAME.", option="--settings", value=MASK
        )
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        value: Any = importlib.import_module(module)
        for name in names.split("."):
            value = getattr(value, name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"--settings {argument} cannot be imported: {error}.",
            option="--settings",
            hint="Write it as package.module:NAME, and run the command in the folder from which the"
            " application imports this module.",
        ) from error
    return settings_of(value, f"--settings {argument}")


def settings_of(value: Any, origin: str) -> Settings:
    """Return the settings that an object of an application holds.

    :param value: a mapping of options with or without prefix, a connection string, a
        :class:`DbConfig`, a store, or an object with a store.
    :param origin: where it was found, for messages.
    :raises ConfigError: it is none of these.
    """
    if not isinstance(value, DbConfig):
        value = getattr(value, "store", value)
    if isinstance(value, SessionStore):
        value = value.config
    if isinstance(value, DbConfig):
        return Settings({}, origin, value)
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        return Settings({"url" if "://" in text else "dbConfig": text}, origin)
    if isinstance(value, Mapping):
        options = {str(name): item for name, item in value.items()}
        return Settings(select_options(options) or options, origin)
    raise ConfigError(
        f"{origin} is a {type(value).__name__}, which holds no configuration.",
        hint="Name a dict of options, a connection string, a DbConfig, a SessionStore or a"
        " SessionMiddleware.",
    )


def _refuse_secrets(url: str) -> None:
    """Refuse a connection string with secrets: other users of the machine can see arguments."""
    parsed = parse_connection_string(url)
    secret = "a password" if parsed.password is not None else ""
    for name, _ in parsed.options:
        if TABLE[find_path(("URLParam",), name)].secret:
            secret = secret or f"the secret {name}"
    if secret:
        raise ConfigError(
            f"--url has {secret}, and other users of this machine can see arguments.",
            option="--url",
            value=MASK,
            hint=f"Set the environment variable {URL_VARIABLE} instead, or use --config.",
        )
