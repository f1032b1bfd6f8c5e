"""The errors: their classes, data and texts."""

from __future__ import annotations

import pickle

import pytest
from beaker.exceptions import BeakerException

from beaker_mongo_soajs.exceptions import (
    BeakerMongoError,
    ConfigError,
    LockTimeout,
    SerializationError,
    StoreUnavailable,
)

ERRORS = [
    BeakerMongoError("It failed.", hint="Try again."),
    ConfigError("It is wrong.", option="name", value="", hint="Set it.", code=190),
    SerializationError("It is a lambda.", path="session['f']", hint="Store data."),
    StoreUnavailable("No server.", hint="Start one.", code=13),
    LockTimeout("It is taken.", hint="Wait longer.", waited_seconds=1.5),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_survives_pickling(error: BeakerMongoError) -> None:
    """A pickled error keeps its text and its data."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(error) is type(copy)
    assert str(error) == str(copy)
    assert vars(error) == vars(copy)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_is_nothing_that_beaker_takes_for_a_missing_session(error: BeakerMongoError) -> None:
    """An error is a BeakerException, and no KeyError or TypeError, which Beaker swallows."""
    assert isinstance(error, BeakerException)
    assert not isinstance(error, KeyError | TypeError)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_text_ends_in_the_remedy(error: BeakerMongoError) -> None:
    """The text of an error consists of the message and the hint."""
    assert f"{error.args[0]} {error.hint}" == str(error)


def test_error_without_data() -> None:
    """An error without a hint prints its message alone, and one without a time waited for 0 s."""
    assert "No server." == str(StoreUnavailable("No server."))
    assert 0 == LockTimeout().waited_seconds


@pytest.mark.parametrize("error_class", [ConfigError, SerializationError])
def test_wrong_values_are_value_errors(error_class: type[BeakerMongoError]) -> None:
    """Code that catches ValueError also catches a wrong configuration or value."""
    assert issubclass(error_class, ValueError)
