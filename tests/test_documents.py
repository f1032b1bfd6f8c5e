"""The Markdown files: their links, the code in them, and what they name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pymongo.uri_parser import parse_uri

import beaker_mongo_soajs
from tests.conftest import RunPython
from tests.repository import ROOT, files, name_of
from tests.test_house import ORDER, PACKAGE, line_of

EXECUTED = "<!-- executed by the tests -->"


class TestDocuments:
    """The Markdown files."""

    def _code(self, language: str) -> Iterator[tuple[str, str, bool]]:
        fence = re.compile(rf"(?m)^({EXECUTED}\n+)?```{language}\n((?:.*\n)*?)```$")
        for path in files(".md"):
            text = path.read_text()
            for match in fence.finditer(text):
                place = f"{name_of(path)}:{line_of(text, match.start(2))}"
                yield place, match[2], match[1] is not None

    def test_python_code_compiles(self) -> None:
        """Each block of Python code compiles."""
        for place, code, _ in self._code("python"):
            compile(code, place, "exec")

    def test_marked_python_code_runs(
        self, run_python: RunPython, mongo_url: str, database_name: str
    ) -> None:
        """Each marked block runs by itself, with a new database on the tests' server."""
        host, port = parse_uri(mongo_url)["nodelist"][0]
        for place, code, executed in self._code("python"):
            if executed:
                for theirs, ours in (
                    ("127.0.0.1", host),
                    ("27017", str(port)),
                    ("core_session", database_name),
                ):
                    code = code.replace(theirs, ours)
                answer = run_python(code, check=False)
                assert 0 == answer.returncode, f"{place} fails:\n{answer.stderr}"

    def test_documents_import_only_what_is_public(self) -> None:
        """Code in the documents imports names from no internal module of the package."""
        public = {PACKAGE.name, f"{PACKAGE.name}.pyramid", f"{PACKAGE.name}.testing"}
        for place, code, _ in self._code("python"):
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGE.name):
                    assert node.module in public, f"{place} imports from {node.module}"
                    names = {alias.name for alias in node.names}
                    if node.module == PACKAGE.name:
                        assert names <= set(beaker_mongo_soajs.__all__), place

    def test_the_readme_has_executed_code(self) -> None:
        """The README has Python code that the tests run."""
        places = [place for place, _, executed in self._code("python") if executed]
        assert any(place.startswith("README.md:") for place in places)

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
