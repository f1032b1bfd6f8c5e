"""The source distribution and the wheel: their contents, and a session with the wheel alone."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from contextlib import suppress
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import pytest
from readme_renderer import markdown

import beaker_mongo_soajs
from examples.serving import listen
from tests.application import live_documents, only_document
from tests.conftest import Db, Options
from tests.newcomer import Newcomer
from tests.repository import ROOT, files, name_of
from tests.waiting import wait_until

PACKAGE = ROOT / "beaker_mongo_soajs"
# Files of a clone that a source distribution does not need.
CLONE_ONLY = {".gitignore"}


class Distributions(NamedTuple):
    """The built distributions.

    :param sdist: the source distribution.
    :param wheel: the wheel that was built from it.
    :param wheel_of_tree: the wheel that was built from the repository itself.
    """

    sdist: Path
    wheel: Path
    wheel_of_tree: Path


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program that has to succeed, without access to the working tree.

    :returns: its output.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # A source distribution is not a clone, so some of its tests are skipped.
    env.pop("CI", None)
    process = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert 0 == process.returncode, process.stdout
    return process.stdout


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files in a wheel, and their contents."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Build both distributions from a copy of the repository, which stays unchanged."""
    folder = tmp_path_factory.mktemp("distributions")
    source = folder / "source"
    for path in files(""):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    # Without isolation the build needs no package index: the group "test" has setuptools.
    build = (sys.executable, "-P", "-m", "build", "--no-isolation", "--outdir")
    run(*build, folder / "of sdist", source, cwd=folder)
    shutil.rmtree(source / "beaker_mongo_soajs.egg-info")
    run(*build, folder / "of tree", "--wheel", source, cwd=folder)
    (sdist,) = folder.glob("of sdist/*.tar.gz")
    (wheel,) = folder.glob("of sdist/*.whl")
    (wheel_of_tree,) = folder.glob("of tree/*.whl")
    return Distributions(sdist, wheel, wheel_of_tree)


