"""The Markdown files: their links, their code, what they name, and the site that they make."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html import unescape
from itertools import chain
from pathlib import Path

import pytest
from pymongo.uri_parser import parse_uri

import beaker_mongo_soajs
from beaker_mongo_soajs.backend.session_settings import CHECK_AT_START
from beaker_mongo_soajs.config.beaker_options import BEAKER_OPTIONS
from beaker_mongo_soajs.exceptions import BeakerMongoError
from beaker_mongo_soajs.options.table import ROWS
from tests.conftest import IMPORTS, RunPython
from tests.repository import ROOT, files, name_of
from tests.test_house import ORDER, PACKAGE, line_of

PYTHON = re.compile(r"(?m)^```python\n((?:.*\n)*?)```$")
SAVED = re.compile(r"(?m)this as `([\w.]+)`.*:\n\n```(?:python|ini)\n((?:.*\n)*?)```$")
"""A block that the reader saves as a file: "Save this as `app.py`:"."""
PAGES = [
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if PYTHON.search(path.read_text())
]
"""The pages that have Python code."""
RUN_BLOCKS = """
import json, os, pathlib, pytest, sys
os.chdir(os.environ["FOLDER"])
for name, code in json.loads(os.environ["FILES"]).items():
    pathlib.Path(name).write_text(code)
names = {"__name__": "page"}
for number, (place, code) in enumerate(json.loads(os.environ["BLOCKS"])):
    if "def test_" in code:
        path = pathlib.Path(f"test_{number}.py")
        path.write_text(code)
        status = pytest.main(["-q", "-p", "no:cacheprovider", str(path)])
        assert status == 0, f"the tests at {place} fail"
    else:
        exec(compile(code, place, "exec"), names)
