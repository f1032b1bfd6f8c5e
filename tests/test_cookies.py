"""Session ids in the Cookie header."""

import random
import time
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie

import pytest
from beaker.session import SignedCookie
from hypothesis import example, given
from hypothesis import strategies as st

from beaker_mongo_soajs.cookies import session_ids
from tests.effort import times

NAME = "beaker.session.id"
SECRET = "a secret of the site"
LONGEST_HEADER = 65536
MOST_SECONDS = 0.005

_PIECES = (
    *(NAME, f"{NAME}=", f"{NAME}=id", f' {NAME} = "id" ', f"x{NAME}=id", f"{NAME}x=id", "id"),
    *(";", "; ", "=", ",", " ", "\t", '"', '\\"', "\\", "\\101", "\\777", "$Version=1", "$Path"),
    *("flag", "ga=1 2 3", "=v", "a[]=1", "x=\xe9", '{"a": 1}', "path=/", "expires=never", "\x00"),
    *("\r\n", "\x7f", "\xa0", "\u20ac", "\udce9", "\ud800", "\x85", "'", "%3B", "\x1f"),
)
"""The pieces of the fuzzed headers."""


def sign(session_id: str, secret: str = SECRET) -> str:
    """Return the value of a signed cookie, as Beaker makes it."""
    return str(SignedCookie(secret).value_encode(session_id)[1])


def plain_ids(header: str) -> list[str]:
    """Read a header step by step as RFC 6265, section 5.2 describes it; for unquoted values."""
    found = []
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        if equals and name.strip(" \t") == NAME and value.strip(" \t"):
            found.append(value.strip(" \t"))
    return list(dict.fromkeys(found))


class TestSplitting:
    """Splitting of a header."""

    @pytest.mark.parametrize(
        "header",
        [
            *(f"{NAME}=id", f"a=1; {NAME}=id", f"{NAME}=id; a=1", f"a=1;{NAME}=id;b=2"),
            *(f"  {NAME}\t=  id\t ; a=1", f"a=1; ;;{NAME}=id;;", f"flag; {NAME}=id; flag"),
            *(f"{name}; {NAME}=id" for name in ("ga=1 2 3", "=v", "a[]=1", "x=\xe9", '{"a": 1}')),
            *(f"{NAME}=id; {name}" for name in ("ga=1 2 3", "=v", "a[]=1", "x=\xe9", '{"a": 1}')),
            *(f"a=1; $x=y; {NAME}=id", f'a="; {NAME}=id; "', f'a="\\"; {NAME}=id'),
            *(f"$Version=1; {NAME}=id; $Path=/; $Domain=a", f"path=/; expires; {NAME}=id"),
            *(f"x{NAME}=a; {NAME}x=b; {NAME}=id", f"{NAME.upper()}=a; {NAME}=id"),
            *(f"{NAME}; {NAME}=; {NAME}= ; {NAME}=id", f"a={NAME}=b; {NAME}=id"),
            f"{NAME.replace('.', '-')}=a; {NAME}=id",
        ],
    )
    def test_foreign_cookies_do_not_count(self, header: str) -> None:
        """The session's cookie is found, whatever other sites and scripts put around it."""
        assert ["id"] == list(session_ids(header, NAME))

    @pytest.mark.parametrize(
        "header",
        [None, "", NAME, f"{NAME}=", f"{NAME} id", f"x{NAME}=id", f"a={NAME}=id", f'{NAME}=""'],
    )
    def test_headers_without_the_cookie(self, header: str | None) -> None:
        """A header without the cookie, or with an empty one, holds no id."""
        assert [] == list(session_ids(header, NAME))

    def test_order(self) -> None:
        """Several cookies of one name are found in their order, and equal ones once."""
        header = f"{NAME}=b; a=1; {NAME}=a; {NAME}=b; {NAME}=c"
        assert ["b", "a", "c"] == list(session_ids(header, NAME))

    def test_many(self) -> None:
        """Of more than 200 cookies of one name, the first 200 count."""
        header = ";".join(f"{NAME}={number}" for number in range(201))
        assert [str(number) for number in range(200)] == session_ids(header, NAME)

    def test_value_holds_equals_signs_spaces_and_commas(self) -> None:
        """A value ends at the semicolon, and at nothing else."""
        assert ["a=b c,d"] == list(session_ids(f"{NAME}=a=b c,d ; e=f", NAME))

    @pytest.mark.parametrize("session_id", ["a b", 'a"b', "a\\b", "a;b,c", "\xe9", "a\\101", '"a"'])
    def test_quoted_values_of_the_standard_library(self, session_id: str) -> None:
        """An id that http.cookies quotes is read back; a quote without a second one is text."""
        cookie = SimpleCookie()
        cookie[NAME] = session_id
        header = cookie[NAME].output(attrs=[], header="").strip()
        assert '"' in header
        assert [session_id] == list(session_ids(header, NAME))
        for text in ('"', '"a', '"!'):
            assert [text] == session_ids(f"{NAME}={text}", NAME)

    def test_special_characters_in_the_name(self) -> None:
        """The name is a text, and no regular expression."""
        assert ["id"] == list(session_ids("a.b=1; a+b=id; aab=2", "a+b"))


