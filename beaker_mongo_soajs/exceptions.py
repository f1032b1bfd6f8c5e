"""The errors of this package.

None of them derives from ``KeyError`` or ``TypeError``: Beaker's ``Session.load`` takes these two
for a missing session, and overwrites what is stored.
"""

from __future__ import annotations

from beaker.exceptions import BeakerException

MASK = "***"
"""The text that replaces a secret in a message, a report or a ``repr``."""

KEPT = "The document was not changed. Find out what wrote it, then repair or delete it."
"""The hint of an error about a document that cannot be read."""


class BeakerMongoError(BeakerException):
    """Base class of all errors of this package.

    Subclasses take their data as keyword arguments with defaults, so that errors can be pickled, as
    process pools do.

    :param message: what is wrong, as a sentence
    :param hint: what to do about it, as a sentence; part of ``str(error)``
    """

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.hint}" if self.hint else message


class ConfigError(BeakerMongoError, ValueError):
    """A configuration is not valid.

    :param option: the option, in dbConfig spelling: ``"URLParam.maxPoolSize"``
    :param value: the value that was given; :data:`MASK` if it is a secret
    :param code: 190 or 191 for the two errors that connect-mongo-soajs numbers, otherwise ``None``
    :param errors: all errors of a configuration that has several
    """

    def __init__(
        self,
        message: str = "",
        *,
        option: str | None = None,
        value: object = None,
        hint: str | None = None,
        code: int | None = None,
        errors: tuple[ConfigError, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.option = option
        self.value = value
        self.code = code
        self._errors = errors

    @property
    def errors(self) -> tuple[ConfigError, ...]:
        """All errors of the configuration; without others, this one alone."""
        return self._errors or (self,)


class SerializationError(BeakerMongoError, ValueError):
    """A value cannot be stored, or a document cannot be read.

    :param path: the path of the value: ``"session['cart'][3].owner"``
    """

    def __init__(
        self, message: str = "", *, path: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class StoreError(BeakerMongoError):
    """The database did not carry out a command: base of the next two classes.

    :param code: the server's error code; ``None`` if no server answered
    """

    def __init__(
        self, message: str = "", *, hint: str | None = None, code: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class StoreUnavailable(StoreError):
    """The database did not answer, or cannot carry out the command now: try again later."""


class StoreRefused(StoreError):
    """The server refused a command, and would refuse it again.

    Somebody has to change the configuration, the user's roles or the collection. An outage option
    such as ``store.onUnavailable`` does not apply.
    """


class LockTimeout(BeakerMongoError):
    """A lock was not acquired in time.

    :param waited_seconds: how long the caller waited
    """

    def __init__(
        self, message: str = "", *, hint: str | None = None, waited_seconds: float = 0.0
    ) -> None:
        super().__init__(message, hint=hint)
        self.waited_seconds = waited_seconds
