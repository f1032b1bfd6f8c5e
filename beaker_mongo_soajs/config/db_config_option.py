"""The option ``dbConfig``: all options in one object, JSON text or JSON file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.coerce import InvalidValue, parse_json
from beaker_mongo_soajs.options.masking import show


def load_db_config(value: Any) -> Mapping[Any, Any]:
    """Read the value of ``dbConfig``.

    :param value: an object, JSON text, or the path of a JSON file
    :returns: the options in it
    :raises ConfigError: the value is none of these, or the file cannot be read
    """
    if isinstance(value, Mapping):
        return value
    hint = "Give dbConfig as an object, as JSON text, or as the path of a JSON file."
    where = "dbConfig"
    if isinstance(value, str | os.PathLike) and not str(value).lstrip().startswith(("{", "[")):
        where = f"The dbConfig file {show(os.fspath(value))}"
        try:
            value = Path(value).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(
                f"{where} cannot be read: {why}.", option="dbConfig", hint=hint
            ) from error
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except InvalidValue as error:
            raise ConfigError(f"{where} must be {error}.", option="dbConfig", hint=hint) from None
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must contain a JSON object.", option="dbConfig", hint=hint)
    return value
