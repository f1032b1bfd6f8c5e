"""Tables: Beaker's ``ext:database``, and Django's sessions."""

import base64
import json
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import SerializationError
from beaker_mongo_soajs.sources.entry import Entry
from beaker_mongo_soajs.sources.source import Source

_PAGE = 500


class TableSource(Source):
    """A table with one row for each session.

    :param options: as for :class:`Source`.
    :param key: the column of the session id.
    :param columns: the other columns to read.
    """

    def __init__(self, options: MigrateFrom, key: str, *columns: sa.Column[Any]) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._table = sa.Table(
            options.table_name,
            sa.MetaData(schema=options.schema_name),
            sa.Column(key, sa.String),
            *columns,
        )
        self._key = self._table.c[key]

    def close(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            self._engine.dispose()

    def _connect(self) -> sa.Engine:
        with self._lock:
            if self._engine is None:
                assert self.options.url is not None
                self._engine = sa.create_engine(self.options.url)
            return self._engine

    def _find(self, session_id: str) -> Entry | None:
        query = sa.select(self._table).where(self._key == session_id)
        with self._connect().connect() as connection:
            row = connection.execute(query).fetchone()
        return None if row is None else self._read(row)

    def _delete(self, session_id: str) -> None:
        with self._connect().begin() as connection:
            connection.execute(self._table.delete().where(self._key == session_id))

    def _entries(self) -> Iterator[Entry]:
        last = ""
        while True:
            query = sa.select(self._table).where(self._key > last).order_by(self._key).limit(_PAGE)
            with self._connect().connect() as connection:
                rows = connection.execute(query).fetchall()
            if not rows:
                return
            for row in rows:
                yield self._read(row)
            last = getattr(rows[-1], self._key.name)

    def _count(self) -> int:
        query = sa.select(sa.func.count()).select_from(self._table)
        with self._connect().connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _read(self, row: Any) -> Entry:
        raise NotImplementedError


class BeakerTable(TableSource):
    """The table of Beaker's ``ext:database``, which also holds its caches."""

    def __init__(self, options: MigrateFrom) -> None:
        accessed = sa.Column("accessed", sa.DateTime)
        # SQLAlchemy must not unpickle it.
        super().__init__(options, "namespace", accessed, sa.Column("data", sa.LargeBinary))

    def _read(self, row: Any) -> Entry:
        accessed = row.accessed
        if isinstance(accessed, datetime):
            # Beaker stores local time.
            accessed = accessed.astimezone(UTC).replace(tzinfo=None)
        return Entry(row.namespace, row.data, accessed)


class DjangoTable(TableSource):
    """The table of Django's ``db`` sessions: signed JSON.

    The signature is not checked: it protects Django against those who can write to its database,
    who could as well write to this one.
    """

    def __init__(self, options: MigrateFrom) -> None:
        data, expires = sa.Column("session_data", sa.Text), sa.Column("expire_date", sa.DateTime)
        super().__init__(options, "session_key", data, expires)

    def _read(self, row: Any) -> Entry:
        expires = row.expire_date
        if isinstance(expires, datetime) and expires.tzinfo is not None:
            expires = expires.astimezone(UTC).replace(tzinfo=None)
        return Entry(row.session_key, row.session_data, None, expires, _read_signed)


def _read_signed(text: str) -> dict[str, Any]:
    """Return the session in a text that ``django.core.signing.dumps`` made.

    :raises SerializationError: it is not JSON; Django's pickles are not supported.
    """
    payload, _, _ = text.partition(":")
    try:
        # Python ignores more padding than is needed.
        data = base64.urlsafe_b64decode(payload.lstrip(".") + "==")
        session = json.loads(zlib.decompress(data) if payload.startswith(".") else data)
    except (ValueError, zlib.error, RecursionError):
        session = None
    if not isinstance(session, dict):
        raise SerializationError(
            "The old session is not signed JSON of Django 3.1 or later.",
            path="session",
            hint="Use Django's JSONSerializer for some days first.",
        )
    return session
