"""A collaboration platform, whose code passes the options of all of Beaker's backends."""

from typing import Any, ClassVar

from tests.applications.contract import Changes, Settings
from tests.applications.test_shop import TestShop as Shop


class TestPlatform(Shop):
    """A platform with lines that are empty, or of other backends."""

    ini = """
        session.type = file
        session.url =
        session.urls =
        session.user =
        session.username =
        session.password =
        session.data_dir = %(here)s/sessions/data
        session.lock_dir = %(here)s/sessions/lock
        session.memcache_module = auto
        session.table_name =
        session.key = platform
        session.secret = a secret of the site
        session.timeout = 1800
        session.httponly = true
        session.invalidate_corrupt = true
    """
    changes: ClassVar[Changes] = {
        "session.type": "ext:mongodb_soajs",
        "session.url": "MONGO",
    }

    @staticmethod
    def make(settings: Settings) -> Any:
        """Return the application, which passes what it finds in its own settings."""
        own = {"session.sa_opts": None, "session.schema_name": "", "session.sentinel": ""}
        return Shop.make(own | settings)
