"""Values that applications put into sessions, through both kinds of Session and all forms."""

import json
import pickle
from collections import Counter, OrderedDict, deque
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from beaker_mongo_soajs import MongoSession, SerializationError
from beaker_mongo_soajs.sessions.changes import is_same
from tests.application import KEYS, Site
from tests.conftest import Options
from tests.effort import times
from tests.sessions.values import VALUES, Color, Point, library

FORMS: dict[str, Options] = {
    "native": {},
    "text": {"stringify": True},
    "encrypted": KEYS,
    "pickled": {"store.pickle": True},
}
CLASSES: dict[str, Options] = {"session.type": {}, "MongoSession": {"session_class": MongoSession}}


class _Owner:
    """A class of the application."""


@pytest.fixture(params=CLASSES)
def classes(request: pytest.FixtureRequest, options: Options) -> Options:
    """Return the options of each kind of Session."""
    return options | CLASSES[request.param] | {"invalidate_corrupt": False}


class TestRoundTrip:
    """What is read in the next request."""

    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("form", ["encrypted", "pickled"])
    @settings(max_examples=times(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(value=VALUES)
    def test_values(self, classes: Options, form: str, value: Any) -> None:
        """A value is read in the next request equal and of the same type, in the other forms."""
        visitor = Site(classes | FORMS[form]).visitor()
        visitor.save(v=value)
        if form == "encrypted":
            # Beaker's own pickle is of protocol 2, which loses the fold of a time.
            value = pickle.loads(pickle.dumps(value, 2))
        assert is_same({"v": value}, visitor.read())

    @pytest.mark.timeout(600)
    @settings(max_examples=times(80), suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(value=VALUES)
    def test_json(self, classes: Options, value: Any) -> None:
        """With data_serializer = json, a value is read as JSON has it, or is an error."""
        visitor = Site(classes | {"data_serializer": "json"}).visitor()
        try:
            plain = json.loads(json.dumps({"v": value}))
        except (TypeError, ValueError):
            with pytest.raises(SerializationError, match="JSON") as caught:
                visitor.save(v=value)
            assert (caught.value.path or "").startswith("session['v']")
            return
        visitor.save(v=value)
        assert is_same(plain, visitor.read())

    def test_values_are_stored_once(self, classes: Options, database: Any) -> None:
        """A request that changes another key does not write an unchanged value of a known type."""
        markup = library("markupsafe", "Markup") or str
        values = {
            "o": OrderedDict(b=1, a=[{2}]),
            "c": Counter("abc"),
            "d": deque([1, {2}], 5),
            "f": Fraction(1, 3),
            "p": Point(1, Color.RED),
            "m": [markup("<b>")],
        }
        site = Site(classes)
        visitor = site.visitor()
        visitor.save(**values)
        database.sessions.update_one({}, {"$set": {"session.o": "changed meanwhile"}})
        visitor.request(lambda session: session.update(n=1) or session.save())
        assert {"o": "changed meanwhile"}.items() <= visitor.read().items()


class TestErrors:
    """Values that cannot be stored."""

    @pytest.mark.parametrize(
        ("value", "path", "problem"),
        [
            ([{"a": _Owner()}], "session['v'][0]['a']", "_Owner, which JSON does not have"),
            ({"a": {1}}, "session['v']['a']", "builtins.set, which JSON does not have"),
            ({("a", 1): 2}, "session['v'][('a', 1)]", "key of type builtins.tuple"),
            ({None: {1}}, "session['v'][None]", "builtins.set, which JSON does not have"),
            (10**5000, "session['v']", "too large for JSON"),
            (Path("/a"), "session['v']", "PosixPath"),
        ],
        ids=["object", "set", "key", "no key", "number", "path"],
    )
    def test_json(self, classes: Options, value: Any, path: str, problem: str) -> None:
        """With data_serializer = json, the error for a value names its path and the remedy."""
        visitor = Site(classes | {"data_serializer": "json"}).visitor()
        with pytest.raises(SerializationError, match="data_serializer to pickle") as caught:
            visitor.save(v=value)
        assert path == caught.value.path
        assert problem in str(caught.value)

    def test_endless_json(self, classes: Options) -> None:
        """With data_serializer = json, a list that contains itself is an error with its path."""
        endless: list[Any] = []
        endless.append(endless)
        visitor = Site(classes | {"data_serializer": "json"}).visitor()
        with pytest.raises(SerializationError, match="refers to itself"):
            visitor.save(v=endless)

    @pytest.mark.parametrize("form", ["native", "text"])
    def test_objects(self, classes: Options, form: str) -> None:
        """The error for an object of the application names both settings of a remedy."""
        visitor = Site(classes | FORMS[form]).visitor()
        with pytest.raises(SerializationError, match=r"store\.pickle.*store\.signingKey") as caught:
            visitor.save(v=[_Owner()])
        assert "session['v'][0]" == caught.value.path
