"""The rules of CONTRIBUTING.md that a program can check."""

import ast
import dataclasses
import functools
import importlib
import os
import pkgutil
import re
from collections.abc import Container, Iterator
from pathlib import Path

import pytest
from pymongo.uri_parser import parse_uri

import beaker_mongo_soajs
from tests.conftest import RunPython
from tests.repository import ROOT, files, name_of

PACKAGE = ROOT / "beaker_mongo_soajs"

# From the lowest layer up. A module may import, directly or through others, only modules of its own
# layer and of the layers before it.
ORDER = (
    *("exceptions", "signature", "options", "config", "mongo", "sessions", "caches", "backend"),
    *("namespace", "cookies", "session_cookie", "session_lock", "session", "middleware", "pyramid"),
)
WITHOUT_BEAKER = {"options", "config", "mongo", "sessions", "caches"}
"""The folders that must not import Beaker."""
WITH_COMMANDS = {"mongo", "sessions", "caches"}
"""The folders that may send commands, by methods of PyMongo's collections."""
COMMANDS = re.compile(
    r"(aggregate|bulk_write|command|count_documents|(create|drop|list)_index(es)?|delete_(one|many)"
    r"|distinct|drop|estimated_document_count|find_one(_and_\w+)?|find_raw_batches"
    r"|insert_(one|many)|replace_one|start_session|update_(one|many)|watch)"
)
LONGEST_MODULE_LINES = 400
# Composed here, so that this file does not contain the forbidden paths.
MACHINE_PATHS = tuple(f"/{name}/" for name in ("work", "tmp/dev", "root", ".pyenv"))
EXECUTED = "<!-- executed by the tests -->"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


class TestRecords:
    """Dataclasses and named tuples, whose generated repr shows all their fields."""

    # Parts of the configuration, with masked secrets, and types without sensitive data.
    SHOWN = frozenset(
        {"DbConfig", "Endpoint", "Keyword", "Kind", "LeaveOut", "NoEffect", "Option"}
        | {"Outcome", "Refused", "Setting", "StoreOptions", "Stores", "Bound"}
    )

    def test_only_these_show_what_they_hold(self) -> None:
        """No generated repr can show session ids, session data or credentials."""
        shown = set()
        for info in pkgutil.walk_packages(beaker_mongo_soajs.__path__, "beaker_mongo_soajs."):
            for item in vars(importlib.import_module(info.name)).values():
                if isinstance(item, type) and item.__module__ == info.name and self._shows(item):
                    shown.add(item.__name__)
        assert self.SHOWN == shown

    @staticmethod
    def _shows(kind: type) -> bool:
        # dataclass() wraps the repr that it makes; a named tuple's repr comes from collections.
        written = kind.__repr__
        if dataclasses.is_dataclass(kind):
            return "__repr__" in vars(kind) and hasattr(written, "__wrapped__")
        return issubclass(kind, tuple) and "collections" == written.__module__


class TestDocuments:
    """The Markdown files."""

    def _code(self, language: str) -> Iterator[tuple[str, str, bool]]:
        fence = re.compile(rf"(?m)^({EXECUTED}\n+)?```{language}\n((?:.*\n)*?)```$")
        for path in files(".md"):
            text = path.read_text()
            for match in fence.finditer(text):
                place = f"{name_of(path)}:{_line(text, match.start(2))}"
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
                    broken.append(f"{name_of(path)}:{_line(text, match.start())}: {target}")
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


