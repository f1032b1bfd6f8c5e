"""What a visitor sees of an application that several worker processes serve."""

import re
from collections.abc import Sequence
from http.cookiejar import CookieJar
from typing import Any

from webtest import TestApp, TestResponse

_TOKEN = re.compile(r"token=([0-9a-f]{40})")


class Transcript:
    """Make requests like a browser, each to the next worker, and note the answers.

    Session ids and tokens, which are random, are replaced by numbers in the order in which they
    appear: what counts is whether a value is new or one from before.

    :param workers: the WSGI applications of the workers, which share nothing but the backend.
    """

    def __init__(self, workers: Sequence[Any]) -> None:
        jar = CookieJar()
        self._browsers = [TestApp(worker, cookiejar=jar) for worker in workers]
        self._requests = 0
        self._numbers: dict[str, str] = {}
        self.pages: list[str] = []
        """Requests, status codes, redirections and texts."""
        self.cookies: list[list[str]] = []
        """For each request, the cookies that were set."""

    @property
    def token(self) -> str:
        """The last token in a page."""
        return [value for value in self._numbers if len(value) == 40][-1]

    def get(self, path: str) -> str:
        """Get a page and return its text.

        :param path: the path.
        """
        return self._note(f"GET {path}", self._next().get(path, expect_errors=True))

    def post(self, path: str, **fields: Any) -> str:
        """Submit a form and return the text of the answer.

        :param path: the path.
        :param fields: the fields; ``(name, bytes)`` uploads a file.
        """
        files = [(name, *value) for name, value in fields.items() if isinstance(value, tuple)]
        texts = {name: value for name, value in fields.items() if not isinstance(value, tuple)}
        answer = self._next().post(path, texts, upload_files=files, expect_errors=True)
        return self._note(f"POST {path}", answer)

    def forget_cookies(self) -> None:
        """Continue as another visitor."""
        for browser in self._browsers:
            browser.reset()

    def _next(self) -> TestApp:
        self._requests += 1
        return self._browsers[self._requests % len(self._browsers)]

    def _note(self, request: str, answer: TestResponse) -> str:
        text: str = answer.text
        shown = _TOKEN.sub(lambda match: f"token={self._number(match[1])}", text)
        self.pages.append(f"{request}: {answer.status} {answer.headers.get('Location')} {shown}")
        self.cookies.append([self._cookie(line) for line in answer.headers.getall("Set-Cookie")])
        return text

    def _cookie(self, line: str) -> str:
        pair, *attributes = line.strip().split("; ")
        name, _, value = pair.partition("=")
        attributes = [re.sub(r"(?i)^expires=.*(1970|20\d\d).*", "expires", a) for a in attributes]
        return "; ".join([f"{name}={self._number(value)}", *sorted(attributes)])

    def _number(self, value: str) -> str:
        return self._numbers.setdefault(value, f"<{len(self._numbers) + 1}>")
