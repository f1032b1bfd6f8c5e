"""Requests that overlap: what is lost here, and what Flask-Session loses in the same rounds."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flask
import pytest
from flask import Flask
from flask_session.mongodb.mongodb import MongoDBSessionInterface
from werkzeug.test import create_environ

from tests.behaviour.rounds import (
    ROUNDS,
    Scenario,
    Tally,
    first_saves,
    play,
    same_key,
    save_beside_logout,
)
from tests.behaviour.scenarios import COOKIE, READ, Answer, Change, Server, Site, ThreadServer
from tests.conftest import Client, Db, Options
from tests.effort import times
from tests.flask.support import SECRET, make_app

# Flask-Login 0.6 and Flask-Session 0.8 call it.
pytestmark = pytest.mark.filterwarnings(r"ignore:datetime\.datetime\.utcnow\(\):DeprecationWarning")

logger = logging.getLogger(__name__)

# Each number of overlapping requests twice, and each order seven times.
ROUNDS_EACH = times(14)


class Idioms:
    """A session of Flask, with methods of Beaker that do what applications of Flask do.

    :param session: the session.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __iter__(self) -> Iterator[str]:
        return iter([*self._session])

    def __getitem__(self, key: str) -> Any:
        return self._session[key]

    def __setitem__(self, key: str, value: object) -> None:
        self._session[key] = value

    def __delitem__(self, key: str) -> None:
        del self._session[key]

    def save(self) -> None:
        """Do nothing: Flask saves at the end of the request."""

    def delete(self) -> None:
        """Log out."""
        self._session.clear()

    def regenerate_id(self) -> None:
        """Give the session a new id."""
        if hasattr(self._session, "regenerate_id"):
            self._session.regenerate_id()
        else:
            interface: Any = flask.current_app.session_interface
            interface.regenerate(self._session._get_current_object())


class FlaskSite(Site):
    """An application of Flask, for the rounds of the scenarios.

    :param app: the application.
    """

    def __init__(self, app: Flask) -> None:
        app.config.update(SESSION_COOKIE_NAME=COOKIE, PROPAGATE_EXCEPTIONS=True)
        app.add_url_rule("/", view_func=self._act)

        def serve(environ: dict[str, Any], start_response: Any) -> Any:
            return app({**create_environ(), **environ}, start_response)

        self._wsgi = serve  # type: ignore[assignment]  # a function

    def _act(self) -> str:
        flask.request.environ["scenarios.handle"](Idioms(flask.session))
        return "ok"


@dataclass(frozen=True)
class Login(Change):
    """Log in under a new id."""

    def make(self, session: Any) -> None:
        """Log in."""
        session.regenerate_id()
        session["user"] = "ann"


def save_overlaps_login(server: Server, number: int) -> Tally:
    """Let a slow request that changes the session begin before a login, and end after it."""
    return _overlapped_login(server, Change({"cart": ["book"]}))


def read_overlaps_new_id(server: Server, number: int) -> Tally:
    """Let a slow request that only reads begin before a login, and end after it."""
    return _overlapped_login(server, READ)


def _overlapped_login(server: Server, change: Change) -> Tally:
    cookie = server.site.begin_session(visits=1)
    slow = server.begin(cookie, change)
    login = server.begin(cookie, Login())
    login.go()
    (new_cookie,) = login.answer().cookies
    slow.go()
    answer: Answer = slow.answer()
    # The browser has the last cookie that it received.
    seen = server.site.read(answer.cookies[-1] if answer.cookies else new_cookie)
    lost = seen.get("user") != "ann" or not change.assigned.items() <= seen.items()
    return Tally(1 + len(change.assigned), lost, int(server.site.read(cookie) != {}))


# The first has a winner with every store, the second depends on timing.
COMPARED = {each: each not in (same_key, save_beside_logout) for each in ROUNDS}
COMPARED |= {save_overlaps_login: True, read_overlaps_new_id: True}
# No id is adopted, so two requests never create one session together.
COMPARED.pop(first_saves)


@pytest.fixture
def flask_session(mongo_client: Client, database_name: str) -> Site:
    """Return an application with Flask-Session."""
    app = Flask("flask_session")
    app.config["SECRET_KEY"] = SECRET
    app.session_interface = MongoDBSessionInterface(
        app, client=mongo_client, db=database_name, collection="theirs"
    )
    return FlaskSite(app)


def name_of(item: object) -> str:
    """Return the name of a round."""
    return getattr(item, "__name__", "")


class TestRounds:
    """The rounds of :mod:`tests.behaviour.rounds`, and logins under a new id."""

    @pytest.mark.parametrize("play_round", COMPARED, ids=name_of)
    def test_nothing_is_lost(
        self,
        options: Options,
        database: Db,
        flask_session: Site,
        play_round: Scenario,
    ) -> None:
        """No change is lost and no logout undone; Flask-Session loses in the same rounds."""
        with ThreadServer(FlaskSite(make_app(options))) as server:
            ours = play(play_round, server, ROUNDS_EACH)
        with ThreadServer(flask_session) as server:
            theirs = play(play_round, server, ROUNDS_EACH)
        # "pytest -rP --log-level=INFO" shows these.
        logger.info("%d rounds. This package: %s. Flask-Session: %s.", ROUNDS_EACH, ours, theirs)
        assert (0, 0) == (ours.lost, ours.resurrected)
        assert ours.changes >= ROUNDS_EACH
        assert not COMPARED[play_round] or theirs.lost + theirs.resurrected > 0

    @pytest.mark.parametrize("play_round", COMPARED, ids=name_of)
    def test_in_text_form(self, options: Options, play_round: Scenario) -> None:
        """With ``stringify`` nothing is lost either."""
        app = make_app(options | {"stringify": True})
        with ThreadServer(FlaskSite(app)) as server:
            tally = play(play_round, server, max(ROUNDS_EACH // 2, 1))
        assert (0, 0) == (tally.lost, tally.resurrected)
