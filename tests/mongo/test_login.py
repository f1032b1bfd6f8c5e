"""Refused logins: what to check."""

import pytest
from pymongo.errors import ConfigurationError, OperationFailure

from beaker_mongo_soajs import DbConfig, StoreRefused, StoreUnavailable
from beaker_mongo_soajs.mongo.errors import raise_translated, translated
from beaker_mongo_soajs.mongo.login import find_login_hint
from tests.conftest import Options

_USER = {"credentials": {"username": "ann", "password": "secret"}}


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"name": "shop", **_USER}, "shop"),
        ({"name": "shop", "prefix": "dev_", **_USER}, "dev_shop"),
        ({"name": "shop", "URLParam.authSource": "users", **_USER}, "users"),
        ({"url": "mongodb://ann:secret@db1", "name": "shop"}, "admin"),
        ({"url": "mongodb://ann:secret@db1/users", "name": "shop"}, "users"),
        ({"name": "shop", "URLParam.authMechanism": "GSSAPI", **_USER}, "$external"),
        ({"name": "shop"}, None),
    ],
    ids=str,
)
def test_auth_source(options: Options, source: str | None) -> None:
    """The database in which the user is looked up is that of PyMongo."""
    config = DbConfig.from_options(options)
    assert source == config.auth_source
    if source is not None:
        assert f"in the database {source}." in find_login_hint(config)


@pytest.mark.parametrize("code", [18, 8000])
def test_login_refused(code: int) -> None:
    """Atlas refuses a login with a code of its own, and the error is the same."""
    error = OperationFailure("bad auth : authentication failed", code)
    config = DbConfig.from_options({"name": "shop", **_USER})
    found = translated(error, "shop.sessions", config=config)
    assert isinstance(found, StoreRefused)
    assert code == found.code
    assert "set URLParam.authSource = admin" in str(found)


def test_server_that_is_too_old() -> None:
    """An error of the client before anything is sent keeps the driver's sentence and cause."""
    sentence = "Server at db1:27017 reports wire version 5, but PyMongo requires at least 8."
    error = ConfigurationError(sentence)
    with pytest.raises(StoreUnavailable, match="wire version 5") as caught:
        raise_translated(error, "shop.sessions")
    assert error is caught.value.__cause__
    assert "Nothing was sent." in str(caught.value)
