"""The kind of error that each of the server's codes becomes."""

from typing import Any

import pytest
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    InvalidOperation,
    OperationFailure,
    WriteConcernError,
)

from beaker_mongo_soajs import SerializationError, StoreRefused, StoreUnavailable
from beaker_mongo_soajs.mongo.errors import translated


def _failure(code: int, **details: Any) -> OperationFailure:
    return OperationFailure("the text of the server, with data", code, {"ok": 0.0, **details})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, "Check the options"),
        (9, "MongoDB 4.4"),
        (14, "other programs"),
        (20, "ordinary collection"),
        (52, "leading $"),
        (57, "dot"),
        (59, "MongoDB 4.4"),
        (61, "Shard the collection"),
        (66, "other programs"),
        (72, "URLParam and extraParam"),
        (73, "Choose other names"),
        (79, "no such write concern"),
        (100, "fewer members"),
        (115, "MongoDB 4.4"),
        (121, "collMod"),
        (166, "a view"),
        (168, "MongoDB 4.4"),
        (238, "MongoDB 4.4"),
        (303, "MongoDB 4.4"),
        (10003, "capped"),
        (10101, "capped"),
        (11000, "unique index"),
        (11001, "unique index"),
        (12582, "unique index"),
        (13297, "spelling of the database"),
        (40324, "MongoDB 4.4"),
    ],
)
def test_refusals(code: int, words: str) -> None:
    """What the server refuses for good is a refusal, with what to do."""
    error = translated(_failure(code, codeName="Refused"), "shop.sessions")
    assert isinstance(error, StoreRefused)
    assert code == error.code
    text = f"{error} {error.hint}"
    assert "shop.sessions" in text
    assert "Nothing was changed." in text
    assert "with data" not in text
    assert words in text


@pytest.mark.parametrize("code", [10334, 17419, 17420, 15, 28, 40400])
def test_documents_that_cannot_be_stored(code: int) -> None:
    """A document that is too large, too deep or of another form is no refusal and no outage."""
    error = translated(_failure(code), "shop.sessions")
    assert isinstance(error, SerializationError)
    assert "Nothing was changed." in f"{error} {error.hint}"


@pytest.mark.parametrize("code", [1, 8, 50, 64, 91, 96, 189, 262, 10107, 11600, 13435])
def test_outages(code: int) -> None:
    """Every other code is an outage: a failover, a shutdown, a time limit, an unknown one."""
    error = translated(_failure(code), "shop.sessions")
    assert isinstance(error, StoreUnavailable)
    assert code == error.code
    assert "with data" not in str(error)
    assert "may or may not" in f"{error.hint}"
    assert "Nothing was changed." in f"{translated(_failure(code), reads=True).hint}"


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"codeName": "ViewFailure"}, "(error 166, ViewFailure)"),
        ({"codeName": "a name with data"}, "(OperationFailure, code 166)"),
        ({"codeName": "x" * 61}, "(OperationFailure, code 166)"),
        ({"codeName": 5}, "(OperationFailure, code 166)"),
        ({}, "(OperationFailure, code 166)"),
    ],
)
def test_name_of_a_code(details: dict[str, Any], expected: str) -> None:
    """The server's name of a code is shown if it is a word."""
    assert expected in str(translated(_failure(166, **details)))


def test_refusal_of_a_write_concern() -> None:
    """A write concern that is refused comes after the write."""
    error = translated(WriteConcernError("no such one", 79), "shop.sessions")
    assert isinstance(error, StoreRefused)
    assert "The primary carried it out." in f"{error.hint}"


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (InvalidOperation("Cannot use MongoClient after close"), "Pass a client that is open."),
        (ConfigurationError("no such wire version"), "Check servers, url and URLParam."),
    ],
    ids=["closed", "configuration"],
)
def test_errors_of_the_client(error: Exception, remedy: str) -> None:
    """An error of the client itself says that nothing was sent, and what to do."""
    assert f"Nothing was sent. {remedy}" == translated(error).hint


def test_refused_connection() -> None:
    """If the other end refused the connection, nothing was sent."""
    for cause, context in [(ConnectionRefusedError(), None), (None, ConnectionRefusedError())]:
        lost = AutoReconnect("db1:27017: [Errno 111] Connection refused")
        lost.__cause__, lost.__context__ = cause, context
        assert "Nothing was sent." in f"{translated(lost).hint}"
    other = translated(AutoReconnect("db1:27017: connection closed"), "shop.sessions")
    assert "MongoDB did not answer a command on shop.sessions" in str(other)
