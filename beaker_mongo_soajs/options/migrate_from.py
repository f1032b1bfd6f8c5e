"""The rows of ``store.migrateFrom``: the backend that sessions are moved from."""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.options import coerce
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.option import Option, Setting

TYPES = (
    *("ext:database", "ext:mongodb", "ext:redis", "ext:memcached", "file", "dbm"),
    *("ext:mongodb_soajs", "flask-session", "django"),
)
_TEXT = Kind("text", coerce.read_text)


def _row(name: str, kind: Kind, doc: str, default: Any = None, **more: Any) -> Option:
    effect = Setting("how sessions are moved from another backend")
    return Option(("store", "migrateFrom", name), kind, effect, doc, default=default, **more)


ROWS: tuple[Option, ...] = (
    _row(
        "type",
        coerce.one_of(*TYPES),
        "Beaker's old `session.type`; `ext:mongodb_soajs` for another collection or form of this"
        " package and of connect-mongo; `flask-session` for Flask-Session in MongoDB; `django` for"
        " the table of Django's `db` sessions.",
    ),
    _row(
        "url",
        _TEXT,
        "The old `session.url`: that of SQLAlchemy, MongoDB, Redis or memcached. Default for"
        " `ext:mongodb_soajs`: the same server and database.",
        secret=True,
    ),
    _row("dataDir", _TEXT, "The old `session.data_dir`, for `file` and `dbm`."),
    _row("fileDir", _TEXT, "The old `session.file_dir`, for `file`."),
    _row("dbmDir", _TEXT, "The old `session.dbm_dir`, for `dbm`."),
    _row("tableName", _TEXT, "The old `session.table_name`, for `ext:database`."),
    _row("schemaName", _TEXT, "The old `session.schema_name`, for `ext:database`."),
    _row("collection", _TEXT, "The old collection, for `ext:mongodb_soajs` and `flask-session`."),
    _row("keyPrefix", _TEXT, "The old `SESSION_KEY_PREFIX`, for `flask-session`.", "session:"),
    _row(
        "transformId",
        coerce.one_of("sha256"),
        "The old `store.transformId`, for `ext:mongodb_soajs`.",
    ),
    _row(
        "encryptKey",
        _TEXT,
        "The old `session.encrypt_key`, to store sessions without it or with another one. Needs the"
        " module cryptography.",
        secret=True,
    ),
    _row("validateKey", _TEXT, "The old `session.validate_key`, for `encryptKey`.", secret=True),
    _row(
        "trustPickles",
        coerce.BOOLEAN,
        "`true`: load pickles of the old backend. Anybody who can write to it can then"
        " run code in this process.",
        False,
    ),
    _row(
        "keep",
        coerce.BOOLEAN,
        "`true`: leave moved sessions in the old backend, for processes that still use it.",
        False,
    ),
)
