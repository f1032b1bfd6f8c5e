"""Any option with any value is a ConfigError at the start, or leads to a client that works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from beaker_mongo_soajs import SessionMiddleware, SessionStore
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import SESSION_OPTIONS
from beaker_mongo_soajs.exceptions import BeakerMongoError, ConfigError
from beaker_mongo_soajs.mongo.client import check_client, close_clients
from beaker_mongo_soajs.options.table import ROWS
from tests.conftest import Options
from tests.effort import times

T = TypeVar("T")

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 1, 2, 59, 89, 90, 2**31 - 1, 2**31, 2**63, 10**400])
    | st.floats()
    | st.text(st.characters(), max_size=7)
    | st.sampled_from(
        ["", " ", "null", "None", "true", "5", "1.5", "30s", "2w", "1e400", "\0", "é"]
    )
    | st.sampled_from(["majority", "primary", "secondary", "snapshot", "GSSAPI", "PLAIN"])
    | st.sampled_from(["mongodb://db/x", "a:b", "[]", "{}", "[1]", '{"a":1}', "a:1,b"])
    | st.binary(max_size=5)
    | st.timedeltas(timedelta(-1), timedelta(400_000))
    | st.just(timedelta.max)
    | st.builds(object)
)
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
OPTIONS = st.dictionaries(
    st.sampled_from(sorted({row.name for row in ROWS} - {"client", "url", "dbConfig"})),
    VALUES,
    min_size=1,
    max_size=3,
)
_FIXTURES = [HealthCheck.function_scoped_fixture]


@settings(max_examples=times(150), suppress_health_check=_FIXTURES)
@example(options={"URLParam.maxStalenessSeconds": 5, "URLParam.readPreference": "nearest"})
@example(options={"URLParam.connectTimeoutMS": 10**18})
@example(options={"URLParam.heartbeatFrequencyMS": 10**15})
@example(options={"URLParam.wtimeoutMS": 2**40, "URLParam.w": 1})
@example(options={"URLParam.w": 51})
@example(options={"store.touchAfter": 10**12})
@example(options={"store.lockLease": 10**12})
@example(options={"store.autoRemoveInterval": 10**12, "store.autoRemove": "interval"})
@example(options={"expireAfter": timedelta.max})
@example(options={"URLParam.appName": "a" * 200})
@example(options={"URLParam.appName": "\ud800"})
@example(options={"collection": "c" * 200})
@given(options=OPTIONS)
def test_any_option_with_any_value(options: Options, mongo_url: str, database_name: str) -> None:
    """A configuration is refused at the start, or its commands are answered or refused."""
    base: Options = {"name": database_name, "URLParam.serverSelectionTimeoutMS": 100}
    if not any(name == "servers" for name in options):
        base["servers"] = mongo_url.removeprefix("mongodb://").partition("/")[0]
    config = or_error(lambda: _check(base | options))
    if isinstance(config, BeakerMongoError):
        assert_helpful(config)
    elif config.database == database_name and "servers" not in options:
        outcome = or_error(lambda: _use(SessionStore(config)))
        close_clients()
        assert not isinstance(outcome, ConfigError), outcome


def _check(options: Options) -> DbConfig:
    config = DbConfig.from_options(options)
    check_client(config)
    SessionStore(config)
    return config


def _use(store: SessionStore) -> None:
    store.set("id", {"user": "ann"})
    assert store.get("id") == {"user": "ann"}


def or_error(function: Callable[[], T]) -> T | BeakerMongoError:
    """Call a function, and return its result or the package's error that it raises."""
    try:
        return function()
    except BeakerMongoError as error:
        return error


def assert_helpful(error: BeakerMongoError) -> None:
    """Assert that an error is one of the configuration, and that each part says what to do."""
    assert isinstance(error, ConfigError), error
    for each in error.errors:
        assert each.hint or "must be" in str(each), each


@pytest.mark.filterwarnings("ignore::beaker_mongo_soajs.InsecureSessionWarning")
@settings(max_examples=times(100), suppress_health_check=_FIXTURES)
@example(options={"timeout": 10**12})
@example(options={"timeout": "1e5"})
@example(options={"cookie_expires": timedelta.max})
@example(options={"cookie_expires": 10**15})
@example(options={"encrypt_key": "é", "validate_key": "v"})
@example(options={"encrypt_nonce_bits": 10**9, "encrypt_key": "k", "validate_key": "v"})
@example(options={"key": "\ud800"})
@example(options={"data_serializer": object()})
@given(options=st.dictionaries(st.sampled_from(sorted(SESSION_OPTIONS)), VALUES, max_size=3))
def test_any_option_of_beaker_with_any_value(
    options: Options, mongo_url: str, database_name: str
) -> None:
    """SessionMiddleware refuses an option at the start, or saves the session of a request."""
    base: Options = {"url": mongo_url, "name": database_name, "secret": "a secret", "secure": False}
    statuses: list[str] = []

    def app(environ: Options, start_response: Any) -> list[bytes]:
        environ["beaker.session"]["user"] = "ann"
        environ["beaker.session"].save()
        start_response("204 No Content", [])
        return []

    settings = base | {"samesite": "Lax"} | options
    middleware = or_error(lambda: SessionMiddleware(app, None, **settings))
    if isinstance(middleware, BeakerMongoError):
        assert_helpful(middleware)
        return
    middleware(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"},
        lambda status, headers, exc_info=None: statuses.append(status),
    )
    assert ["204 No Content"] == statuses
