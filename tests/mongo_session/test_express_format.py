"""``session.cookie_format = express``: MongoSession with the cookie of express-session."""

import datetime
from typing import Any

import pytest
from beaker.middleware import SessionMiddleware as BeakerMiddleware
from beaker.session import Session
from webtest import TestApp

from beaker_mongo_soajs import ConfigError, DbConfig, MongoSession, SessionMiddleware
from beaker_mongo_soajs.express_cookie import cookie_value, session_id
from tests.application import only_document
from tests.conftest import Db, Options
from tests.mongo_session.hosts import HOSTS

_SECRET = "a secret of the site"
_EXPRESS: Options = {"cookie_format": "express", "secret": _SECRET, "secure": False}
_DAY = datetime.timedelta(days=1)


def open_session(options: Options, header: str | None = None, **more: Any) -> Any:
    """Load the session of a request."""
    return MongoSession({"cookie": header}, **options, **_EXPRESS | more)


def _start(host: str, options: Options) -> None:
    if host == "Beaker's":
        MongoSession({}, **options).load()
    else:
        settings = {f"session.{name}": value for name, value in options.items()}
        SessionMiddleware(_no_application, settings)


def _no_application(environ: Any, start_response: Any) -> list[bytes]:
    raise NotImplementedError


def begin(options: Options, **more: Any) -> str:
    """Store a session, and return the header that the browser sends afterwards."""
    session = open_session(options, **more)
    session["user"] = "ann"
    session.save()
    header: str = session.request["cookie_out"].partition(";")[0]
    return header


def attributes(session: Any) -> dict[str, str]:
    """Return the attributes of the ``Set-Cookie`` of a request."""
    parts = session.request["cookie_out"].split("; ")[1:]
    return {name: value for name, _, value in (part.partition("=") for part in parts)}


def is_sent(session: Any) -> bool:
    """Check whether the response sets the cookie."""
    return bool(session.request["set_cookie"] and session.request.get("cookie_out"))


@pytest.mark.parametrize("host", HOSTS)
def test_each_host(host: str, options: Options, database: Db) -> None:
    """Each way to serve MongoSession reads and writes the cookie of Express."""
    site: Any = TestApp(HOSTS[host](options | _EXPRESS))
    (cookie,) = site.get("/?user=ann&n=7").headers.getall("Set-Cookie")
    value = cookie.partition(";")[0].removeprefix("connect.sid=")
    stored_id = only_document(database)["_id"]
    assert cookie_value(stored_id, _SECRET) == value
    assert "7" == site.get("/").text


class TestValues:
    """The value of the cookie."""

    def test_another_name(self, options: Options) -> None:
        """``session.key`` names the cookie."""
        header = begin(options, key="sid")
        assert header.startswith("sid=s%3A")
        assert "ann" == open_session(options, header, key="sid")["user"]
        assert "user" not in open_session(options, header)

    def test_old_secrets(self, options: Options) -> None:
        """A cookie that an old secret signed is accepted, and signed again."""
        header = begin(options)
        new = {"secret": "a newer secret of the site", "old_secrets": [_SECRET]}
        session = open_session(options, header, **new)
        assert "ann" == session["user"]
        assert is_sent(session)
        again = session.request["cookie_out"].partition(";")[0]
        assert header != again
        session = open_session(options, again, **new)
        assert "ann" == session["user"]
        assert not is_sent(session)
        assert "user" not in open_session(options, header, secret="another secret of the site")

    def test_unknown_ids_are_not_adopted(self, options: Options) -> None:
        """A valid cookie without a document gets a new id."""
        session = open_session(options, f"connect.sid={cookie_value('gone', _SECRET)}")
        session["user"] = "ann"
        session.save()
        assert "gone" != session.id
        header = session.request["cookie_out"].partition(";")[0]
        assert session.id == session_id(header, "connect.sid", [_SECRET])

    def test_cookies_of_beaker_are_not_accepted(self, options: Options) -> None:
        """A cookie in Beaker's format leads to no session."""
        plain = {name: value for name, value in _EXPRESS.items() if name != "cookie_format"}
        session = MongoSession({}, key="connect.sid", **options, **plain)
        session["user"] = "ann"
        session.save()
        header = session.request["cookie_out"].strip().partition(";")[0]
        assert "user" not in open_session(options, header)


