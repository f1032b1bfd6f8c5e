"""The content management system Kotti: ``tox run -e applications-kotti``."""

from typing import ClassVar

from tests.applications.contract import Changes
from tests.applications.installed import InstalledContract
from tests.applications.transcript import Transcript
from tests.conftest import Db

_TOO_LONG = "x" * 300


class TestKotti(InstalledContract):
    """Kotti, as installed from the package index."""

    ini = """
        use = egg:kotti
        pyramid.includes = pyramid_tm
        pyramid.default_locale_name = en
        sqlalchemy.url = sqlite:///%(here)s/kotti.db
        mail.default_sender = cms@example.org
        kotti.site_title = Kotti
        kotti.secret = secret of the administrator
        kotti.secret2 = a secret of the login
        session.type = file
        session.data_dir = %(here)s/sessions/data
        session.lock_dir = %(here)s/sessions/lock
        session.key = kotti
        session.secret = a secret of the sessions
        session.httponly = true
    """
    random = r'name="(?:csrf_token|uid)" value="(\w+)"'
    changes: ClassVar[Changes] = {
        "session.type": "ext:mongodb_soajs",
        "session.url": "MONGO",
        "session.data_dir": None,
        "session.lock_dir": None,
    }
    hardened: ClassVar[dict[str, str]] = {
        "pyramid.includes": "pyramid_tm beaker_mongo_soajs.pyramid",
        "session.secure": "false",
    }

    @staticmethod
    def visit(visitor: Transcript) -> None:
        """Log in after a mistake, edit a page, upload a file, and log out."""
        visitor.get("/")
        visitor.get("/@@login")
        visitor.submit("login-form", "submit", login="admin", password="wrong")
        visitor.submit(
            "login-form", "submit", login="admin", password="secret of the administrator"
        )
        assert "Welcome, Administrator!" in visitor.get("/")
        visitor.get("/@@edit")
        visitor.submit("deform", "save", title=_TOO_LONG)
        visitor.submit("deform", "save", title="Wélcome")
        assert "Your changes have been saved." in visitor.get("/")
        visitor.get("/add_file")
        visitor.submit("deform", "save", title=_TOO_LONG, upload=("a.bin", bytes(range(256))))
        visitor.submit("deform", "save", title="A file")
        visitor.get("/a-file/")
        visitor.get("/a-file/delete")
        visitor.submit("form-delete", "delete=delete")
        assert "A file was deleted." in visitor.get("/")
        visitor.get("/@@logout")
        assert "You have been logged out." in visitor.get("/")
        visitor.get("/@@logout")

    @staticmethod
    def check_stored(database: Db) -> None:
        """The uploaded file is stored as bytes, and the flash message with its domain."""
        (session,) = [document["session"] for document in database.sessions.find()]
        (upload,) = [item for item in session.values() if isinstance(item, dict)]
        assert bytes(range(256)) == upload["file_contents"]
        text = "You have been logged out."
        value = [text, "Kotti", text, None, None]
        assert [{"__type__": "translation_string", "value": value}] == session["_f_info"]
