"""The rules of the house: documents that are true, modules in order, no machine in them."""

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

# From the ground up. A module may import, directly or through others, only modules of its own name
# and of the names before it.
ORDER = (
    *("exceptions", "signature", "options", "config", "mongo", "sessions", "caches", "backend"),
    *("namespace", "cookies", "session_lock", "session", "middleware", "pyramid"),
)
WITHOUT_BEAKER = {"options", "config", "mongo", "sessions", "caches"}
"""The folders that know nothing of Beaker."""
WITH_COMMANDS = {"mongo", "sessions", "caches"}
"""The folders that may send commands, and so may call methods of PyMongo's collections."""
COMMANDS = re.compile(
    r"(aggregate|bulk_write|command|count_documents|(create|drop|list)_index(es)?|delete_(one|many)"
    r"|distinct|drop|estimated_document_count|find_one(_and_\w+)?|find_raw_batches"
    r"|insert_(one|many)|replace_one|start_session|update_(one|many)|watch)"
)
LONGEST_MODULE_LINES = 400
# Put together here, so that this file does not hold what it forbids.
MACHINE_PATHS = tuple(f"/{name}/" for name in ("work", "tmp/dev", "root", ".pyenv"))
EXECUTED = "<!-- executed by the tests -->"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


class TestRecords:
    """Dataclasses and named tuples, whose own repr shows all that they hold."""

    # Of the configuration, with its secrets masked, and of things that have nothing to hide.
    SHOWN = frozenset(
        {"Cipher", "DbConfig", "Endpoint", "Keyword", "Kind", "LeaveOut", "NoEffect", "Option"}
        | {"Outcome", "Refused", "Setting", "StoreOptions", "Stores", "_Bound"}
    )

    def test_only_these_show_what_they_hold(self) -> None:
        """Session ids, data and credentials stay out of the reports of errors with variables."""
        shown = set()
        for info in pkgutil.walk_packages(beaker_mongo_soajs.__path__, "beaker_mongo_soajs."):
            for item in vars(importlib.import_module(info.name)).values():
                if isinstance(item, type) and item.__module__ == info.name and self._shows(item):
                    shown.add(item.__name__)
        assert self.SHOWN == shown

    @staticmethod
    def _shows(kind: type) -> bool:
        # dataclass() wraps what it makes; a named tuple's comes from collections.
        written = kind.__repr__
        if dataclasses.is_dataclass(kind):
            return "__repr__" in vars(kind) and hasattr(written, "__wrapped__")
        return issubclass(kind, tuple) and "collections" == written.__module__


class TestDocuments:
    """What stands in the Markdown files."""

    def _code(self, language: str) -> Iterator[tuple[str, str, bool]]:
        fence = re.compile(rf"(?m)^({EXECUTED}\n+)?```{language}\n((?:.*\n)*?)```$")
        for path in files(".md"):
            text = path.read_text()
            for match in fence.finditer(text):
                place = f"{name_of(path)}:{_line(text, match.start(2))}"
                yield place, match[2], match[1] is not None

    def test_python_code_compiles(self) -> None:
        """Each block of Python code is Python."""
        for place, code, _ in self._code("python"):
            compile(code, place, "exec")

    def test_marked_python_code_runs(
        self, run_python: RunPython, mongo_url: str, database_name: str
    ) -> None:
        """Each block that says so runs by itself, on a fresh database of the tests' server."""
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

    def test_the_readme_holds_code_that_runs(self) -> None:
        """What a newcomer sees first is code that the test above has run."""
        places = [place for place, _, executed in self._code("python") if executed]
        assert any(place.startswith("README.md:") for place in places)

    def test_links_lead_somewhere(self) -> None:
        """Each link to a file of the repository, or to a heading in one, has a target."""
        fence = re.compile(r"(?ms)^```.*?^```$")
        link = re.compile(r"(?<!!)\[[^]\n]+]\(([^)\s]+)\)|!\[[^]\n]*]\(([^)\s]+)\)")
        broken = []
        for path in files(".md"):
            # Code is no prose, but its lines count.
            text = fence.sub(lambda match: "\n" * match[0].count("\n"), path.read_text())
            for match in link.finditer(text):
                target = match[1] or match[2]
                if not re.match(r"[a-z]+:", target) and not self._exists(path, target):
                    broken.append(f"{name_of(path)}:{_line(text, match.start())}: {target}")
        assert [] == broken

    def _exists(self, origin: Path, target: str) -> bool:
        name, _, anchor = target.partition("#")
        path = origin.parent / name if name else origin
        if not path.exists() or not path.resolve().is_relative_to(ROOT):
            return False
        return not anchor or anchor in self._anchors(path.read_text())

    def _anchors(self, text: str) -> set[str]:
        # As GitHub makes them: lower case, spaces to hyphens, other punctuation left out.
        headings: list[str] = re.findall(r"(?m)^#+ +(.*?) *$", text)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


