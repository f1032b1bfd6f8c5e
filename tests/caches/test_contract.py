"""The contract of Beaker's caches, in memory and in MongoDB."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.caches.contract import CacheContract
from tests.caches.doubles import Clock
from tests.caches.support import move_with
from tests.conftest import Options

pytestmark = pytest.mark.slow


class TestMemory(CacheContract):
    """Beaker's own backend passes, so the contract is Beaker's."""

    @pytest.fixture
    def cache_options(self) -> dict[str, Any]:
        """Return the options of Beaker's backend in memory."""
        return {"type": "memory"}


class TestMongoDB(CacheContract):
    """The backend of this package passes the same contract."""

    store: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def cache_options(self, options: Options, tmp_path: Path) -> dict[str, Any]:
        """Return options that fit into an INI file."""
        path = tmp_path / "dbconfig.json"
        path.write_text(json.dumps(options | {"store": self.store}))
        return {"type": "ext:mongodb_soajs", "dbConfig": str(path)}

    @pytest.fixture
    def clock(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Move this package's clock along with Beaker's."""
        move_with(clock, monkeypatch)
        return clock


class TestSigned(TestMongoDB):
    """Signed values pass the same contract."""

    store: ClassVar[dict[str, Any]] = {"signingKey": "0123456789abcdef"}
