"""The code host Kallithea: ``tox run -e applications-kallithea``."""

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from tests.applications.contract import Changes
from tests.applications.installed import InstalledContract
from tests.applications.transcript import Transcript
from tests.conftest import Db

_USER, _PASSWORD = "ann", "a secret of the administrator"


class TestKallithea(InstalledContract):
    """Kallithea, with the INI file and the database that its own commands make."""

    random = r'(?:_token" type="hidden" value="|_token = \("|Server instance: )([\w-]+)'
    changes: ClassVar[Changes] = {
        "session.type": "ext:mongodb_soajs",
        "session.url": "MONGO",
    }
    # TurboGears passes session.session_class to Beaker as text, and Beaker needs a class.
    test_the_pages_are_the_same_with_mongo_session = None  # type: ignore[assignment]

    @classmethod
    def install(cls, folder: Path) -> Path:
        """Make the INI file, the database and the folder of the repositories."""
        path = folder / "my.ini"
        repositories = folder / "repositories"
        repositories.mkdir()
        _run("config-create", str(path), "session.type=file", "session.data_dir=%(here)s/sessions")
        made = ["--user", _USER, "--password", _PASSWORD, "--email", "ann@example.org"]
        _run("db-create", "-c", str(path), *made, "--repos", str(repositories), "--force-yes")
        return path

    @staticmethod
    def visit(visitor: Transcript) -> None:
        """Log in after a mistake, change the account, and log out."""
        visitor.get("/")
        visitor.get("/_admin/login")
        visitor.submit(0, "sign_in", username=_USER, password="wrong password")
        visitor.submit(0, "sign_in", username=_USER, password=_PASSWORD)
        visitor.get("/_admin/my_account")
        visitor.submit(0, "save", firstname="Zoë")
        assert "Your account was updated successfully" in visitor.get("/_admin/my_account")
        visitor.submit(0, "save", email="not an address")
        visitor.get("/_admin/my_account/emails")
        visitor.get("/_admin/logout")
        visitor.get("/")

    @staticmethod
    def check_stored(database: Db) -> None:
        """A logout deletes the session. The visitor's next one has a token."""
        assert ["_session_csrf_secret_token"] * 2 == [
            name
            for document in database.sessions.find()
            for name in document["session"]
            if name not in ("_accessed_time", "_creation_time")
        ]


def _run(*arguments: str) -> None:
    program = Path(sys.executable).with_name("kallithea-cli")
    subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL)
