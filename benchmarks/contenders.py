"""The contenders: this package, Beaker's own backends, Flask-Session, and PyMongo alone."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beaker_mongo_soajs import SessionMiddleware
from benchmarks.environment import Environment
from benchmarks.floors import (
    Floor,
    FloorSite,
    TouchingFloor,
    WithBeaker,
)
from benchmarks.population import copy_documents, copy_keys
from benchmarks.visits import BeakerSite, Data, Site, cookies_for, session_id
from benchmarks.workloads import CHANGE, LOGIN, NEW, READ
from tests.behaviour.scenarios import beaker_options

# No access time becomes due while this runs: a run visits each session less than once a minute,
# a person who uses a site visits it more often. It is below the timeout.
_TOUCH_AFTER_SECONDS = 1800

TYPE, MONGO_SESSION, TOUCHING = "session.type", "MongoSession", "touching"
MEMORY, FILE, BEAKER, REDIS = "memory", "file", "ext:mongodb", "ext:redis"
FLASK, FLASK_INDEXED = "flask-session", "flask-session+index"
FIND, FIND_UPDATE = "find", "find+update"
FIND_AND_MEMORY, FIND_UPDATE_AND_MEMORY = "find, memory", "find+update, memory"

_REDIS_KEY = "beaker_cache:{}:session"

Make = Callable[[Environment, Data], Site]
Copy = Callable[[Site, Environment, str, int], list[str]]


@dataclass(frozen=True)
class Contender:
    """A way to store sessions.

    :param name: the short name in the raw figures.
    :param title: the title in tables, in Markdown.
    :param make: a function that makes the site.
    :param copy: a function that copies a session and returns the cookies of the copies. Its
        arguments are the site, its place, the cookie of the session and the number of copies.
    :param workloads: the names of the supported workloads.
    :param needs: the name of a required module.
    :param needs_redis: whether a Redis server is required.
    """

    name: str
    title: str
    make: Make
    copy: Copy
    workloads: tuple[str, ...] = (READ, CHANGE, LOGIN, NEW)
    needs: str | None = None
    needs_redis: bool = False

    def missing(self, place: Environment) -> str | None:
        """Return the reason if it is not available."""
        if self.needs is not None and importlib.util.find_spec(self.needs) is None:
            return f"the Python module `{self.needs}` is not installed"
        if self.needs_redis and place.redis_url is None:
            return "there is no `redis-server` on the `PATH`"
        return None

    def populate(self, site: Site, place: Environment, number: int) -> list[str]:
        """Store a number of sessions, and return their cookies."""
        first = site.begin()
        return [first, *self.copy(site, place, first, number - 1)]


def _options(
    place: Environment, touch_after: float = _TOUCH_AFTER_SECONDS, **more: Any
) -> dict[str, Any]:
    store = {"touchAfter": touch_after}
    return {"url": place.mongo_url, "name": place.database, "store": store, **more}


def _ours(place: Environment, data: Data) -> Site:
    return BeakerSite(data, _options(place, type="ext:mongodb_soajs"))


def _touching(place: Environment, data: Data) -> Site:
    return BeakerSite(data, _options(place, 0, type="ext:mongodb_soajs"))


def _mongo_session(place: Environment, data: Data) -> Site:
    return BeakerSite(data, _options(place, secure=False), SessionMiddleware)


def _beaker(place: Environment, data: Data) -> Site:
    return BeakerSite(data, beaker_options(place.mongo_url, place.database))


def _redis(place: Environment, data: Data) -> Site:
    return BeakerSite(data, {"type": "ext:redis", "url": place.redis_url})


def _memory(_place: Environment, data: Data) -> Site:
    return BeakerSite(data, {"type": "memory"})


def _file(place: Environment, data: Data) -> Site:
    folder = str(place.folder / place.database)
    return BeakerSite(data, {"type": "file", "data_dir": folder})


def _flask(place: Environment, data: Data) -> Site:
    # It imports packages that may not be installed.
    flask_visits = importlib.import_module("benchmarks.flask_visits")
    site: Site = flask_visits.FlaskSite(data, place.client, place.database)
    return site


def _flask_indexed(place: Environment, data: Data) -> Site:
    place.direct[place.database].sessions.create_index("id")
    return _flask(place, data)


def _floor(kind: type[Floor]) -> Callable[[Environment, Data], FloorSite]:
    def make(place: Environment, data: Data) -> FloorSite:
        return FloorSite(_ours(place, data), kind(place.client[place.database].sessions))

    return make


def _with_beaker(floor: Callable[[Environment, Data], FloorSite]) -> Make:
    return lambda place, data: WithBeaker(floor(place, data), _memory(place, data))


def _copy_ids(_site: Site, place: Environment, cookie: str, number: int) -> list[str]:
    sessions = place.direct[place.database].sessions
    # The site makes this index beside its requests. A change of indexes interrupts many copies.
    sessions.create_index("expires", expireAfterSeconds=0)
    return copy_documents(sessions, {"_id": cookie}, cookie, number)


def _copy_ours(site: Site, place: Environment, cookie: str, number: int) -> list[str]:
    return cookies_for(_copy_ids(site, place, session_id(cookie), number))


def _copy_beakers(_site: Site, place: Environment, cookie: str, number: int) -> list[str]:
    first = session_id(cookie)
    # The name of the collection in Beaker.
    collection = place.direct[place.database].backer_cache
    return cookies_for(copy_documents(collection, {"_id": f"{first}:session"}, first, number))


def _copy_flasks(_site: Site, place: Environment, cookie: str, number: int) -> list[str]:
    name, _, first = cookie.partition("=")
    sessions = place.direct[place.database].sessions
    ids = copy_documents(sessions, {"id": f"session:{first}"}, first, number)
    return [f"{name}={each}" for each in ids]


def _copy_redis(_site: Site, place: Environment, cookie: str, number: int) -> list[str]:
    ids = copy_keys(place.direct_redis, _REDIS_KEY, session_id(cookie), number)
    return cookies_for(ids)


def _begin_each(site: Site, _place: Environment, _cookie: str, number: int) -> list[str]:
    return [site.begin() for _ in range(number)]


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(TYPE, "**`session.type` alone**", _ours, _copy_ours),
        Contender(MONGO_SESSION, "**MongoSession**", _mongo_session, _copy_ours),
        Contender(TOUCHING, "`session.type`, access time due", _touching, _copy_ours, (READ,)),
        Contender(MEMORY, "Beaker `memory`", _memory, _begin_each),
        Contender(FILE, "Beaker `file`", _file, _begin_each),
        Contender(BEAKER, "Beaker `ext:mongodb`", _beaker, _copy_beakers),
        Contender(
            REDIS, "Beaker `ext:redis`", _redis, _copy_redis, needs="redis", needs_redis=True
        ),
        Contender(FLASK, "Flask-Session", _flask, _copy_flasks, needs="flask_session"),
        Contender(
            FLASK_INDEXED,
            "Flask-Session, index added",
            _flask_indexed,
            _copy_flasks,
            needs="flask_session",
        ),
        Contender(FIND, "PyMongo `find_one`", _floor(Floor), _copy_ids, (READ,)),
        Contender(
            FIND_UPDATE,
            "PyMongo `find_one` + `update_one`",
            _floor(TouchingFloor),
            _copy_ids,
            (READ, CHANGE),
        ),
        Contender(
            FIND_AND_MEMORY,
            "PyMongo `find_one`, then Beaker `memory`",
            _with_beaker(_floor(Floor)),
            _copy_ids,
            (READ,),
        ),
        Contender(
            FIND_UPDATE_AND_MEMORY,
            "PyMongo `find_one` + `update_one`, then Beaker `memory`",
            _with_beaker(_floor(TouchingFloor)),
            _copy_ids,
            (READ, CHANGE),
        ),
    )
}
"""The contenders by name, in the order of the tables."""
