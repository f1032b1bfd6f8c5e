"""Replacing the secret that signs the cookie."""

from typing import Any

import pytest
from webtest import TestApp

from beaker_mongo_soajs import ConfigError, MongoSession, SessionMiddleware
from tests.application import COOKIE, Site
from tests.conftest import Options
from tests.mongo_session.support import MakeSite, login

_OLD, _NEW = "the secret of yesterday", "the secret of today"


def _cookie(site: Site) -> str:
    visitor = site.visitor()
    visitor.request(login)
    assert visitor.cookie is not None
    return visitor.cookie


@pytest.mark.parametrize(
    "old", [[_OLD], [_NEW, "another", _OLD], f'["another", "{_OLD}"]', _OLD], ids=repr
)
def test_a_visitor_stays_logged_in(make_site: MakeSite, old: Any) -> None:
    """A cookie that an old secret signed is accepted."""
    cookie = _cookie(make_site(secret=_OLD))
    rotated = make_site(secret=_NEW, old_secrets=old)
    assert {"user": "ann"} == rotated.visitor(cookie).read()


def test_the_cookie_is_signed_again(make_site: MakeSite) -> None:
    """A cookie that an old secret signed is replaced, so that the secret can be removed later."""
    visitor = make_site(secret=_NEW, old_secrets=[_OLD]).visitor(_cookie(make_site(secret=_OLD)))
    visitor.read()
    (set_cookie,) = visitor.set_cookies
    assert "httponly" in set_cookie.lower()
    visitor.read()
    assert [] == visitor.set_cookies
    assert {"user": "ann"} == make_site(secret=_NEW).visitor(visitor.cookie).read()
    assert {} == make_site(secret=_OLD).visitor(visitor.cookie).read()


def test_an_old_secret_does_not_sign(make_site: MakeSite) -> None:
    """A new cookie is signed with the new secret alone."""
    cookie = _cookie(make_site(secret=_NEW, old_secrets=[_OLD]))
    assert {} == make_site(secret=_OLD).visitor(cookie).read()


def test_another_secret_is_refused(make_site: MakeSite) -> None:
    """A cookie that no configured secret signed leads to no session."""
    cookie = _cookie(make_site(secret="a secret that leaked"))
    assert {} == make_site(secret=_NEW, old_secrets=[_OLD]).visitor(cookie).read()


@pytest.mark.parametrize("blank", ["", "  ", None, [], "[]"])
def test_blank_old_secrets(make_site: MakeSite, blank: Any) -> None:
    """Without old secrets, only the new one verifies."""
    cookie = _cookie(make_site(secret=_OLD))
    assert {} == make_site(secret=_NEW, old_secrets=blank).visitor(cookie).read()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"old_secrets": [_OLD]}, "without session.secret"),
        ({"old_secrets": [5], "secret": _NEW}, "list of texts"),
        ({"old_secrets": [""], "secret": _NEW}, "list of texts"),
        ({"old_secrets": {_OLD: 1}, "secret": _NEW}, "list of texts"),
    ],
    ids=["no secret", "number", "empty", "dict"],
)
def test_wrong_old_secrets(make_site: MakeSite, options: Options, words: str) -> None:
    """Old secrets that cannot be used are a ConfigError, which does not show them."""
    with pytest.raises(ConfigError, match=words) as caught:
        make_site(**options).visitor().read()
    assert "old_secrets" == caught.value.option
    assert _OLD not in str(caught.value) + repr(caught.value.value)


def test_with_the_middleware(options: Options) -> None:
    """The SessionMiddleware of this package accepts old secrets, as JSON in an INI file."""
    settings = {f"session.{name}": value for name, value in options.items()}
    settings |= {"session.secret": _NEW, "session.secure": "false"}

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        user = str(environ["beaker.session"].get("user"))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [user.encode()]

    def read(cookie: str, **more: str) -> tuple[str, list[str]]:
        named = {f"session.{name}": value for name, value in more.items()}
        browser: Any = TestApp(SessionMiddleware(application, settings | named))
        browser.set_cookie(COOKIE, cookie)
        answer = browser.get("/")
        pairs = [line.strip().partition(";")[0] for line in answer.headers.getall("Set-Cookie")]
        return answer.text, [pair.partition("=")[2] for pair in pairs]

    old_cookie = _cookie(Site(options | {"session_class": MongoSession, "secret": _OLD}))
    assert "None" == read(old_cookie)[0]
    user, (new_cookie,) = read(old_cookie, old_secrets=f'["another", "{_OLD}"]')
    assert "ann" == user
    assert ("ann", []) == read(new_cookie, old_secrets="")


def test_beakers_own_session_has_no_old_secrets(options: Options) -> None:
    """With Beaker's own Session, old_secrets is a ConfigError that names MongoSession."""
    with pytest.raises(ConfigError, match="MongoSession"):
        Site(options | {"secret": _NEW, "old_secrets": [_OLD]}).visitor().save(n=1)
