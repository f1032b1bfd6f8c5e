"""The rules of CONTRIBUTING.md that a program can check."""

import ast
import dataclasses
import importlib
import os
import pkgutil
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import beaker_mongo_soajs
from tests.repository import ROOT, files, name_of

PACKAGE = ROOT / "beaker_mongo_soajs"

# From the lowest layer up. A module may import, directly or through others, only modules of its own
# layer and of the layers before it.
ORDER = (
    *("exceptions", "handles", "log_records", "metrics", "signature", "options", "config"),
    *("mongo", "sources", "sessions", "caches", "backend"),
    *("namespace", "cookies", "express_cookie", "session_cookie", "session_lock", "session"),
    *("middleware", "health", "otel", "prometheus", "cli", "__main__", "pyramid", "django"),
    "flask",
)
WITHOUT_BEAKER = {"options", "config", "mongo", "sources", "sessions", "caches", "django"}
"""The folders that must not import Beaker."""
WITH_COMMANDS = {"mongo", "sources", "sessions", "caches"}
"""The folders that may send commands, by methods of PyMongo's collections."""
COMMANDS = re.compile(
    r"(aggregate|bulk_write|command|count_documents|(create|drop|list)_index(es)?|delete_(one|many)"
    r"|distinct|drop|estimated_document_count|find_one(_and_\w+)?|find_raw_batches"
    r"|insert_(one|many)|replace_one|start_session|update_(one|many)|watch)"
)
LONGEST_MODULE_LINES = 400
# Composed here, so that this file does not contain the forbidden paths.
MACHINE_PATHS = tuple(f"/{name}/" for name in ("work", "tmp/dev", "root", ".pyenv"))


def line_of(text: str, position: int) -> int:
    """Return the number of the line at a position of a text."""
    return text.count("\n", 0, position) + 1


class TestRecords:
    """Dataclasses and named tuples, whose generated repr shows all their fields."""

    # Parts of the configuration, with masked secrets, and types without sensitive data.
    SHOWN = frozenset(
        {"DbConfig", "Endpoint", "Event", "Keyword", "Kind", "LeaveOut", "NoEffect", "Option"}
        | {"Outcome", "Refused", "Setting", "StoreOptions", "Stores", "Bound", "Finding"}
        | {"NodeCrypto", "ExportResult"}
    )
    # What grows while many sessions are moved, and what one thread knows of a cache entry.
    CHANGING = frozenset({"ImportResult", "Migration", "ReadState"})

    def test_only_these_show_what_they_hold(self) -> None:
        """No generated repr can show session ids, session data or credentials."""
        assert self.SHOWN == {each.__name__ for each in self._classes() if self._shows(each)}

    def test_only_these_can_be_changed(self) -> None:
        """The objects of all other dataclasses cannot be changed."""
        params: dict[str, Any] = {
            each.__name__: vars(each)["__dataclass_params__"]
            for each in self._classes()
            if dataclasses.is_dataclass(each)
        }
        assert self.CHANGING == {name for name, found in params.items() if not found.frozen}

    @staticmethod
    def _classes() -> Iterator[type]:
        for info in pkgutil.walk_packages(beaker_mongo_soajs.__path__, "beaker_mongo_soajs."):
            for item in vars(importlib.import_module(info.name)).values():
                if isinstance(item, type) and item.__module__ == info.name:
                    yield item

    @staticmethod
    def _shows(kind: type) -> bool:
        # dataclass() wraps the repr that it makes; a named tuple's repr comes from collections.
        written = kind.__repr__
        if dataclasses.is_dataclass(kind):
            return "__repr__" in vars(kind) and hasattr(written, "__wrapped__")
        return issubclass(kind, tuple) and "collections" == written.__module__


class TestModules:
    """The imports between modules, and their length."""

    _imports: ClassVar[dict[str, set[str]]] = {}

    @property
    def imports(self) -> dict[str, set[str]]:
        """The direct imports of each module; "" is the package itself."""
        if not self._imports:
            files = {self._module(path): path for path in PACKAGE.rglob("*.py")}
            for module, path in files.items():
                names = set(self._imported(ast.parse(path.read_text()), files))
                self._imports[module] = names - {module}
        return self._imports

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
        """Only a few folders send commands to a server."""
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
                assert position < 0, f"{name_of(path)}:{line_of(text, position)} names {folder}"

    def test_commands_of_the_makefile_are_scripts_that_run(self) -> None:
        """The scripts that the Makefile runs are executable."""
        for name in (".ci/run", ".ci/python"):
            assert os.access(ROOT / name, os.X_OK), f"{name} is not executable"
