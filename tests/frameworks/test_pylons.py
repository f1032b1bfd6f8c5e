"""The example of Pylons, in an environment of its own: ``tox run -e pylons``."""

import importlib.util
from pathlib import Path

import pytest

from examples.pylons.port import MARK, PACKAGES, port
from tests.frameworks.contract import ExampleContract, MongoSessionContract


class TestPylons(ExampleContract):
    """``examples/pylons/wsgi.py``."""

    application = "examples.pylons.wsgi:application"


class TestHardenedPylons(MongoSessionContract):
    """``examples/pylons/hardened.py``: the ``SessionMiddleware`` of this package."""

    application = "examples.pylons.hardened:application"


class TestPort:
    """The port of Pylons to Python 3."""

    def test_a_second_run_changes_nothing(self) -> None:
        """The installed Pylons is ported, and a second run changes nothing."""
        found = importlib.util.find_spec("pylons")
        assert found is not None
        assert found.origin is not None
        folder = Path(found.origin).parent.parent
        before = {package: (folder / package).stat() for package in PACKAGES}
        port(folder)
        assert before == {package: (folder / package).stat() for package in PACKAGES}

    @pytest.mark.parametrize(
        ("package", "name"),
        [("pylons", "pylons/controllers/core.py"), ("webhelpers", "webhelpers/html/builder.py")],
    )
    def test_another_release_is_refused(self, tmp_path: Path, package: str, name: str) -> None:
        """Another release of Pylons is refused by name, and not changed."""
        for other in PACKAGES:
            (tmp_path / other).mkdir()
            (tmp_path / other / MARK).touch()
        (tmp_path / package / MARK).unlink()
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("print 'another release'\n")
        with pytest.raises(SystemExit, match=f"^{name} does not contain"):
            port(tmp_path)
        assert [path] == [each for each in (tmp_path / package).rglob("*") if each.is_file()]
        assert "print 'another release'\n" == path.read_text()
