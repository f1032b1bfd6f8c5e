"""Name the places of a module in a way that survives changes elsewhere in it."""

import ast
from collections.abc import Callable


def place_at(source: str) -> Callable[[int], str | None]:
    """Return a function that names the place of a line: its function, and its statement.

    A line outside of all functions runs when the module is imported; its name is ``None``.

    :param source: the source of the module.
    """
    lines = source.splitlines()
    names: dict[int, str] = {}

    def visit(node: ast.AST, outer: str, *, runs: bool = False) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                is_function = not isinstance(child, ast.ClassDef)
                inner = ast.Module(child.body, [])
                visit(inner, f"{outer}.{child.name}", runs=is_function)
                continue
            if runs and isinstance(child, ast.stmt | ast.ExceptHandler):
                body: list[ast.stmt] = getattr(child, "body", [])
                last = body[0].lineno - 1 if body else child.end_lineno or child.lineno
                name = f"{outer}: {lines[child.lineno - 1].strip()}"
                names.update(dict.fromkeys(range(child.lineno, max(last, child.lineno) + 1), name))
            visit(child, outer, runs=runs)

    visit(ast.parse(source), "")
    return names.get
