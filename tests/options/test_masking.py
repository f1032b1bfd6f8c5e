"""Values in messages: on one line, short, and without secrets."""

from typing import Any

import pytest

from beaker_mongo_soajs.options.masking import mask_url, show, show_name


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", '"plain"'),
        ("two\nlines", '"two\\nlines"'),
        (b"bytes \xff", '"bytes \ufffd"'),
        ("x" * 120, f'"{"x" * 120}"'),
        ("x" * 121, f'"{"x" * 119}…"'),
        ("ann@example.com", '"***"'),
        ("-----BEGIN KEY-----\nabc", "(PEM text)"),
        ("mongodb://u:p@h:1/db?w=1", '"mongodb://***@h:1/db?w=***"'),
        ("//[h", '"***"'),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (12, "12"),
        (2**254, str(2**254)),
        (2**255, "a very large number"),
        ([1, "a"], '[1, "a"]'),
        ({"port": 1, "password": "p", 2: "x"}, '{"port": 1, "password": ***, "a int": "x"}'),
        ({"u@h": 1, "é": 2}, '{"***": 1, "é": 2}'),
        (object(), "a object"),
    ],
)
def test_values(value: Any, shown: str) -> None:
    """A value is shown as JSON; what may be a secret is masked, long text is truncated."""
    assert shown == show(value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("servers", "servers"),
        ("ann@h", "***"),
        ("http://h", "***"),
        ("a\nb", "***"),
        ("x" * 121, "x" * 119 + "…"),
        (3, "a int"),
    ],
)
def test_names(name: Any, shown: str) -> None:
    """The name of an option is shown unless it may be a secret."""
    assert shown == show_name(name)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mongodb://h1:1,h2/db", "mongodb://h1:1,h2/db"),
        ("mongodb+srv://u:p@h/db", "mongodb+srv://***@h/db"),
        ("mongodb://u:p/@?@h", "mongodb://***@h"),
        ("mongodb://u:p", "mongodb://***"),
        ("mongodb://h/d b", "mongodb://h/***"),
        ("mongodb://h/db?w=1;x=2&secret", "mongodb://h/db?w=***&x=***&***"),
        ("mongodb://[::1]:27017", "mongodb://[::1]:27017"),
        ("mongodb://%2Ftmp%2Fmongodb.sock", "mongodb://%2Ftmp%2Fmongodb.sock"),
        ("u p://h", "***"),
        ("no url", "***"),
    ],
)
def test_urls(url: str, shown: str) -> None:
    """Of a connection string, only hosts, the database and the names of options are shown."""
    assert shown == mask_url(url)
