"""Copies of a module that differ from it in one place.

The operators are those of cosmic-ray, and one more that removes statements. A place with several
replacements, such as ``+``, counts once: one of them is drawn.
"""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import OPERATOR_PROVIDERS

# They take arguments, which would have to be chosen for each module.
_LEFT_OUT = frozenset({"VariableReplacer", "VariableInserter"})
# They change nothing: the package compares types, None and members of enumerations by identity.
_WITHOUT_EFFECT = ("_Is_Eq", "_IsNot_NotEq")
_FLAGS = frozenset({"frozen", "repr", "slots"})
_REMOVABLE = (ast.Expr, ast.AugAssign, ast.Delete, ast.Raise)


@dataclass(frozen=True)
class Mutant:
    """One mutation of a module.

    :param line: the number of the line.
    :param before: the line as it is, without indentation.
    :param after: the line as it becomes; empty if it is removed.
    :param source: the source of the whole module.
    """

    line: int
    before: str
    after: str
    source: str = field(repr=False)

    def __str__(self) -> str:
        """Return the line, before and after."""
        return f"{self.line}: {self.before}  ->  {self.after or 'removed'}"


def draw_mutants(source: str, most: int | None, seed: str) -> list[Mutant]:
    """Return mutants of a module in the order of their lines.

    :param source: the source of the module.
    :param most: how many to draw at most; ``None`` for all.
    :param seed: the same seed draws the same mutants of the same source.
    """
    chance = random.Random(seed)
    places: dict[tuple[str, tuple[int, int]], list[tuple[str, int]]] = {}
    for name, index, position in _occurrences(source):
        places.setdefault((name.split("_")[0], position), []).append((name, index))
    drawn = [chance.choice(choices) for _, choices in sorted(places.items())]
    drawn += [("remove", index) for index in range(len(_removable(source)))]
    chance.shuffle(drawn)
    unchanged = _meaning(source)
    found: dict[str, Mutant] = {}
    for name, index in drawn:
        if most is not None and len(found) == most:
            break
        changed = _mutate(source, name, index)
        if changed is not None and _meaning(changed) not in (None, unchanged):
            found.setdefault(changed, _describe(source, changed))
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _occurrences(source: str) -> Iterator[tuple[str, int, tuple[int, int]]]:
    provider = OPERATOR_PROVIDERS["core"]
    nodes = list(ast_nodes(get_ast(source)))
    for name in provider:
        if name in _LEFT_OUT or name.endswith(_WITHOUT_EFFECT):
            continue
        operator = provider[name]()
        positions = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for index, position in enumerate(positions):
            yield name, index, position


def _mutate(source: str, name: str, index: int) -> str | None:
    if name == "remove":
        return _remove(source, _removable(source)[index])
    try:
        changed: str | None = mutate_code(source, OPERATOR_PROVIDERS["core"][name](), index)
    except AttributeError:
        # The operator for exceptions fails for one of another module: "except queue.Empty".
        return None
    return changed


def _removable(source: str) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = (each for each in ast.walk(function) if each is not function)
            found += [each for each in inner if isinstance(each, ast.stmt) and _acts(each)]
    return list({(each.lineno, each.col_offset): each for each in found}.values())


def _acts(statement: ast.stmt) -> bool:
    """Return whether a statement has an effect beyond the variables of its function."""
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        return not any(isinstance(target, ast.Name) for target in statement.targets)
    return isinstance(statement, _REMOVABLE)


def _remove(source: str, statement: ast.stmt) -> str:
    lines = source.splitlines(keepends=True)
    first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
    lines[first:last] = [" " * statement.col_offset + "pass\n"]
    return "".join(lines)


def _meaning(source: str) -> str | None:
    """Return a form in which annotations and the ``*`` of a signature do not count.

    Nor do flags of dataclasses: tests/test_house.py checks which are frozen and have a repr.

    ``None`` if it is invalid.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.arguments):
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.defaults += [default for default in node.kw_defaults if default is not None]
            node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dataclass":
            node.keywords = [each for each in node.keywords if each.arg not in _FLAGS]
    return ast.dump(tree)


def _describe(source: str, changed: str) -> Mutant:
    pairs = list(zip(source.splitlines(), changed.splitlines(), strict=False))
    line = next((number for number, (old, new) in enumerate(pairs) if old != new), len(pairs) - 1)
    before, after = pairs[line]
    return Mutant(line + 1, before.strip(), after.strip().removesuffix("pass"), changed)
