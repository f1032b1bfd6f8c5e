"""Switching an application from one kind of Session to the other."""

from beaker_mongo_soajs import (
    MongoSession,
)
from tests.application import Site
from tests.conftest import Db, Options


class TestSwitching:
    """Switching between session.type alone and MongoSession."""

    def _both_sites(self, options: Options, variant: Options) -> tuple[Site, Site]:
        options = options | variant
        return Site(options), Site(options | {"session_class": MongoSession})

    def test_sessions_are_kept_both_ways(self, options: Options, variant: Options) -> None:
        """Each kind reads and continues the sessions of the other."""
        plain, ours = self._both_sites(options, variant)
        for first, second in ((plain, ours), (ours, plain)):
            visitor = first.visitor()
            visitor.save(n=1, cart=[{"a": 1.5}])
            elsewhere = second.visitor(visitor.cookie)
            assert {"n": 1, "cart": [{"a": 1.5}]} == elsewhere.read()
            elsewhere.save(n=2)
            assert {"n": 2, "cart": [{"a": 1.5}]} == visitor.read()
            visitor.save(m=3)
            assert {"n": 2, "cart": [{"a": 1.5}], "m": 3} == elsewhere.read()

    def test_documents_are_the_same(self, options: Options, database: Db, variant: Options) -> None:
        """Both kinds write documents with the same fields and types."""
        for site in self._both_sites(options, variant):
            site.visitor().save(n=1, cart=["a"])
        one, other = (
            {key: type(value) for key, value in document.items()}
            for document in database.sessions.find()
        )
        assert one == other

    def test_a_deleted_session_is_deleted_for_both(
        self, options: Options, variant: Options
    ) -> None:
        """A session that one kind deletes is not found by the other."""
        plain, ours = self._both_sites(options, variant)
        for first, second in ((plain, ours), (ours, plain)):
            visitor = first.visitor()
            visitor.save(n=1)
            id_ = visitor.cookie
            second.visitor(id_).request(lambda session: session.delete())
            assert {} == first.visitor(id_).read()

    def test_mixed_serializers(self, options: Options) -> None:
        """Both kinds read pickle and JSON sessions of plain values."""
        pickle, json = (
            Site(options | {"session_class": MongoSession, "data_serializer": name})
            for name in ("pickle", "json")
        )
        visitor = pickle.visitor()
        visitor.save(n=1, cart=["a"])
        assert {"n": 1, "cart": ["a"]} == json.visitor(visitor.cookie).read()
        json.visitor(visitor.cookie).save(m=2)
        assert {"n": 1, "cart": ["a"], "m": 2} == visitor.read()
