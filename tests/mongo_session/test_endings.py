"""Logging out: delete() and invalidate()."""

import pytest
from beaker.session import SessionObject

from tests.application import only_document
from tests.conftest import Db, Options
from tests.mongo_session.support import MakeSite


class TestEndings:
    """Logging out: delete() and invalidate()."""

    @pytest.mark.parametrize("end", ["delete", "invalidate"])
    def test_the_old_id_is_invalid(
        self, make_site: MakeSite, database: Db, variant: Options, end: str
    ) -> None:
        """delete() and invalidate() remove the document, so the old id is no longer valid."""
        site = make_site(**variant)
        visitor = site.visitor()
        visitor.save(user="ann")
        old = visitor.cookie
        visitor.request(lambda session: getattr(session, end)())
        assert 0 == database.sessions.count_documents({})
        assert {} == site.visitor(old).read()

    def test_deleted_cookie(self, make_site: MakeSite) -> None:
        """delete() removes the cookie from the browser."""
        visitor = make_site().visitor()
        visitor.save(user="ann")
        visitor.request(lambda session: session.delete())
        assert visitor.cookie is None

    @pytest.mark.parametrize("cookie_expires", [True, 3600])
    def test_a_save_after_delete_is_a_new_session(
        self, make_site: MakeSite, cookie_expires: object
    ) -> None:
        """A save after delete() stores a session under a new id, with a cookie."""
        site = make_site(cookie_expires=cookie_expires)
        visitor = site.visitor()
        visitor.save(user="ann")
        old = visitor.cookie

        def delete_and_save(session: SessionObject) -> None:
            session.delete()
            session["flash"] = "Bye."
            session.save()

        visitor.request(delete_and_save)
        assert old != visitor.cookie
        assert {"flash": "Bye."} == visitor.read()
        assert {} == site.visitor(old).read()
        assert visitor.request(lambda session: session.created) > 0

    def test_a_save_after_an_emptying_save_is_a_new_session(
        self, make_site: MakeSite, database: Db
    ) -> None:
        """Saving an empty session removes it; a later save stores it under a new id."""
        visitor = make_site().visitor()
        visitor.save(user="ann")
        old = visitor.cookie

        def empty_and_save(session: SessionObject) -> None:
            session.clear()
            session._session().save()
            session["n"] = 1
            session.save()

        visitor.request(empty_and_save)
        assert old != only_document(database)["_id"]
        assert {"n": 1} == visitor.read()

    def test_invalidate_and_go_on(self, make_site: MakeSite, database: Db) -> None:
        """After invalidate() the session is new and empty, and can be saved."""
        visitor = make_site().visitor()
        visitor.save(user="ann")
        old = visitor.cookie

        def go_on(session: SessionObject) -> None:
            session.invalidate()
            session["n"] = 1
            session.invalidate()
            assert session.was_invalidated
            assert "n" not in session
            session["m"] = 1
            session.save()

        visitor.request(go_on)
        assert {"m": 1} == visitor.read()
        assert old != only_document(database)["_id"]