class TestSignatures:
    """Signed cookies."""

    def test_signature_of_beaker(self) -> None:
        """A cookie that Beaker signed is read, with quotes or without."""
        value = sign("id")
        assert ["id"] == list(session_ids(f"{NAME}={value}", NAME, [SECRET]))
        assert ["id"] == list(session_ids(f'{NAME}="{value}"', NAME, [SECRET]))

    @pytest.mark.parametrize(
        "value",
        [
            *("id", sign("id", "another"), sign("id")[:-1], sign("id")[1:], sign("id") + "x"),
            *(sign("id").upper(), sign(""), "0" * 40 + "id", "\xe9" * 40 + "id", "\ud800" * 50),
        ],
    )
    def test_wrong_signatures(self, value: str) -> None:
        """A cookie with a wrong signature is skipped, and the next one counts."""
        header = f"{NAME}={value}; {NAME}={sign('good')}"
        assert ["good"] == list(session_ids(header, NAME, [SECRET]))

    def test_several_secrets(self) -> None:
        """Each of several secrets verifies a signature."""
        header = "; ".join(f"{NAME}={sign(secret, secret)}" for secret in ("old", "new", "other"))
        assert ["old", "new"] == list(session_ids(header, NAME, ["new", "old"]))


def fuzzed_headers(seed: int, count: int, *more: str) -> Iterator[str]:
    """Yield headers of random pieces, the session's cookie often among them.

    :param seed: one seed makes one series of headers.
    :param count: how many.
    :param more: further pieces.
    """
    source = random.Random(seed)
    pieces = (*_PIECES, f"{NAME}={sign('id')}", f"{NAME}={sign('id', 'wrong')}", *more * 3)
    for _ in range(count):
        yield "".join(source.choices(pieces, k=source.randrange(1, 24)))


class TestAnyHeader:
    """Arbitrary and hostile headers."""

    def test_fuzzed_headers(self) -> None:
        """No header is an error; the ids are those of a reader that follows RFC 6265 by steps."""
        count = times(50_000)
        found = 0
        for header in fuzzed_headers(1, count):
            ids = list(session_ids(header, NAME))
            if '"' not in header:
                assert plain_ids(header) == ids, repr(header)
            found += bool(ids)
            assert {"id"} >= set(session_ids(header, NAME, [SECRET])), repr(header)
        assert count / 10 < found < count

    @given(st.text())
    @example(f"{NAME}=\ud800")
    def test_any_text(self, text: str) -> None:
        """Any text before and after the cookie leaves it alone, unless it is a cookie itself."""
        header = f"{text};{NAME}=id;{text}"
        ids = list(session_ids(header, NAME))
        assert "id" in ids
        assert len(ids) <= 1 + 2 * text.count(NAME)

    LONG: tuple[tuple[str, Callable[[int], str]], ...] = (
        ("escaped quotes", lambda n: f'{NAME}="' + '\\"' * (n // 2) + '"'),
        ("open quotes", lambda n: f'{NAME}="' + '\\"' * (n // 2)),
        ("octal escapes", lambda n: f'{NAME}="' + "\\101" * (n // 4) + '"'),
        ("backslashes", lambda n: f'{NAME}="' + "\\" * n + '"'),
        ("semicolons", lambda n: ";" * n + f"{NAME}=id"),
        ("spaces", lambda n: " " * n + NAME + " " * n),
        ("spaces after the name", lambda n: f"; {NAME}      " * (n // 26)),
        ("equals signs", lambda n: NAME + "=" * n),
        ("the name", lambda n: NAME * (n // len(NAME))),
        ("empty cookies", lambda n: f"{NAME}=;" * (n // (len(NAME) + 2))),
        ("wrong signatures", lambda n: f"{NAME}={'0' * 40}id; " * (n // 62)),
        ("many ids", lambda n: "".join(f"{NAME}={i:050};" for i in range(n // 70))),
        ("one long id", lambda n: f"{NAME}=" + "x" * n),
        ("foreign cookies", lambda n: "a=1; " * (n // 5) + NAME),
    )

    @pytest.mark.parametrize("make", [make for _, make in LONG], ids=[name for name, _ in LONG])
    @pytest.mark.parametrize("secrets", [(), (SECRET, "another")], ids=["plain", "signed"])
    def test_long_headers_take_little_time(
        self, make: Callable[[int], str], secrets: tuple[str, ...]
    ) -> None:
        """A header of 64 kB is read within 5 ms, whatever it holds."""
        header = make(LONGEST_HEADER)[:LONGEST_HEADER]
        assert min(_seconds(header, secrets) for _ in range(20)) < MOST_SECONDS


def _seconds(header: str, secrets: tuple[str, ...]) -> float:
    # The time of this thread: others on the machine take none of it.
    start = time.thread_time()
    list(session_ids(header, NAME, secrets))
    return time.thread_time() - start
