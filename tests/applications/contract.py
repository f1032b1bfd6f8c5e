"""The promise to every application: the same transcript on Beaker's backend and on ours."""

import configparser
from pathlib import Path
from typing import Any, ClassVar

import pytest
from beaker import cache

from tests.applications.transcript import Transcript
from tests.conftest import Db

Settings = dict[str, Any]
Changes = dict[str, str | None]

_WORKERS = 2
_HARDENED = {"pyramid.includes": "beaker_mongo_soajs.pyramid", "session.secure": "false"}


class ApplicationContract:
    """An application with its INI file, and the lines that switch it to MongoDB."""

    ini: ClassVar[str]
    """The section ``app:main`` of the INI file, with ``%(here)s`` as the folder of the file."""
    changes: ClassVar[Changes]
    """The changed lines. ``None`` removes a line, ``MONGO`` is the URL of the database."""
    hardened: ClassVar[dict[str, str]] = _HARDENED
    """The further lines for MongoSession."""

    @staticmethod
    def make(settings: Settings) -> Any:
        """Return the WSGI application of one worker."""
        raise NotImplementedError

    @classmethod
    def make_hardened(cls, settings: Settings) -> Any:
        """Return the WSGI application of one worker, with MongoSession."""
        return cls.make(settings)

    @staticmethod
    def visit(visitor: Transcript) -> None:
        """Visit the application."""
        raise NotImplementedError

    @staticmethod
    def check_stored(database: Db) -> None:
        """Check the documents after the visit."""
        raise NotImplementedError

    @pytest.fixture
    def original(self, tmp_path: Path) -> Settings:
        """Return the settings of the INI file, with Beaker's own backend."""
        parser = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
        parser.read_string(f"[DEFAULT]\nhere = {tmp_path}\n[app:main]\n{self.ini}")
        return {key: value for key, value in parser.items("app:main") if key != "here"}

    @pytest.fixture
    def switched(self, original: Settings, mongo_url: str, database_name: str) -> Settings:
        """Return the settings with the changed lines."""
        server, _, options = mongo_url.partition("/?")
        url = f"{server}/{database_name}?{options}"
        settings = dict(original)
        for key, value in self.changes.items():
            if value is None:
                del settings[key]
            else:
                settings[key] = value.replace("MONGO", url)
        return settings

    def transcript(self, settings: Settings, *, hardened: bool = False) -> Transcript:
        """Return the transcript of a visit to the workers of an application."""
        make = self.make_hardened if hardened else self.make
        regions = dict(cache.cache_regions)
        try:
            visitor = Transcript([make(dict(settings)) for _ in range(_WORKERS)])
            self.visit(visitor)
        finally:
            cache.cache_regions.clear()
            cache.cache_regions.update(regions)
        return visitor

    def test_few_lines_change(self) -> None:
        """At most six lines of the INI file change, and no code."""
        assert len(self.changes) <= 6

    def test_the_transcript_is_the_same(
        self, original: Settings, switched: Settings, database: Db
    ) -> None:
        """A visitor sees the same pages and gets the same cookies as on Beaker's backend."""
        theirs, ours = self.transcript(original), self.transcript(switched)
        assert theirs.pages == ours.pages
        assert theirs.cookies == ours.cookies
        self.check_stored(database)

    def test_the_pages_are_the_same_with_mongo_session(
        self, original: Settings, switched: Settings, database: Db
    ) -> None:
        """With MongoSession as well, a visitor sees the same pages as on Beaker's backend."""
        theirs = self.transcript(original)
        ours = self.transcript(switched | self.hardened, hardened=True)
        assert theirs.pages == ours.pages
        self.check_stored(database)
