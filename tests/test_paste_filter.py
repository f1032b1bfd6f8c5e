"""The Paste filter of the middleware: egg:beaker_mongo_soajs#session."""

import textwrap
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from paste.deploy import loadapp
from webtest import TestApp

from beaker_mongo_soajs import (
    ConfigError,
)
from beaker_mongo_soajs.mongo.documents import utc_now
from tests.application import only_document
from tests.conftest import Db, Options
from tests.test_middleware import SAFE, count_visits


def count_app(global_conf: dict[str, str], **settings: str) -> Any:
    """Return an application that counts visits, for Paste."""
    return count_visits


class TestPaste:
    """egg:beaker_mongo_soajs#session."""

    def _ini(self, path: Path, options: Options, text: str) -> Any:
        ini = path / "site.ini"
        lines = "\n".join(f"{name} = {item}" for name, item in (options | SAFE).items())
        ini.write_text(
            textwrap.dedent(text) + lines + "\n"
            "[app:count]\npaste.app_factory = tests.test_paste_filter:count_app\n"
        )
        return TestApp(loadapp(f"config:{ini}"))

    @pytest.mark.parametrize(
        "text",
        [
            """
            [pipeline:main]
            pipeline = sessions count
            [filter:sessions]
            use = egg:beaker_mongo_soajs#session
            timeout = 60
            """,
            """
            [filter-app:main]
            use = egg:beaker_mongo_soajs#session
            next = count
            beaker.session.timeout = 60
            check_at_start = true
            """,
            """
            [DEFAULT]
            session.timeout = 60
            [app:main]
            use = count
            filter-with = sessions
            [filter:sessions]
            use = egg:beaker_mongo_soajs#session
            """,
        ],
        ids=["filter", "filter-app", "defaults"],
    )
    def test_filters(self, options: Options, tmp_path: Path, database: Db, text: str) -> None:
        """An INI file alone configures the sessions of an application."""
        browser = self._ini(tmp_path, options, text)
        assert ["1", "2"] == [browser.get("/").text for _ in range(2)]
        left = only_document(database)["expires"] - utc_now()
        assert timedelta(seconds=100) < left <= timedelta(seconds=181)

    def test_wrong_options(self, options: Options, tmp_path: Path) -> None:
        """An invalid option in the file is an error when the file is loaded."""
        with pytest.raises(ConfigError, match="timeout"):
            self._ini(
                tmp_path,
                options,
                """
                [filter-app:main]
                use = egg:beaker_mongo_soajs#session
                next = count
                timeout = soon
                """,
            )

    def test_entry_points(self) -> None:
        """Both kinds of filter are registered under the name session."""
        for group in ("paste.filter_factory", "paste.filter_app_factory"):
            found = {each.name for each in entry_points(group=group) if "mongo_soajs" in each.value}
            assert {"session"} == found