class TestAttributes:
    """The attributes of the cookie, which are those in the document."""

    def _change(self, database: Db, **fields: Any) -> None:
        change = {f"session.cookie.{name}": value for name, value in fields.items()}
        database.sessions.update_one({}, {"$set": change})

    def test_those_of_the_session(self, options: Options, database: Db) -> None:
        """A session with a cookie of its own keeps the attributes in it."""
        header = begin(options)
        own = {"sameSite": "strict", "secure": True, "httpOnly": False, "priority": "low"}
        self._change(database, path="/shop", domain="example.org", originalMaxAge=60_000, **own)
        session = open_session(options, header, timeout=1800)
        session.regenerate_id()
        expected = {"Path": "/shop", "Domain": "example.org", "Secure": "", "Priority": "Low"}
        found = attributes(session)
        date = datetime.datetime.strptime(found.pop("Expires"), "%a, %d %b %Y %H:%M:%S %Z")
        left = date - datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        assert 50 < left.total_seconds() <= 60
        assert expected | {"SameSite": "Strict"} == found
        assert ("/shop", "example.org") == (session.path, session.domain)
        session.delete()
        assert {"Path": "/shop", "Domain": "example.org"}.items() <= attributes(session).items()

    def test_without_max_age(self, options: Options, database: Db) -> None:
        """The cookie of a session without maxAge ends with the browser, whatever the options."""
        header = begin(options)
        session = open_session(options, header, cookie_expires=_DAY, timeout=600)
        session.regenerate_id()
        assert "Expires" not in attributes(session)
        assert None is only_document(database)["session"]["cookie"]["originalMaxAge"]

    @pytest.mark.parametrize(
        "planted", [{"path": "/\r\nX: y"}, {"path": 7}, {"domain": "a;b"}, {"domain": ["a"]}]
    )
    def test_planted_attributes(
        self, options: Options, database: Db, planted: dict[str, Any]
    ) -> None:
        """A path or domain that no cookie can have is replaced by the configured one."""
        header = begin(options)
        self._change(database, **planted)
        session = open_session(options, header)
        session.regenerate_id()
        found = attributes(session)
        assert ("/", None) == (found["Path"], found.get("Domain"))

    def test_the_next_session(self, options: Options, database: Db) -> None:
        """After a logout, a new session has the configured attributes."""
        header = begin(options)
        self._change(database, sameSite="strict", originalMaxAge=60_000)
        session = open_session(options, header)
        session.delete()
        session["user"] = "bob"
        session.save()
        assert {"Path": "/", "HttpOnly": "", "SameSite": "Lax"} == attributes(session)
        (document,) = database.sessions.find({"session.user": "bob"})
        assert ("lax", None) == tuple(
            document["session"]["cookie"][name] for name in ("sameSite", "originalMaxAge")
        )

    def test_set_lifetime(self, options: Options) -> None:
        """set_lifetime() changes the expiry of the cookie."""
        session = open_session(options, begin(options))
        session.set_lifetime(86400)
        assert is_sent(session)
        assert "Expires" in attributes(session)
        session.set_lifetime(None)
        assert "Expires" not in attributes(session)


