"""The versions that the tests run with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pymongo import MongoClient

from beaker_mongo_soajs.testing import find_mongod
from beaker_mongo_soajs.testing.binary import mongod_version

_DISTRIBUTIONS = {
    "Beaker": "beaker",
    "PyMongo": "pymongo",
    "Bottle": "bottle",
    "CherryPy": "cherrypy",
    "Django": "django",
    "Falcon": "falcon",
    "Flask": "flask",
    "PasteDeploy": "pastedeploy",
    "Pylons": "pylons",
    "Pyramid": "pyramid",
    "TurboGears": "turbogears2",
    "WebOb": "webob",
    "Kotti": "kotti",
    "Kallithea": "kallithea",
    "waitress": "waitress",
    "gunicorn": "gunicorn",
    "gevent": "gevent",
    "uWSGI": "pyuwsgi",
}

NAMES = ("Python", "MongoDB", *_DISTRIBUTIONS)
"""Names of the components in the test matrix, in the order of its tables."""


def find(name: str) -> str | None:
    """Return the version of a component.

    :param name: one of :data:`NAMES`.
    :returns: the full version, or ``None`` if it is not installed.
    """
    if name == "Python":
        return platform.python_version()
    if name == "MongoDB":
        return _server_version()
    try:
        return version(_DISTRIBUTIONS[name])
    except PackageNotFoundError:
        return None


def find_all() -> dict[str, str]:
    """Return the versions of all installed components."""
    versions = {name: find(name) for name in NAMES}
    return {name: version for name, version in versions.items() if version is not None}


def _server_version() -> str:
    url = os.environ.get("MONGODB_URL")
    if not url:
        return mongod_version(find_mongod())
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=10_000) as client:
        answer: str = client.server_info()["version"]
        return answer
