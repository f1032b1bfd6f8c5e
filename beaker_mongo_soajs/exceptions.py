"""The errors of this package.

None derives from ``KeyError`` or ``TypeError``: Beaker's ``Session.load`` reads those two as "there
is no such session" and would overwrite what is stored.
"""

from __future__ import annotations

from beaker.exceptions import BeakerException

MASK = "***"
"""What stands in a message, report or repr in place of a secret."""

KEPT = "The document is kept as it is: find out what wrote it, then repair or delete it."
"""The hint of an error about a document that cannot be read."""


class BeakerMongoError(BeakerException):
    """Signal that this package could not do what it was asked.

    Every subclass takes its data as keywords with defaults, so that an error can be pickled: a
    process pool sends its errors that way.

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
    """Signal a configuration that cannot be used.

    :param option: the option in question, in dbConfig spelling: ``"URLParam.maxPoolSize"``
    :param value: the value it was given; :data:`MASK` when the value is a secret
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
    """Signal a value that cannot be stored, or a document that cannot be read.

    :param path: where the value stands: ``"session['cart'][3].owner"``
    """

    def __init__(
        self, message: str = "", *, path: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class StoreUnavailable(BeakerMongoError):
    """Signal that the database did not answer, or refused.

    :param code: the server's error code, ``None`` when no server answered
    """

    def __init__(
        self, message: str = "", *, hint: str | None = None, code: int | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class LockTimeout(BeakerMongoError):
    """Signal that a lock stayed with its owner for as long as the caller would wait.

    :param waited_seconds: how long the caller waited
    """

    def __init__(
        self, message: str = "", *, hint: str | None = None, waited_seconds: float = 0.0
    ) -> None:
        super().__init__(message, hint=hint)
        self.waited_seconds = waited_seconds
