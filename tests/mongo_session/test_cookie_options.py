"""Beaker's options of the session cookie: what browsers would refuse is refused at the start."""

from http.cookies import Morsel
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webtest import TestApp

from beaker_mongo_soajs import ConfigError, MongoSession, SessionMiddleware
from beaker_mongo_soajs.backend.cookie_options import check_cookie, is_domain, is_path
from tests.conftest import Db, Options
from tests.mongo_session.hosts import HOSTS, make_host

# What each host needs beyond the options of the cookie; nothing is connected to.
AWAY: Options = {"url": "mongodb://127.0.0.1:9/", "name": "away"}

REMEDIES = ("session.secure", "session.httponly", "session.cookie_domain", "session.cookie_path")


def _refused(options: Options) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        MongoSession({}, **AWAY, **options)
    return caught.value


class TestNames:
    """The option ``key``."""

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "mon clé",
                "a=b",
                "a/b",
                "",
                " ",
                "a;b",
                "a,b",
                'a"b',
                "a\r\nb",
                "a\x00",
                "(a)",
                "a{",
            ),
            *("path", "Path", "domain", "expires", "secure", "HttpOnly", "samesite", "max-age"),
            *("version", "comment", "partitioned", None, 5, b"a"),
        ],
    )
    def test_impossible_names(self, name: object) -> None:
        """A name that browsers do not send, or that is an attribute's, is refused."""
        error = _refused({"key": name})
        assert ("key", name) == (error.option, error.value)

    @pytest.mark.parametrize(
        "name", ["sid", "beaker.session.id", "connect.sid", "a-b_c", "!#$%&'*"]
    )
    def test_possible_names(self, name: str, options: Options) -> None:
        """Any other name reaches the browser and comes back."""
        app: Any = TestApp(make_host("SessionMiddleware", options | {"key": name}))
        set_cookie = app.get("/?n=5").headers["Set-Cookie"].strip()
        assert set_cookie.startswith(f"{name}=")
        app.reset()
        assert "5" == app.get("/", headers={"Cookie": set_cookie.partition(";")[0]}).text

    def test_names_of_attributes_are_those_of_the_standard_library(self) -> None:
        """No name that http.cookies would refuse reaches it."""
        for name in Morsel[str]():
            assert "key" == _refused({"key": name}).option

    @pytest.mark.parametrize(
        ("options", "remedies"),
        [
            ({"key": "__Host-a"}, ["session.secure"]),
            ({"key": "__host-a", "secure": True, "cookie_path": "/shop"}, ["session.cookie_path"]),
            (
                {"key": "__Host-a", "secure": True, "cookie_domain": "example.org"},
                ["session.cookie_domain"],
            ),
            (
                {"key": "__HOST-a", "cookie_domain": "example.org", "cookie_path": "/shop"},
                ["session.secure", "session.cookie_domain", "session.cookie_path"],
            ),
            ({"key": "__Secure-a"}, ["session.secure"]),
            ({"key": "__SECURE-a", "secure": False}, ["session.secure"]),
            ({"key": "__Http-a", "httponly": False}, ["session.secure", "session.httponly"]),
            ({"key": "__Host-Http-a", "secure": True, "httponly": False}, ["session.httponly"]),
        ],
    )
    def test_broken_promises_of_a_prefix(self, options: Options, remedies: list[str]) -> None:
        """A prefix that promises what the options do not keep is refused, with each remedy."""
        error = _refused(options)
        assert "key" == error.option
        found = [option for option in REMEDIES if option in str(error).partition("keep")[2]]
        assert remedies == found

    @pytest.mark.parametrize(
        "options",
        [
            {"key": "__Host-a", "secure": True},
            {"key": "__Host-a", "secure": True, "cookie_path": "/", "cookie_domain": " "},
            {"key": "__Secure-a", "secure": True, "cookie_domain": "example.org"},
            {"key": "__Host-Http-a", "secure": True},
            {"key": "__a"},
        ],
    )
    def test_kept_promises(self, options: Options) -> None:
        """A prefix whose rules are kept is accepted."""
        assert MongoSession({}, **AWAY, **options).is_new


