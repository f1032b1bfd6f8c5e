"""What a visitor sees of an application that several worker processes serve."""

import re
from collections.abc import Sequence
from http.cookiejar import CookieJar
from typing import Any

from webtest import TestApp, TestResponse, Upload

TOKEN = r"token=([0-9a-f]{40})"
"""The random texts in the pages of the stand-ins."""


class Transcript:
    """Make requests like a browser, each to the next worker, and note the answers.

    Session ids and tokens, which are random, are replaced by numbers in the order in which they
    appear: what counts is whether a value is new or one from before.

    :param workers: the WSGI applications of the workers, which share nothing but the backend.
    :param random: a regular expression for what is random in pages; its group is replaced.
    """

    def __init__(self, workers: Sequence[Any], random: str = TOKEN) -> None:
        self._random = re.compile(random)
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

    @property
    def secrets(self) -> list[str]:
        """The session ids and tokens so far."""
        # A cookie has the id after the signature.
        return [value[-32:] for value in self._numbers if len(value) >= 32]

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

    def submit(self, form: str | int, button: str, **fields: Any) -> str:
        """Fill in a form of the last page, submit it and return the text of the answer.

        :param form: the ``id`` of the form, or its number in the page.
        :param button: the name of the button, and its value if several have this name.
        :param fields: the fields that change; ``(name, bytes)`` uploads a file.
        """
        filled = self._page.forms[form]
        for name, value in fields.items():
            filled[name] = Upload(*value) if isinstance(value, tuple) else value
        # The next worker receives it.
        self._page.test_app = self._next()
        name, _, value = button.partition("=")
        answer = filled.submit(name, value=value or None, expect_errors=True)
        return self._note(f"SUBMIT {form}", answer)

    def forget_cookies(self) -> None:
        """Continue as another visitor."""
        for browser in self._browsers:
            browser.reset()

    def _next(self) -> TestApp:
        self._requests += 1
        return self._browsers[self._requests % len(self._browsers)]

    def _note(self, request: str, answer: TestResponse) -> str:
        self._page = answer
        text: str = answer.text
        shown = self._random.sub(self._replaced, text)
        self.pages.append(f"{request}: {answer.status} {answer.headers.get('Location')} {shown}")
        self.cookies.append([self._cookie(line) for line in answer.headers.getall("Set-Cookie")])
        return text

    def _replaced(self, match: re.Match[str]) -> str:
        return match[0].replace(match[1], self._number(match[1]))

    def _cookie(self, line: str) -> str:
        pair, *attributes = line.strip().split("; ")
        name, _, value = pair.partition("=")
        attributes = [re.sub(r"(?i)^expires=.*(1970|20\d\d).*", "expires", a) for a in attributes]
        return "; ".join([f"{name}={self._number(value)}", *sorted(attributes)])

    def _number(self, value: str) -> str:
        return self._numbers.setdefault(value, f"<{len(self._numbers) + 1}>")
