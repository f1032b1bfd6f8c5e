"""Fail every test that makes the package show a password.

A plugin for pytest. It looks at the errors of the package with their causes, at log records,
warnings, the ``repr`` of configurations and what ``explain()`` reports.
"""

import functools
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import BeakerMongoError
from tests.passwords import TRACES, find_traces

_SECRET_NAMES = ("password", "signingkey", "sslpass", "secret", "encrypt_key", "validate_key")
_SHORTEST = 8
_MOST_ERRORS = 200


class LeakCheck:
    """Collect what the package shows, and find the passwords in it."""

    def __init__(self) -> None:
        """Look for the passwords of the tests."""
        self.traces = set(TRACES)
        self.leaks: list[str] = []
        self._errors: list[BaseException] = []

    def see(self, what: str, text: str) -> None:
        """Look at a text that the package shows."""
        found = [trace for trace in self.traces if trace in text]
        if found:
            self.leaks.append(f"{what} shows {found[0]!r}: {text[:500]}")

    def see_error(self, error: BaseException) -> None:
        """Remember an error, which has no cause yet."""
        self._errors.append(error)
        if len(self._errors) > _MOST_ERRORS:
            self.see_errors()

    def see_errors(self) -> None:
        """Look at the remembered errors and their causes, as a traceback shows them."""
        errors, self._errors = self._errors, []
        for first in errors:
            error: BaseException | None = first
            while error is not None:
                self.see("An error", f"{error!r} {error}")
                self.see("The value of an error", repr(getattr(error, "value", "")))
                hidden = error.__suppress_context__
                error = error.__cause__ or (None if hidden else error.__context__)

    def learn(self, options: object) -> None:
        """Add the passwords among options to those that are looked for."""
        if not isinstance(options, Mapping):
            return
        for name, value in options.items():
            if isinstance(value, Mapping):
                self.learn(value)
            elif str(name).lower().endswith(_SECRET_NAMES) and _is_distinct(value):
                self.traces |= find_traces(str(value))


def _is_distinct(value: object) -> bool:
    # A word may also occur in the text of a message.
    digits = isinstance(value, str) and any(character.isdigit() for character in value)
    return digits and len(str(value)) >= _SHORTEST


CHECK = LeakCheck()


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            text += repr(record.exc_info[1])
        CHECK.see("A log record", text)


def _wrap(owner: type, name: str, see: Callable[..., object]) -> None:
    method = owner.__dict__[name]
    function = method.__func__ if isinstance(method, classmethod) else method

    @functools.wraps(function)
    def wrapper(*args: Any, **values: Any) -> Any:
        result = function(*args, **values)
        see(result, *args, **values)
        return result

    setattr(owner, name, classmethod(wrapper) if isinstance(method, classmethod) else wrapper)


def _see_config(config: DbConfig, *_: object, **__: object) -> None:
    CHECK.see("The repr of a configuration", repr(config))
    CHECK.see("explain()", config.explain(defaults=True))


def pytest_configure() -> None:
    """Look at what the package shows from now on."""
    _wrap(BeakerMongoError, "__init__", lambda _, error, *__, **___: CHECK.see_error(error))
    _wrap(DbConfig, "_from_given", _see_config)
    _wrap(DbConfig, "explain_options", lambda text, *_, **__: CHECK.see("explain()", text))
    logging.getLogger("beaker_mongo_soajs").addHandler(_Handler())
    read = DbConfig.__dict__["_read"].__func__

    @functools.wraps(read)
    def learn_and_read(cls: type[DbConfig], options: object, *args: Any) -> Any:
        CHECK.learn(options)
        return read(cls, options, *args)

    DbConfig._read = classmethod(learn_and_read)  # type: ignore[assignment]


def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """Look at a warning."""
    CHECK.see("A warning", str(warning_message.message))


@pytest.fixture(autouse=True)
def _no_password_is_shown() -> Iterator[None]:
    """Fail a test in which the package showed a password."""
    yield
    CHECK.see_errors()
    leaks, CHECK.leaks = CHECK.leaks, []
    assert not leaks, "\n".join(leaks)
