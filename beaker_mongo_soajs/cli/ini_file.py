"""INI files of Paste and Pyramid, read without Paste."""

import configparser
from pathlib import Path

from beaker_mongo_soajs.exceptions import ConfigError

_OTHER_FILE = "config:"
_MOST_FILES = 10


def read_sections(path: str, section: str = "") -> dict[str, dict[str, str]]:
    """Return the settings in the sections of an INI file.

    Names keep their case. ``%(here)s`` and the names of ``[DEFAULT]`` are replaced, as Paste does.

    :param path: the path of the file.
    :param section: the name of the only section to read, also without ``app:`` or ``filter:``.
    :returns: the settings by section.
    :raises ConfigError: the file cannot be read, or has no such section.
    """
    parser = _parse(path)
    names = parser.sections()
    if section:
        names = [name for name in names if section in (name, name.partition(":")[2])]
        if not names:
            raise ConfigError(
                f"{path} has no section {section}.",
                option="--config",
                hint=f"Its sections are {', '.join(parser.sections())}.",
            )
    return {name: _read(parser, path, name, _MOST_FILES) for name in names or ["DEFAULT"]}


def _parse(path: str) -> configparser.ConfigParser:
    folder = str(Path(path).absolute().parent)
    parser = configparser.ConfigParser(
        {"here": folder, "__file__": str(Path(path).absolute())}, strict=False
    )
    # As Paste does: names keep their case.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        # Errors of the parser quote lines, which may hold a password.
        why = error.strerror if isinstance(error, OSError) else "it is no INI file in UTF-8"
        raise ConfigError(
            f"{path} cannot be read: {why}.",
            option="--config",
            hint="Give an INI file, or the JSON file of a dbConfig.",
        ) from None
    return parser


def _read(
    parser: configparser.ConfigParser, path: str, section: str, most_files: int
) -> dict[str, str]:
    settings: dict[str, str] = {}
    for name in parser[section]:
        try:
            settings[name] = parser.get(section, name)
        except configparser.InterpolationError:
            # It may be a setting of another package, in a syntax of its own.
            settings[name] = parser.get(section, name, raw=True)
    other = settings.get("use", "")
    if other.startswith(_OTHER_FILE) and most_files:
        settings = _read_other(other, path, section, most_files - 1) | settings
    return settings


def _read_other(use: str, path: str, section: str, most_files: int) -> dict[str, str]:
    """Return the settings that ``use = config:other.ini#section`` inherits."""
    other, _, name = use.removeprefix(_OTHER_FILE).partition("#")
    target = str(Path(path).parent / other)
    parser = _parse(target)
    kind = section.partition(":")[0]
    for candidate in (f"{kind}:{name or 'main'}", name, section):
        if parser.has_section(candidate):
            return _read(parser, target, candidate, most_files)
    return {}
