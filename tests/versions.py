"""The versions that tests run on."""

import platform
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTIONS = {
    "Beaker": "beaker",
    "PyMongo": "pymongo",
    "Pyramid": "pyramid",
    "Bottle": "bottle",
    "Flask": "flask",
    "TurboGears": "turbogears2",
    "Falcon": "falcon",
    "CherryPy": "cherrypy",
    "Django": "django",
    "WebOb": "webob",
    "PasteDeploy": "pastedeploy",
    "waitress": "waitress",
    "gunicorn": "gunicorn",
    "gevent": "gevent",
    "uWSGI": "pyuwsgi",
}
"""What the matrix varies or names, and the distribution that it is in."""

NONE = "none"


def find(name: str) -> str:
    """Find the version of something.

    :param name: ``Python``, or a key of :data:`DISTRIBUTIONS`.
    :returns: its whole version; :data:`NONE` where it is not installed.
    """
    if name == "Python":
        return platform.python_version()
    try:
        return version(DISTRIBUTIONS[name])
    except PackageNotFoundError:
        return NONE
