"""The warning that nobody chose an idle timeout, for each way to serve sessions."""

from typing import Any

import pytest
from webtest import TestApp

from tests.application import Site
from tests.conftest import Options
from tests.mongo_session.hosts import HOSTS, make_host

_AT_THE_START = {"SessionMiddleware", "Paste", "Pyramid"}
"""The ways that check the options before the first request. Beaker's own checks nothing."""


@pytest.mark.parametrize("name", [*HOSTS, "session.type alone"])
class TestIdleWarning:
    """A log line at the start."""

    def _serve(self, name: str, options: Options) -> None:
        if name not in HOSTS:
            Site(options).visitor().save(n=5)
            return
        wsgi = make_host(name, options)
        if name not in _AT_THE_START:
            browser: Any = TestApp(wsgi)
            for _ in range(2):
                browser.get("/?n=5")

    def _warnings(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        texts = [record.getMessage() for record in caplog.records]
        return [text for text in texts if text.startswith("session.timeout is not set")]

    def test_no_timeout(
        self, name: str, options: Options, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Without a timeout, one warning says how long an unused session lives."""
        self._serve(name, options)
        [text] = self._warnings(caplog)
        assert "14 days" in text

    @pytest.mark.parametrize("chosen", [{"timeout": 1800}, {"expireAfter": "30d"}], ids=str)
    def test_chosen(
        self, name: str, options: Options, chosen: Options, caplog: pytest.LogCaptureFixture
    ) -> None:
        """If timeout or expireAfter is set, nothing is logged."""
        self._serve(name, options | chosen)
        assert [] == self._warnings(caplog)