class TestModules:
    """The imports between modules, and their length."""

    @functools.cached_property
    def imports(self) -> dict[str, set[str]]:
        """The direct imports of each module; "" is the package itself."""
        files = {self._module(path): path for path in PACKAGE.rglob("*.py")}
        return {
            module: set(self._imported(ast.parse(path.read_text()), files)) - {module}
            for module, path in files.items()
        }

    def _module(self, path: Path) -> str:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        return ".".join(part for part in parts if part != "__init__")

    def _imported(self, tree: ast.Module, modules: Container[str]) -> Iterator[str]:
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                names = [f"{module}.{alias.name}" for alias in node.names]
            for name in names:
                assert not name.startswith("."), f"{ast.unparse(node)}: write the whole name"
                package, _, inner = name.partition(".")
                if package == PACKAGE.name:
                    # The imported name may be a module, or a name in a module.
                    yield inner if inner in modules else inner.rpartition(".")[0]

    def _reach(self, *modules: str) -> set[str]:
        reached: set[str] = set()
        ahead = set(modules)
        while ahead:
            ahead = set().union(*(self.imports[module] for module in ahead)) - reached
            reached |= ahead
        return reached

    def _within(self, top: str) -> list[str]:
        return [module for module in self.imports if module.split(".")[0] == top]

    def test_there_are_no_circular_imports(self) -> None:
        """There are no circular imports, not even inside functions."""
        circles = [module for module in self.imports if module in self._reach(module)]
        assert [] == circles

    @pytest.mark.parametrize("top", ORDER)
    def test_imports_point_downward(self, top: str) -> None:
        """No module imports a module of a higher layer."""
        modules = self._within(top)
        assert modules, f"there is no {top}"
        reached = {module.split(".")[0] for module in self._reach(*modules)}
        assert set() == reached.intersection(ORDER[ORDER.index(top) + 1 :])

    @staticmethod
    def _sources(*tops: str) -> Iterator[tuple[str, ast.Module]]:
        for path in PACKAGE.rglob("*.py"):
            if path.relative_to(PACKAGE).with_suffix("").parts[0] in tops:
                yield name_of(path), ast.parse(path.read_text())

    def test_lower_layers_do_not_import_beaker(self) -> None:
        """The lower layers do not import Beaker."""
        found = {
            name
            for name, tree in self._sources(*WITHOUT_BEAKER)
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            and re.search(r"(^|from |import )beaker(\.| |$)", ast.unparse(node))
        }
        assert set() == found

    def test_only_lower_layers_send_commands(self) -> None:
        """Only three folders send commands to a server."""
        above = set(ORDER) - WITH_COMMANDS
        found = {
            f"{name}: {node.attr}"
            for name, tree in self._sources(*above)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and COMMANDS.fullmatch(node.attr)
        }
        assert set() == found

    def test_modules_import_modules(self) -> None:
        """No module imports the package itself, which imports all modules."""
        assert [] == [module for module in self.imports if "" in self.imports[module]]

    def test_testing_stands_alone(self) -> None:
        """``testing`` imports nothing else of the package, and no other module imports it."""
        testing = set(self._within("testing"))
        assert testing
        assert self._reach(*testing) <= testing
        for module in self.imports.keys() - testing:
            assert testing.isdisjoint(self.imports[module]), f"{module} imports testing"

    def test_modules_are_short(self) -> None:
        """No module outside tests/ is longer than 400 lines."""
        modules = [path for path in files(".py") if not name_of(path).startswith("tests/")]
        lengths = {name_of(path): path.read_text().count("\n") for path in modules}
        assert {} == {name: n for name, n in lengths.items() if n > LONGEST_MODULE_LINES}


class TestRepository:
    """The files of the repository."""

    def test_no_path_of_a_machine(self) -> None:
        """No file contains a path of a developer's machine."""
        for path in files(""):
            text = path.read_text(errors="replace")
            for folder in MACHINE_PATHS:
                position = text.find(folder)
                assert position < 0, f"{name_of(path)}:{_line(text, position)} names {folder}"

    def test_commands_of_the_makefile_are_scripts_that_run(self) -> None:
        """The scripts that the Makefile runs are executable."""
        for name in (".ci/run", ".ci/python"):
            assert os.access(ROOT / name, os.X_OK), f"{name} is not executable"
