"""One old backend: what all of them can do."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from beaker_mongo_soajs.config.migrate_from import MigrateFrom
from beaker_mongo_soajs.exceptions import BeakerMongoError, ConfigError, StoreUnavailable
from beaker_mongo_soajs.sources.entry import Entry


class Source(ABC):
    """Read and delete sessions of an old backend. It connects on first use.

    Methods raise :class:`~beaker_mongo_soajs.StoreUnavailable` if the backend does not answer.

    :param options: the options of ``store.migrateFrom``.
    """

    def __init__(self, options: MigrateFrom) -> None:
        self.options = options

    def find(self, session_id: str) -> Entry | None:
        """Return the entry of a session, if there is one.

        :param session_id: the session id.
        """
        with self._errors():
            return self._find(session_id)

    def delete(self, session_id: str) -> None:
        """Delete the entry of a session, if there is one.

        :param session_id: the session id.
        """
        with self._errors():
            self._delete(session_id)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries.

        :raises ConfigError: the backend cannot list them.
        """
        with self._errors():
            yield from self._entries()

    def count(self) -> int | None:
        """Return the number of entries, if the backend can tell it quickly."""
        with self._errors():
            return self._count()

    def close(self) -> None:
        """Close the connections."""
        return

    @abstractmethod
    def _find(self, session_id: str) -> Entry | None: ...

    @abstractmethod
    def _delete(self, session_id: str) -> None: ...

    def _entries(self) -> Iterator[Entry]:
        raise ConfigError(
            f"{self.options.type} cannot list its sessions.",
            option="store.migrateFrom.type",
            value=self.options.type,
            hint="Set store.migrateFrom in the application, so that each session is moved when its "
            "visitor returns.",
        )

    def _count(self) -> int | None:
        return None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BeakerMongoError:
            raise
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"The old backend {self.options.type} needs the module {error.name}.",
                option="store.migrateFrom.url",
                hint="Install the package of this module, or name another driver in the URL.",
            ) from None
        except Exception as error:  # noqa: BLE001 - each library has errors of its own
            # Their texts may contain connection strings, and session ids as parameters.
            raise StoreUnavailable(
                f"The old backend {self.options.type} does not answer ({type(error).__name__}).",
                hint="Check store.migrateFrom. Remove it when all sessions are moved.",
            ) from None