"""


def _replace(text: str, words: Mapping[str, str]) -> str:
    for theirs, ours in words.items():
        text = text.replace(theirs, ours)
    return text


class TestDocuments:
    """The Markdown files."""

    def _code(self, page: str) -> Iterator[tuple[str, str]]:
        text = (ROOT / page).read_text()
        for match in PYTHON.finditer(text):
            yield f"{page}:{line_of(text, match.start(1))}", match[1]

    @pytest.mark.parametrize("page", PAGES)
    def test_python_code_runs(
        self, page: str, run_python: RunPython, mongo_url: str, database_name: str, tmp_path: Path
    ) -> None:
        """The code of a page runs from top to bottom, with a new database on the tests' server.

        Blocks with tests are run by pytest. They can import the files that the page saves.
        """
        host, port = parse_uri(mongo_url)["nodelist"][0]
        words = {"127.0.0.1": host, "27017": str(port), "core_session": database_name}
        blocks = [(place, _replace(code, words)) for place, code in self._code(page)]
        found = SAVED.findall((ROOT / page).read_text())
        given = {
            "BLOCKS": json.dumps(blocks),
            "FILES": json.dumps({name: _replace(code, words) for name, code in found}),
            "FOLDER": str(tmp_path),
        }
        answer = run_python(RUN_BLOCKS, given, check=False)
        assert 0 == answer.returncode, answer.stdout + answer.stderr

    def test_documents_import_only_what_is_public(self) -> None:
        """Code in the documents imports names from no internal module of the package."""
        modules = "django flask health metrics otel prometheus pyramid testing".split()
        public = {PACKAGE.name, *(f"{PACKAGE.name}.{module}" for module in modules)}
        for place, code in chain.from_iterable(map(self._code, PAGES)):
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGE.name):
                    assert node.module in public, f"{place} imports from {node.module}"
                    names = {alias.name for alias in node.names}
                    if node.module == PACKAGE.name:
                        assert names <= set(beaker_mongo_soajs.__all__), place

    def test_links_have_targets(self) -> None:
        """Each link to a file of the repository, or to a heading in one, has a target."""
        fence = re.compile(r"(?ms)^```.*?^```$")
        link = re.compile(r"(?<!!)\[[^]\n]+]\(([^)\s]+)\)|!\[[^]\n]*]\(([^)\s]+)\)")
        broken = []
        for path in files(".md"):
            # Remove code blocks, but keep the line numbers.
            text = fence.sub(lambda match: "\n" * match[0].count("\n"), path.read_text())
            for match in link.finditer(text):
                target = match[1] or match[2]
                if not re.match(r"[a-z]+:", target) and not self._exists(path, target):
                    broken.append(f"{name_of(path)}:{line_of(text, match.start())}: {target}")
        assert [] == broken

    def test_the_architecture_page_is_complete(self) -> None:
        """The page names all layers, and only modules and folders that exist."""
        text = (ROOT / "docs" / "architecture.md").read_text()
        named = set(re.findall(r"`((?:\w+/)*\w+(?:/|\.py))`", text))
        layers = {f"{top}{'/' if (PACKAGE / top).is_dir() else '.py'}" for top in ORDER}
        assert set() == layers - named
        assert set() == {
            name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()
        }

    def test_named_tests_exist(self) -> None:
        """Each test that the security page names is in a file of the tests."""
        tests = {name_of(path): path.read_text() for path in files(".py")}
        code = "\n".join([*tests, *tests.values()])
        text = (ROOT / "docs" / "security.md").read_text()
        named = set(re.findall(r"`(Test\w+|[\w/]*test_\w+(?:\.py)?)`", text))
        assert named
        assert set() == {name for name in named if not re.search(rf"\b{name}\b", code)}

    def test_requirements_have_tests(self) -> None:
        """Each security requirement that the package or a setting meets names a test of it."""
        text = (ROOT / "docs" / "security.md").read_text()
        rows = re.findall(r"^\| (\d+\.\d[^|]*) \|[^|]*\|([^|]*)\|([^|]*)\|$", text, re.MULTILINE)
        assert len(rows) > 50
        wrong = []
        for requirement, met_by, tests in rows:
            named = re.findall(r"`([\w/]+\.py)::(\w+)`", tests)
            is_met = re.search(r"\b(package|setting)\b", met_by)
            wrong += [requirement] if is_met and not named else []
            for path, name in named:
                file = ROOT / "tests" / path
                pattern = rf"^ *(class|def) {name}\b"
                if not file.exists() or not re.search(pattern, file.read_text(), re.MULTILINE):
                    wrong.append(f"{requirement}: {path}::{name}")
        assert [] == wrong

    def _exists(self, origin: Path, target: str) -> bool:
        name, _, anchor = target.partition("#")
        path = origin.parent / name if name else origin
        if not path.exists() or not path.resolve().is_relative_to(ROOT):
            return False
        return not anchor or anchor in self._anchors(path.read_text())

    def _anchors(self, text: str) -> set[str]:
        # As on GitHub: lower case, spaces become hyphens, other punctuation is dropped.
        headings: list[str] = re.findall(r"(?m)^#+ +(.*?) *$", text)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


class TestSite:
    """The documentation site."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Build the site as ``make docs`` does, and return its folder."""
        folder = tmp_path_factory.mktemp("site")
        process = subprocess.run(
            [
                *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"),
                *("-d", folder / "doctrees", ROOT / "docs", folder / "html"),
            ],
            env={**os.environ, **IMPORTS},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert 0 == process.returncode, process.stdout
        return folder / "html"

    @pytest.mark.slow
    def test_every_page_is_in_the_navigation(self, site: Path) -> None:
        """The site builds without a warning, and its front page links to all other pages."""
        front = (site / "index.html").read_text()
        pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
        assert set() == {page for page in pages if f'href="{page}.html"' not in front}

    def test_the_api_page_is_complete(self, site: Path) -> None:
        """The API page describes each public name."""
        page = (site / "api.html").read_text()
        names = {f"beaker_mongo_soajs.{name}" for name in beaker_mongo_soajs.__all__}
        assert set() == {name for name in names if f'id="{name}"' not in page}

    def test_the_options_page_is_complete(self, site: Path) -> None:
        """The options page has a row for each option of a dbConfig and of Beaker, and no others."""
        page = (site / "options.html").read_text()
        cells = re.findall(r"<tr class=\"row-\w+\"><td><p>(.*?)</p></td>", page)
        found = {re.sub(r"<.*?>", "", cell) for cell in cells}
        own = {CHECK_AT_START, "environ_key"}
        assert {row.name for row in ROWS} | BEAKER_OPTIONS | own == found

    def test_messages_are_listed(self, site: Path) -> None:
        """The troubleshooting page lists the text of every error, a refused value and a warning."""
        tags = re.compile(r"<[^>]+>")
        html = (site / "troubleshooting.html").read_text()
        page = " ".join(unescape(tags.sub("", html)).split())
        missing = [text for text in _error_texts() if " ".join(text.split()) not in page]
        assert [] == missing
        for message in ("a list that names each field once", "A lock was not released."):
            assert message in page


def _error_texts() -> Iterator[str]:
    """Yield the fixed parts of the first arguments of errors in the source of the package."""
    errors = {each.__name__ for each in _subclasses(BeakerMongoError)}
    for path in files(".py"):
        if not path.is_relative_to(PACKAGE) or "testing" in path.parts:
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in errors and call.args:
                for part in ast.walk(call.args[0]):
                    text = part.value if isinstance(part, ast.Constant) else None
                    if isinstance(text, str) and text.count(" ") > 2:
                        yield text.strip()


def _subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
