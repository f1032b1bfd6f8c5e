"""The document on the page, and its notation."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from bson.int64 import Int64

from examples.demo.notation import inline, lines
from examples.demo.shops import SESSION_COOKIE
from tests.conftest import Db
from tests.demo.support import Visit, plain, stored, text_of


class TestDocument:
    """The document on the page."""

    def test_it_is_the_one_in_mongodb(self, visit: Visit, database: Db) -> None:
        """The page shows the document that MongoDB holds."""
        visit.submit("/login", name="ann")
        visit.submit("/cart/add", product="tubes")
        document = stored(database, visit.session_id)
        shown = text_of(visit.page)
        assert f"visits: {document['session']['visits']}" in shown
        assert "user: 'ann'" in shown
        assert f"_accessed_time: {document['session']['_accessed_time']!r}" in shown
        expires = document["expires"].isoformat(timespec="milliseconds")
        assert f"expires: ISODate('{expires}Z')" in shown

    def test_changes_are_marked(self, visit: Visit) -> None:
        """Differences from the previous page are marked; the first page has none."""
        assert [] == visit.marked()
        visit.submit("/login", name="ann")
        visit.submit("/cart/add", product="tubes")
        visit.submit("/cart/add", product="tubes")
        names = [line.partition(":")[0] for line in visit.marked()]
        assert ["quantity"] == names

    def test_a_removed_value_marks_its_object(self, visit: Visit) -> None:
        """A removed value marks the object that contained it."""
        visit.submit("/cart/add", product="tubes")
        visit.submit("/cart/add", product="flask")
        visit.submit("/cart/drop", product="tubes")
        assert "cart: {" in visit.marked()

    def test_expiry_counts_down(self, visit: Visit, database: Db) -> None:
        """The page contains the seconds until expiry, which the script counts down."""
        match = re.search(r'data-seconds="([\d.]+)" data-lifetime="600"', visit.page.text)
        assert match is not None
        shown = datetime.now(UTC) + timedelta(seconds=float(match[1]))
        expires = stored(database, visit.session_id)["expires"].replace(tzinfo=UTC)
        # Beaker's documents live two minutes longer than its timeout, and a little for touchAfter.
        assert timedelta(minutes=2) <= expires - shown < timedelta(minutes=2, seconds=15)

    def test_stringify_shows_the_same_session_as_text(self, visit: Visit, database: Db) -> None:
        """The session is stored as JSON text and back without a loss."""
        visit.submit("/login", name="ann")
        visit.submit("/cart/add", product="flask")
        before = visit.session_id, stored(database, visit.session_id)["session"]["cart"]
        visit.submit("/form", stringify="true")
        assert isinstance(stored(database, visit.session_id)["session"], str)
        assert '"user":"ann"' in text_of(visit.page)
        visit.submit("/login", name="bea")
        assert isinstance(stored(database, visit.session_id)["session"], str)
        visit.submit("/form", stringify="false")
        session = stored(database, visit.session_id)["session"]
        assert "bea" == session["user"]
        assert before[1] == session["cart"]

    def test_no_session_id_is_shown_in_full(self, visit: Visit) -> None:
        """The document and the commands show only the first characters of a session id."""
        pages, ids = [visit.page.text], {visit.session_id}
        for path, fields in (
            ("/login", {"name": "ann"}),
            ("/cart/add", {"product": "flask"}),
            ("/form", {"stringify": "true"}),
            ("/cart/add", {"product": "flask"}),
            ("/form", {"stringify": "false"}),
            ("/logout", {}),
        ):
            pages.append(visit.submit(path, **fields).text)
            if SESSION_COOKIE in visit.app.cookies:
                ids.add(visit.session_id)
        assert 2 == len(ids)
        for page in pages:
            assert page is pages[-1] or re.search(
                r"_id</span>: <span class=\"string\">&#39;[\w-]{8}…", page
            )
            assert [] == [session_id for session_id in ids if session_id[:9] in page]


class TestNotation:
    """BSON values in the notation of MongoDB's shell."""

    @pytest.mark.parametrize(
        ("value", "shown", "bson_type"),
        [
            (None, "null", "null"),
            (True, "true", "bool"),
            (3, "3", "int"),
            (Int64(3), "3", "long"),
            (1.5, "1.5", "double"),
            ("it's \\ \n\u202e", r"'it\'s \\ \n\u202e'", "string"),
            (datetime(2026, 1, 2, 3, 4, 5, 6000), "ISODate('2026-01-02T03:04:05.006Z')", "date"),
            ({}, "{}", "object"),
            ([], "[]", "array"),
            (b"abc", "BinData(0, …)", "binData"),
        ],
    )
    def test_scalars(self, value: object, shown: str, bson_type: str) -> None:
        """Each value has a notation and a type name."""
        _, line, _ = lines({"value": value}, None)
        assert (f"value: {shown}", bson_type) == (plain(line), line.type)

    def test_nesting(self) -> None:
        """Objects and arrays span several lines, and keys are quoted if necessary."""
        spread = [(line.depth, plain(line)) for line in lines({"a.b": [1, {"c": 2}]}, None)]
        assert [
            (0, "{"),
            (1, "'a.b': ["),
            (2, "1,"),
            (2, "{"),
            (3, "c: 2"),
            (2, "}"),
            (1, "]"),
            (0, "}"),
        ] == spread

    def test_inline_is_short(self) -> None:
        """On one line, long texts are cut and deep values are left out."""
        value = {"$set": {"a": {"b": {"c": 1}}, "t": "x" * 30}}
        shown = "".join(token.text for token in inline(value))
        assert f"{{$set: {{a: {{b: {{…}}}}, t: '{'x' * 24}…'}}}}" == shown

    def test_a_date_keeps_its_comma(self) -> None:
        """A date and the comma after it stay on one line."""
        _, first, _, _ = lines({"a": datetime(2026, 1, 2), "b": 1}, None)
        assert ("date", "ISODate('2026-01-02T00:00:00.000Z'),") == first.tokens[-1]

    def test_a_value_of_another_type_has_changed(self) -> None:
        """True and 1 differ, although Python treats them as equal."""
        assert [line.changed for line in lines({"a": True}, {"a": 1})] == [False, True, False]
