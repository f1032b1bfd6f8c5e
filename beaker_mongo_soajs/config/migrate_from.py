"""The old backend that sessions are moved from: ``store.migrateFrom``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.option import Path
from beaker_mongo_soajs.options.table import TABLE

GROUP = ("store", "migrateFrom")
_NEEDS_URL = frozenset(
    {"ext:database", "ext:mongodb", "ext:redis", "ext:memcached", "flask-session", "django"}
)
_MODULES = {
    "ext:database": ("sqlalchemy", "SQLAlchemy"),
    "django": ("sqlalchemy", "SQLAlchemy"),
    "ext:redis": ("redis", "redis"),
    "ext:memcached": ("memcache", "python-memcached"),
    "flask-session": ("msgspec", "msgspec"),
}


@dataclass(frozen=True, repr=False)
class MigrateFrom:
    """Hold the options of ``store.migrateFrom``.

    :param type: the kind of the old backend
    :param url: its connection string; it may contain a password
    :param folder: the folder of the files, for ``file`` and ``dbm``
    :param table_name: the table
    :param schema_name: the schema of the table
    :param collection: the collection
    :param key_prefix: the prefix of ids in the old backend
    :param transform_id: the digest that is stored there instead of the session id
    :param encrypt_key: the key of encrypted sessions there, if they are decrypted
    :param validate_key: the other part of that key
    :param trust_pickles: whether pickles are loaded
    :param keep: whether moved sessions stay there
    """

    type: str
    url: str | None = None
    folder: str | None = None
    table_name: str = "beaker_cache"
    schema_name: str | None = None
    collection: str = "sessions"
    key_prefix: str = "session:"
    transform_id: Literal["sha256"] | None = None
    encrypt_key: str | None = None
    validate_key: str | None = None
    trust_pickles: bool = False
    keep: bool = False

    @classmethod
    def from_values(cls, values: Mapping[Path, Any]) -> MigrateFrom | None:
        """Take the options of the group from all options.

        :param values: the given options, each as its kind reads it
        :returns: the options; ``None`` if none is given
        :raises ConfigError: one is missing, or a module is not installed
        """
        given = {path[-1]: value for path, value in values.items() if path[:2] == GROUP}
        if not given:
            return None

        def get(name: str) -> Any:
            return given.get(name, TABLE[*GROUP, name].default)

        kind = get("type")
        if kind is None:
            raise _missing("type", "Set it to the session.type of the old backend.")
        folder = {"file": get("fileDir"), "dbm": get("dbmDir")}.get(kind)
        if kind in ("file", "dbm") and folder is None:
            if get("dataDir") is None:
                raise _missing("dataDir", "Set it to the session.data_dir of the old backend.")
            folder = f"{get('dataDir')}/container_{kind}"
        if kind in _NEEDS_URL and get("url") is None:
            raise _missing("url", "Set it to the session.url of the old backend.")
        _check_module(kind)
        _check_key(get("encryptKey"), get("validateKey"))
        table = "django_session" if kind == "django" else "beaker_cache"
        return cls(
            type=kind,
            url=get("url"),
            folder=folder,
            table_name=get("tableName") or table,
            schema_name=get("schemaName"),
            collection=get("collection") or "sessions",
            key_prefix=get("keyPrefix"),
            transform_id=get("transformId"),
            encrypt_key=get("encryptKey"),
            validate_key=get("validateKey"),
            trust_pickles=get("trustPickles"),
            keep=get("keep"),
        )


def _missing(name: str, hint: str) -> ConfigError:
    option = ".".join((*GROUP, name))
    return ConfigError(f"{option} is not set.", option=option, hint=hint)


def _check_key(encrypt_key: str | None, validate_key: str | None) -> None:
    if encrypt_key is None:
        if validate_key is not None:
            raise _missing("encryptKey", "Set it to the session.encrypt_key of the old backend.")
        return
    if validate_key is None:
        raise _missing("validateKey", "Set it to the session.validate_key of the old backend.")
    if find_spec("cryptography") is None:
        option = ".".join((*GROUP, "encryptKey"))
        raise ConfigError(
            f"{option} needs the module cryptography.",
            option=option,
            hint='Run pip install "beaker_mongo_soajs[encryption]".',
        )


def _check_module(kind: str) -> None:
    module, package = _MODULES.get(kind, ("", ""))
    if module and find_spec(module) is None:
        option = ".".join((*GROUP, "type"))
        raise ConfigError(
            f"{option} is {kind}, which needs the module {module}.",
            option=option,
            value=kind,
            hint=f"Run pip install {package}.",
        )
