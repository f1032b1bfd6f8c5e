"""Long INI files of applications that changed ``session.type`` and kept all other lines."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from beaker_mongo_soajs import SessionMiddleware
from beaker_mongo_soajs.backend.session_settings import strip_prefixes
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.start_warnings import find_start_warnings

FOLDER = Path(__file__).with_name("inis")

EXPLAINED = {
    "content_management": """\
site_sessions.sessions on mongodb://db1.example.org:27017,db2.example.org:27017, as documents
name = "site_sessions": the name of the database
servers = [["db1.example.org", 27017], ["db2.example.org", 27017]]: the servers to connect to
store.touchAfter = 60: the interval between writes of unchanged sessions
URLParam.replicaSet = "rs0": applied as replicaSet = "rs0"
URLParam.w = "majority": applied as w = "majority"
data_dir = ***: no effect, because it is for Beaker's backend file
lock_dir = ***: no effect, because it is for Beaker's backend file
file_dir = ***: no effect, because it is for Beaker's backend file
""",
    "code_host": """\
hosting.web_sessions on mongodb://db1.example.org:27017, as documents
collection = "web_sessions": the name of the collection
expireAfter = 2592000000: the lifetime of a session without a timeout
url = mongodb://db1.example.org:27017/hosting?appName=***: the connection string
URLParam.appName = "hosting": applied as appName = "hosting"
sa.url = ***: no effect, because it is for Beaker's backend ext:database
sa.pool_recycle = ***: no effect, because it is for Beaker's backend ext:database
table_name = ***: no effect, because it is for Beaker's backend ext:database
schema_name = ***: no effect, because it is for Beaker's backend ext:database
optimistic = ***: no effect, because it is for Beaker's backend ext:database
data_dir = ***: no effect, because it is for Beaker's backend file
lock_dir = ***: no effect, because it is for Beaker's backend file
memcache_module = ***: no effect, because it is for Beaker's backend ext:memcached
user = "": no effect, because it is empty
password = "": no effect, because it is empty
""",
    "platform": """\
platform.sessions on mongodb://db1.example.org:27017, as documents
name = "platform": the name of the database
servers = [["db1.example.org", 27017]]: the servers to connect to
url = null: the same as not given
client = null: the same as not given
credentials.username = ***: the user to authenticate
credentials.password = ***: the user's password
store.touchAfter = 60: the interval between writes of unchanged sessions
URLParam.ssl = true: applied as tls = true
URLParam.ssl = "": the same as not given
URLParam.authSource = "admin": applied as authSource = "admin"
URLParam.poolSize = 10: applied as maxPoolSize = 10
URLParam.useUnifiedTopology = true: no effect, because PyMongo always discovers and monitors\
 servers that way
urls = ***: no effect, because it is for Beaker's backend ext:rediscluster
user = "": no effect, because it is empty
password = "": no effect, because it is empty
table_name = ***: no effect, because it is for Beaker's backend ext:database
protocol = ***: no effect, because it is for Beaker's backend ext:memcached
memcache_module = ***: no effect, because it is for Beaker's backend ext:memcached
""",
}

WARNED = {
    "content_management": """\
These options have no effect: data_dir (it is for Beaker's backend file), lock_dir (it is for\
 Beaker's backend file), file_dir (it is for Beaker's backend file). Remove them.""",
    "code_host": """\
These options have no effect: sa.url (it is for Beaker's backend ext:database), sa.pool_recycle\
 (it is for Beaker's backend ext:database), table_name (it is for Beaker's backend ext:database),\
 schema_name (it is for Beaker's backend ext:database), optimistic (it is for Beaker's backend\
 ext:database), data_dir (it is for Beaker's backend file), lock_dir (it is for Beaker's backend\
 file), memcache_module (it is for Beaker's backend ext:memcached), user (it is empty), password\
 (it is empty). Remove them.""",
    "platform": """\
These options have no effect: urls (it is for Beaker's backend ext:rediscluster), user (it is\
 empty), password (it is empty), table_name (it is for Beaker's backend ext:database), protocol\
 (it is for Beaker's backend ext:memcached), memcache_module (it is for Beaker's backend\
 ext:memcached). Remove them.""",
}


def read_settings(name: str) -> dict[str, Any]:
    """Return the settings of an application, as Paste reads them from an INI file."""
    parser = ConfigParser(defaults={"here": "/srv/site"})
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(FOLDER / f"{name}.ini")
    return dict(parser["app:main"])


@pytest.mark.parametrize("name", EXPLAINED)
def test_file_is_explained(name: str) -> None:
    """The report has the effect of each line about sessions, and shows no secret."""
    options = strip_prefixes(read_settings(name))
    report = DbConfig.explain_options(options, usage="session")
    groups = {'credentials = "": the same as not given', 'store = "": the same as not given'}
    lines = [line for line in report.splitlines() if line not in groups]
    assert EXPLAINED[name].splitlines() == lines


@pytest.mark.parametrize("name", EXPLAINED)
def test_file_starts_an_application(name: str) -> None:
    """An application starts with its other lines unchanged, and one warning names leftovers."""
    middleware = SessionMiddleware(lambda *_: [], read_settings(name))
    config = DbConfig.from_options(middleware.options, "session")
    assert [WARNED[name]] == list(find_start_warnings(config))


def test_timeout_of_none() -> None:
    """The text None for the timeout means no timeout."""
    middleware = SessionMiddleware(lambda *_: [], read_settings("platform"))
    assert middleware.options.get("timeout") is None
