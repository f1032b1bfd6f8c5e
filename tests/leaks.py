"""Fail every test that makes the package show a password.

A plugin for pytest. It looks at the errors of the package with their causes, at log records,
warnings, the ``repr`` of configurations and what ``explain()`` reports.
"""

import functools
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import BeakerMongoError
from tests.leak_check import CHECK


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

    DbConfig._read = classmethod(learn_and_read)  # type: ignore[assignment]  # it is replaced


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