class TestSending:
    """When a response sets the cookie."""

    @pytest.mark.parametrize(
        ("more", "reads", "changes"),
        [
            ({}, False, False),
            ({"rolling": True}, False, False),
            ({"cookie_expires": _DAY}, False, True),
            ({"cookie_expires": _DAY, "rolling": True}, True, True),
            ({"timeout": 600}, True, True),
            ({"timeout": 600, "rolling": False}, False, True),
        ],
    )
    def test_stored_sessions(
        self, options: Options, more: Options, *, reads: bool, changes: bool
    ) -> None:
        """A cookie that expires is sent when the session changes, and with rolling always."""
        header = begin(options, **more)
        session = open_session(options, header, **more)
        session.save(accessed_only=True)
        assert reads == is_sent(session)
        session["user"] = "ann"
        session.save()
        assert reads == is_sent(session)
        session["user"] = "bob"
        session.save()
        assert changes == is_sent(session)

    def test_no_cookies(self, options: Options) -> None:
        """With ``use_cookies`` off, a change is saved, and no cookie is set."""
        header = begin(options, cookie_expires=_DAY)
        own: Options = {"cookie_expires": _DAY, "use_cookies": False}
        own["id"] = open_session(options, header).id
        session = open_session(options, **own)
        session["user"] = "bob"
        session.save()
        assert not is_sent(session)
        assert "bob" == open_session(options, **own)["user"]

    def test_new_sessions(self, options: Options) -> None:
        """A visitor without values gets no cookie."""
        session = open_session(options)
        session.save(accessed_only=True)
        assert not is_sent(session)


class TestOptions:
    """Options that do not fit together."""

    def test_it_implies_the_cookie_in_the_session(self, options: Options) -> None:
        """``store.expressCookie`` is on."""
        assert DbConfig.from_options(options | _EXPRESS, "session").store.express_cookie
        assert open_session(options).config.store.express_cookie

    @pytest.mark.parametrize(
        ("more", "option", "words"),
        [
            ({"secret": None}, "secret", "session.secret is not set"),
            ({"cookie_format": "node"}, "cookie_format", "Set it to beaker or express"),
            ({"store.expressCookie": False}, "store.expressCookie", "Remove store.expressCookie"),
            (
                {"encrypt_key": "k", "validate_key": "v", "crypto_type": "cryptography"},
                "encrypt_key",
                "Express cannot read",
            ),
        ],
    )
    @pytest.mark.parametrize("host", ["own middleware", "Beaker's"])
    def test_errors(
        self, options: Options, host: str, more: Options, option: str, words: str
    ) -> None:
        """An option that contradicts the format is an error that names it."""
        given = options | _EXPRESS | more
        with pytest.raises(ConfigError, match=words) as caught:
            _start(host, given)
        assert option == caught.value.option

    @pytest.mark.parametrize("value", ["Express", " EXPRESS "])
    def test_the_case_of_the_value(self, options: Options, value: str) -> None:
        """The value may be in upper or lower case."""
        assert "connect.sid" in begin(options, cookie_format=value)

    @pytest.mark.parametrize("value", ["beaker", "", None])
    def test_beakers_format(self, options: Options, value: str | None) -> None:
        """Without the option, or with its default, the cookie is Beaker's."""
        assert " beaker.session.id" == begin(options, cookie_format=value).partition("=")[0]

    def test_beakers_own_session(self, options: Options) -> None:
        """Beaker's own Session refuses the option, and the error says what to use."""
        with pytest.raises(ConfigError, match="Use MongoSession"):
            Session({}, id="x", type="ext:mongodb_soajs", **options | _EXPRESS)

    def test_beakers_middleware(self, options: Options) -> None:
        """So does Beaker's middleware without session_class."""

        def app(environ: Any, start_response: Any) -> list[bytes]:
            environ["beaker.session"]["n"] = 1
            environ["beaker.session"].save()
            start_response("200 OK", [])
            return []

        settings = {f"session.{name}": value for name, value in (options | _EXPRESS).items()}
        site = TestApp(BeakerMiddleware(app, settings | {"session.type": "ext:mongodb_soajs"}))
        with pytest.raises(ConfigError, match="Use MongoSession"):
            site.get("/")
