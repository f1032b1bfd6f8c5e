"""The cookie, and the object that an application holds."""

from beaker.session import SessionObject

from beaker_mongo_soajs import (
    MongoSession,
)
from tests.application import Site
from tests.mongo_session.support import MakeSite, Options


class TestCookies:
    """The session cookie."""

    def _cookie(self, site: Site) -> str:
        visitor = site.visitor()
        visitor.save(n=1)
        (cookie,) = visitor.set_cookies
        return cookie.lower()

    def test_defaults(self, make_site: MakeSite) -> None:
        """Scripts and other sites' requests are kept from the cookie, unless that is turned off."""
        cookie = self._cookie(make_site())
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        assert "expires" not in cookie
        assert "httponly" not in self._cookie(make_site(httponly=False))

    def test_attributes(self, make_site: MakeSite) -> None:
        """Beaker's options of the cookie hold."""
        cookie = self._cookie(
            make_site(secure=True, samesite="Strict", cookie_expires=3600, cookie_path="/shop")
        )
        for attribute in ("secure", "samesite=strict", "expires=", "path=/shop"):
            assert attribute in cookie

    def test_host_prefix(self, make_site: MakeSite) -> None:
        """A cookie named __Host-… has what browsers ask of it: secure, the path /, no domain."""
        cookie = self._cookie(make_site(key="__Host-session", secure=True))
        assert cookie.strip().startswith("__host-session=")
        attributes = {attribute.strip() for attribute in cookie.split(";")[1:]}
        assert {"secure", "path=/", "httponly", "samesite=lax"} == attributes

    def test_signed(self, make_site: MakeSite) -> None:
        """With a secret the cookie is signed; one with another signature leads nowhere."""
        site = make_site(secret="a secret")
        visitor = site.visitor()
        visitor.save(n=1)
        assert visitor.cookie is not None
        assert {"n": 1} == site.visitor(visitor.cookie).read()
        assert {} == site.visitor("0" * 40 + visitor.cookie[40:]).read()
        assert {} == site.visitor(visitor.cookie[40:]).read()

    def test_without_cookies(self, options: Options) -> None:
        """With use_cookies off, sessions are found by the id that the application keeps."""
        session = MongoSession({}, use_cookies=False, **options)
        session["n"] = 1
        session.save()
        again = MongoSession({}, use_cookies=False, id=session.id, **options)
        assert (1, False) == (again["n"], again.is_new)
        again["n"] = 2
        again.save()
        assert 2 == MongoSession({}, use_cookies=False, id=session.id, **options)["n"]
        again.delete()
        assert MongoSession({}, use_cookies=False, id=session.id, **options).is_new

    def test_a_new_domain_is_sent(self, make_site: MakeSite) -> None:
        """Setting domain or path sends the cookie anew."""

        def move(session: SessionObject) -> None:
            session.domain = "example.org"
            session.save()

        visitor = make_site().visitor()
        visitor.save(n=1)
        visitor.request(move)
        assert "domain=example.org" in visitor.set_cookies[0].lower()


class TestSessionItself:
    """The object that an application holds."""

    def test_repr_holds_no_data(self, options: Options) -> None:
        """Neither id nor data stand in a repr."""
        session = MongoSession({}, **options)
        session["user"] = "ann"
        assert "ann" not in repr(session)
        assert session.id not in repr(session)

    def test_ids_are_random_and_long(self, options: Options) -> None:
        """Ids have 192 random bits, and no two are alike."""
        ids = {MongoSession({}, **options).id for _ in range(500)}
        assert 500 == len(ids)
        assert {32} == set(map(len, ids))

    def test_namespace(self, options: Options) -> None:
        """Like Beaker's own session it has a namespace, with the client."""
        session = MongoSession({}, timeout=60, **options)
        session["n"] = 1
        session.save()
        assert session.namespace.timeout == 180
        assert "session" in session.namespace
        assert session.namespace.client.admin.command("ping")["ok"]