@pytest.fixture(scope="module")
def unpacked(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the source distribution, and return its folder."""
    folder = tmp_path_factory.mktemp("unpacked")
    # Python before 3.11.4 has no filters.
    filters: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(distributions.sdist) as archive:
        archive.extractall(folder, **filters)
    return folder / distributions.sdist.name.removesuffix(".tar.gz")


class TestDistributions:
    """The contents of the distributions."""

    def test_the_metadata_is_valid(self, distributions: Distributions, tmp_path: Path) -> None:
        """The metadata is complete, and the description can be rendered."""
        twine = (sys.executable, "-P", "-m", "twine", "check", "--strict")
        run(*twine, distributions.sdist, distributions.wheel, cwd=tmp_path)

    def test_the_readme_is_rendered(self) -> None:
        """PyPI's renderer keeps all headings, tables and pictures of the README."""
        text = (ROOT / "README.md").read_text()
        page = markdown.render(text)
        assert page is not None
        for written, made in ((r"^#+ ", "<h[1-6] "), (r"^\| --- ", "<table>"), (r"^!\[", "<img ")):
            expected = len(re.findall(written, text, re.MULTILINE))
            assert expected == len(re.findall(made, page)), made

    def test_the_wheel_is_clean(self, distributions: Distributions, tmp_path: Path) -> None:
        """The wheel has no stray files, no copies and no other top-level modules."""
        run(
            *(sys.executable, "-P", "-m", "check_wheel_contents", distributions.wheel),
            cwd=tmp_path,
        )

    def test_the_wheel_holds_the_package_and_nothing_else(
        self, distributions: Distributions
    ) -> None:
        """The wheel has all modules, py.typed and the license, and nothing else."""
        found = contents(distributions.wheel)
        metadata = next(name for name in found if name.endswith("/METADATA")).split("/")[0]
        modules = {name_of(path) for path in files(".py") if path.is_relative_to(PACKAGE)}
        packaged = {name for name in found if not name.startswith(f"{metadata}/")}
        assert modules | {"beaker_mongo_soajs/py.typed"} == packaged
        assert f"{metadata}/licenses/LICENSE" in found
        entry_points = found[f"{metadata}/entry_points.txt"].decode()
        assert "ext:mongodb_soajs = beaker_mongo_soajs.namespace" in entry_points

    def test_the_version(self, distributions: Distributions) -> None:
        """The wheel has the version that the package names."""
        version = beaker_mongo_soajs.__version__
        assert f"beaker_mongo_soajs-{version}-py3-none-any.whl" == distributions.wheel.name

    def test_development_installs_all_extras(self, distributions: Distributions) -> None:
        """``make test`` and tox install all extras of the wheel, which are those for users."""
        found = contents(distributions.wheel)
        metadata = next(text for name, text in found.items() if name.endswith("/METADATA")).decode()
        extras = re.findall(r"(?m)^Provides-Extra: (\S+)$", metadata)
        script = (ROOT / ".ci" / "install.py").read_text()
        assert f'_ALL = "{",".join(sorted(extras))}"' in script
        tox = ConfigParser(interpolation=None)
        tox.read(ROOT / "tox.ini")
        assert sorted(extras) == tox["testenv"]["extras"].split()
        assert "testserver" in extras
        assert set() == {"dev", "lint", "test"} & set(extras)

    def test_both_builds_make_the_same_wheel(self, distributions: Distributions) -> None:
        """The source distribution and the repository build the same wheel."""
        assert contents(distributions.wheel_of_tree) == contents(distributions.wheel)

    def test_the_source_distribution_holds_the_repository(self, unpacked: Path) -> None:
        """The source distribution has the license, the documents, the tests and their files."""
        made = {"PKG-INFO", "setup.cfg"}
        found = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
        found = {name for name in found if not name.startswith("beaker_mongo_soajs.egg-info/")}
        assert {name_of(path) for path in files("")} - CLONE_ONLY == found - made

    def test_tests_run_in_the_source_distribution(self, unpacked: Path) -> None:
        """The tests of the source distribution can be collected, and a sample of them passes."""
        # To rewrite the assertions of all tests would take longer than to collect them.
        pytest_there = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--assert=plain")
        run(*pytest_there, "-q", "-k", "test_changes.py or test_house.py", cwd=unpacked)


_DISTRIBUTIONS = """
import json
from importlib.metadata import distributions
print(json.dumps({each.name.lower(): each.version for each in distributions()}))
"""
_USE = """
import json, pkgutil, sys
from importlib import import_module

import beaker_mongo_soajs
from beaker.middleware import SessionMiddleware

modules = [each.name for each in pkgutil.walk_packages(beaker_mongo_soajs.__path__)]
for name in modules:
    # These modules need an extra.
    if name not in ("flask", "otel", "prometheus", "pyramid"):
        import_module(f"beaker_mongo_soajs.{name}")

def count(environ, start_response):
    session = environ["beaker.session"]
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b""]

def visit(**environ):
    answers = []
    environ.update(REQUEST_METHOD="GET", PATH_INFO="/")
    application(environ, lambda status, headers, exc_info=None: answers.extend(headers))
    return dict(answers)

application = SessionMiddleware(count, json.loads(sys.argv[1]))
cookie = visit()["Set-cookie"].split(";")[0]
visit(HTTP_COOKIE=cookie)
print(beaker_mongo_soajs.__file__)
"""


@pytest.fixture(scope="module")
def environment(
    distributions: Distributions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Make an empty environment, install the wheel, and return the folder of the environment."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    run(*pip, "install", "-q", "--no-input", "--no-compile", distributions.wheel, cwd=folder)
    yield folder
    shutil.rmtree(folder)


class TestEmptyEnvironment:
    """The wheel in an empty environment. pip needs the package index for this."""

    def _python(self, environment: Path, code: str, *arguments: str) -> str:
        return run(environment / "bin" / "python", "-I", "-c", code, *arguments, cwd=environment)

    def test_it_installs_beaker_and_pymongo_only(self, environment: Path) -> None:
        """The wheel installs Beaker and PyMongo, and only what PyMongo needs."""
        found = json.loads(self._python(environment, _DISTRIBUTIONS))
        assert {"beaker", "beaker_mongo_soajs", "dnspython", "pymongo"} == found.keys()

    def test_it_stores_sessions(self, environment: Path, options: Options, database: Db) -> None:
        """All modules can be imported there, and Beaker stores a session."""
        settings = {f"session.{name}": value for name, value in options.items()}
        settings |= {"session.type": "ext:mongodb_soajs", "session.timeout": 1800}
        said = self._python(environment, _USE, json.dumps(settings))
        assert Path(said.strip()).is_relative_to(environment)
        assert 2 == only_document(database)["session"]["visits"]

    def test_the_command_line_without_its_extra(self, environment: Path) -> None:
        """Without the extra ``cli``, the script prints what to install."""
        result = subprocess.run(
            [environment / "bin" / "beaker-mongo"], capture_output=True, text=True, check=False
        )
        needed = 'beaker-mongo needs click and rich: run pip install "beaker_mongo_soajs[cli]".\n'
        assert (2, needed) == (result.returncode, result.stderr)


class TestPages:
    """Pages of the documentation, followed to the letter with the wheel alone."""

    SUPERUSER: ClassVar[Mapping[str, str]] = {
        "DJANGO_SUPERUSER_USERNAME": "ann",
        "DJANGO_SUPERUSER_EMAIL": "ann@example.com",
        "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(12),
    }

    @pytest.fixture
    def port(self) -> str:
        """Return the number of a free port."""
        with listen(0) as listener:
            return str(listener.getsockname()[1])

    @pytest.fixture
    def words(self, options: Options) -> dict[str, str]:
        """Return the words of a page to replace: its server and its database."""
        return {"mongodb://127.0.0.1:27017": options["url"], "core_session": options["name"]}

    def test_quickstart(
        self,
        distributions: Distributions,
        tmp_path: Path,
        words: dict[str, str],
        port: str,
        database: Db,
    ) -> None:
        """The shell blocks of the quickstart print what the page shows."""
        newcomer = Newcomer(tmp_path, distributions.wheel, words | {"8080": port})
        sections = ["Install", "Write an application", "Run it"]
        newcomer.follow(ROOT / "docs" / "quickstart.md", sections, "python app.py")
        with newcomer.serve():
            wait_until(lambda: _answers(port), seconds=60)
            newcomer.finish()
        assert 2 == sum(command.startswith("curl ") for command in newcomer.typed)
        assert 2 == max(each["session"]["visits"] for each in live_documents(database))

    def test_the_readme_has_the_application_of_the_quickstart(self) -> None:
        """The README shows the application that the quickstart page explains."""
        blocks = [
            re.findall(r"(?ms)^```python\n(.*?)^```$", (ROOT / page).read_text())[0]
            for page in ("README.md", "docs/quickstart.md")
        ]
        assert blocks[0] == blocks[1]

    @pytest.mark.parametrize(
        ("page", "server", "theirs"),
        [("flask", "flask run", "5000"), ("pyramid", "PYTHONPATH=. pserve site.ini", "8080")],
    )
    def test_visits(
        self,
        distributions: Distributions,
        environment: Path,
        tmp_path: Path,
        words: dict[str, str],
        port: str,
        database: Db,
        page: str,
        server: str,
        theirs: str,
    ) -> None:
        """Visits are counted, in a document in MongoDB."""
        words |= {theirs: port}
        newcomer = Newcomer(tmp_path, distributions.wheel, words, environment)
        newcomer.follow(ROOT / "docs" / f"{page}.md", ["Quickstart"], server)
        browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

        def count_visit() -> int:
            with suppress(URLError), browser.open(f"http://127.0.0.1:{port}/") as answer:
                found: int = json.load(answer)["visits"]
                return found
            return 0

        with newcomer.serve(*(["--port", port] if page == "flask" else [])):
            wait_until(count_visit, seconds=60)
            assert 2 == count_visit()
        assert 2 == only_document(database)["session"]["visits"]

    def test_django(
        self,
        distributions: Distributions,
        environment: Path,
        tmp_path: Path,
        words: dict[str, str],
        port: str,
        database: Db,
    ) -> None:
        """Visits are counted, the user of the admin logs in, and a wrong option is named."""
        newcomer = Newcomer(tmp_path, distributions.wheel, words, environment, self.SUPERUSER)
        page = ROOT / "docs" / "django.md"
        newcomer.follow(page, ["Quickstart"], "python manage.py runserver", "--noinput")
        cookies = CookieJar()
        browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(cookies))

        def get(path: str, **form: str) -> str:
            data = urlencode(form).encode() if form else None
            with browser.open(f"http://127.0.0.1:{port}{path}", data) as answer:
                text: str = answer.read().decode()
            return text

        def is_ready() -> bool:
            with suppress(URLError):
                return bool(get("/admin/login/"))
            return False

        with newcomer.serve(f"127.0.0.1:{port}", "--noreload"):
            wait_until(is_ready, seconds=60)
            assert ['{"visits": 1}', '{"visits": 2}'] == [get("/"), get("/")]
            (token,) = (cookie.value for cookie in cookies if cookie.name == "csrftoken")
            answer = get(
                "/admin/login/?next=/admin/",
                csrfmiddlewaretoken=str(token),
                username=self.SUPERUSER["DJANGO_SUPERUSER_USERNAME"],
                password=self.SUPERUSER["DJANGO_SUPERUSER_PASSWORD"],
            )
        assert "Site administration" in answer
        (session,) = (document["session"] for document in live_documents(database))
        assert {"visits": 2, "_auth_user_id": "1"}.items() <= session.items()
        assert "no issues" in newcomer.type("python manage.py check")
        settings = newcomer.folder / "mysite" / "settings.py"
        settings.write_text(settings.read_text().replace('"name":', '"nmae":'))
        with pytest.raises(AssertionError, match=r"(?s)BEAKER_MONGO.*nmae.*Did you mean name"):
            newcomer.type("python manage.py check")


def _answers(port: str) -> bool:
    with suppress(URLError):
        build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/").close()
        return True
    return False
