"""The option ``dbConfig``: all options in one object, JSON text or JSON file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.options.coerce import InvalidValue, parse_json
from beaker_mongo_soajs.options.masking import is_url, show

_HINT = "Set dbConfig to an object, to JSON text, or to the path of a JSON file."


def load_db_config(value: Any) -> Mapping[Any, Any]:
    """Read the value of ``dbConfig``.

    :param value: an object, JSON text, or the path of a JSON file
    :returns: the options in it
    :raises ConfigError: the value is none of these, or the file cannot be read
    """
    where = "dbConfig"
    if isinstance(value, str):
        value = _unquote(value)
    if isinstance(value, os.PathLike) or (isinstance(value, str) and not _is_json(value)):
        path = os.fspath(value)
        if not isinstance(path, str) or not _is_path(path):
            raise ConfigError("dbConfig is not valid.", option="dbConfig", value=MASK, hint=_HINT)
        where = f"The dbConfig file {show(path)}"
        value = _read_file(path, where)
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except InvalidValue as error:
            raise ConfigError(
                f"{where} must be {error}.", option="dbConfig", value=MASK, hint=_HINT
            ) from None
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{where} must contain a JSON object.", option="dbConfig", value=MASK, hint=_HINT
        )
    return value


def _unquote(text: str) -> str:
    """Remove a byte order mark, and quotes around a JSON text."""
    text = text.lstrip("\ufeff").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and _is_json(text[1:-1]):
        return text[1:-1]
    return text


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))


def _is_path(text: str) -> bool:
    """Check whether a text can be shown as a path. Anything else may contain a password."""
    return text.isprintable() and not is_url(text) and not set(text) & set('{}"@=')


def _read_file(path: str, where: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"{where} cannot be read: {why}.", option="dbConfig", value=show(path), hint=_HINT
        ) from error