class TestModules:
    """How the modules stand to each other."""

    @functools.cached_property
    def imports(self) -> dict[str, set[str]]:
        """The modules that each module imports itself; "" is the package as a whole."""
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
                    # What is imported may be a name in a module.
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

    def test_no_module_imports_itself_by_a_detour(self) -> None:
        """The imports form no circle, not even inside functions."""
        circles = [module for module in self.imports if module in self._reach(module)]
        assert [] == circles

    @pytest.mark.parametrize("top", ORDER)
    def test_imports_point_downward(self, top: str) -> None:
        """No module needs one that stands above it."""
        modules = self._within(top)
        assert modules, f"there is no {top}"
        reached = {module.split(".")[0] for module in self._reach(*modules)}
        assert set() == reached.intersection(ORDER[ORDER.index(top) + 1 :])

    @staticmethod
    def _sources(*tops: str) -> Iterator[tuple[str, ast.Module]]:
        for path in PACKAGE.rglob("*.py"):
            if path.relative_to(PACKAGE).with_suffix("").parts[0] in tops:
                yield name_of(path), ast.parse(path.read_text())

    def test_lower_layers_do_not_know_beaker(self) -> None:
        """Documents, cache entries, servers and options are understood without Beaker."""
        found = {
            name
            for name, tree in self._sources(*WITHOUT_BEAKER)
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            and re.search(r"(^|from |import )beaker(\.| |$)", ast.unparse(node))
        }
        assert set() == found

    def test_only_lower_layers_send_commands(self) -> None:
        """Whoever looks for a command to the server has three folders to look in."""
        above = set(ORDER) - WITH_COMMANDS
        found = {
            f"{name}: {node.attr}"
            for name, tree in self._sources(*above)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and COMMANDS.fullmatch(node.attr)
        }
        assert set() == found

    def test_modules_import_modules(self) -> None:
        """Within the package nothing is imported from the package as a whole, which imports all."""
        assert [] == [module for module in self.imports if "" in self.imports[module]]

    def test_testing_stands_alone(self) -> None:
        """Throw-away servers need nothing of the package, and nothing needs them."""
        testing = set(self._within("testing"))
        assert testing
        assert self._reach(*testing) <= testing
        for module in self.imports.keys() - testing:
            assert testing.isdisjoint(self.imports[module]), f"{module} imports testing"

    def test_modules_are_short(self) -> None:
        """No module but those of the tests is longer than one noun needs."""
        modules = [path for path in files(".py") if not name_of(path).startswith("tests/")]
        lengths = {name_of(path): path.read_text().count("\n") for path in modules}
        assert {} == {name: n for name, n in lengths.items() if n > LONGEST_MODULE_LINES}


class TestRepository:
    """What is in the repository, and what leaves it."""

    def test_no_path_of_a_machine_is_in_it(self) -> None:
        """No file names a folder of the machine that it was written on."""
        for path in files(""):
            text = path.read_text(errors="replace")
            for folder in MACHINE_PATHS:
                position = text.find(folder)
                assert position < 0, f"{name_of(path)}:{_line(text, position)} names {folder}"

    def test_commands_of_the_makefile_are_scripts_that_run(self) -> None:
        """What the commands start with may be executed."""
        for name in (".ci/run", ".ci/python"):
            assert os.access(ROOT / name, os.X_OK), f"{name} is not executable"