class TestAttributes:
    """Domain, path and SameSite."""

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            *(("cookie_domain", value) for value in ("a\r\nSet-Cookie: b=c", "a\nb", "a b", "a;b")),
            *(
                ("cookie_domain", value)
                for value in ("https://a.org", "a.org:80", "a/b", "é.org", 5)
            ),
            *(("cookie_path", value) for value in ("/a\r\nSet-Cookie: b=c", "/a\n", "/a;b", "/é")),
            *(("cookie_path", value) for value in ("shop", "/\x00", "/\x7f", 5, b"/")),
            *(("samesite", value) for value in ("Loose", True, 5, "None", "none")),
        ],
    )
    def test_impossible_values(self, option: str, value: object) -> None:
        """A value that would break the header, or that browsers ignore, is refused."""
        error = _refused({option: value})
        assert (option, value) == (error.option, error.value)

    @pytest.mark.parametrize("host", list(HOSTS))
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("key", "a/b"),
            ("key", "__Host-a"),
            ("cookie_path", "/a\r\nSet-Cookie: b=c"),
            ("cookie_domain", "a\r\nSet-Cookie: b=c"),
            ("samesite", "None"),
        ],
    )
    def test_every_host_refuses_them(
        self, host: str, option: str, value: str, options: Options, database: Db
    ) -> None:
        """Each way to serve sessions refuses them, before a session is stored."""
        with pytest.raises(ConfigError, match=option):
            TestApp(make_host(host, options | {option: value})).get("/?n=5")
        assert 0 == database.sessions.count_documents({})

    def test_refused_at_the_start(self) -> None:
        """SessionMiddleware refuses them before any request."""
        with pytest.raises(ConfigError, match="cookie_path"):
            SessionMiddleware(lambda *_: [], AWAY, cookie_path="/a\r\nb", **AWAY)

    @pytest.mark.parametrize("host", list(HOSTS))
    def test_same_site(self, host: str, options: Options) -> None:
        """Python's None leaves the attribute out, its text is a value, and Lax is the default."""
        for more, sent in (
            ({}, "samesite=lax"),
            ({"samesite": None}, None),
            ({"samesite": ""}, "samesite=lax"),
            ({"samesite": " "}, "samesite=lax"),
            ({"samesite": "strict"}, "samesite=strict"),
            ({"samesite": "None", "secure": True}, "samesite=none"),
        ):
            app: Any = TestApp(make_host(host, options | more))
            set_cookie = app.get("/?n=5").headers["Set-Cookie"].lower()
            found = [each.strip() for each in set_cookie.split(";") if "samesite" in each]
            assert ([sent] if sent else []) == found, more

    @given(st.one_of(st.text(), st.none(), st.integers(), st.binary()))
    def test_any_value(self, value: Any) -> None:
        """Any value is refused, or is safe in a header."""
        for option, check in (("cookie_domain", is_domain), ("cookie_path", is_path)):
            try:
                check_cookie({option: value}, httponly=True)
            except ConfigError:
                assert not check(value)
                continue
            assert value is None or (value.isprintable() and value.isascii() and ";" not in value)


class TestWithoutCookies:
    """The option ``use_cookies`` off."""

    @pytest.mark.parametrize("host", list(HOSTS))
    def test_no_cookie_is_read_or_set(self, host: str, options: Options, database: Db) -> None:
        """Requests use the session, and cookies are neither read nor set."""
        app: Any = TestApp(make_host(host, options))
        app.get("/?n=5")
        assert app.cookies
        without: Any = TestApp(make_host(host, options | {"use_cookies": False}))
        header = {"Cookie": "; ".join(f"{name}={item}" for name, item in app.cookies.items())}
        response = without.get("/", headers=header)
        assert ("None", False) == (response.text, "Set-Cookie" in response.headers)
        response = without.get("/?n=6", headers=header)
        assert ("6", False) == (response.text, "Set-Cookie" in response.headers)
        assert 2 == database.sessions.count_documents({})
