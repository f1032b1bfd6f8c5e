"""Name the places of a module in a way that survives changes elsewhere in it."""

import ast
from collections.abc import Callable


def place_at(source: str) -> Callable[[int], str | None]:
    """Return a function that names the place of a line: its function, and its statement.

    The decorators and the signature of a function belong to its first statement. A line outside of
    all functions runs when the module is imported; its name is ``None``.

    :param source: the source of the module.
    """
    lines = source.splitlines()
    names: dict[int, str] = {}

    def visit(node: ast.AST, outer: str, *, runs: bool = False) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{outer}.{child.name}"
                body = child.body[1:] if ast.get_docstring(child, clean=False) else child.body
                if body and not isinstance(child, ast.ClassDef):
                    first = min(each.lineno for each in (child, *child.decorator_list))
                    name = f"{inner}: {lines[body[0].lineno - 1].strip()}"
                    names.update(dict.fromkeys(range(first, child.body[0].lineno), name))
                visit(ast.Module(child.body, []), inner, runs=not isinstance(child, ast.ClassDef))
                continue
            if runs and isinstance(child, ast.stmt | ast.ExceptHandler):
                block: list[ast.stmt] = getattr(child, "body", [])
                last = block[0].lineno - 1 if block else child.end_lineno or child.lineno
                name = f"{outer}: {lines[child.lineno - 1].strip()}"
                names.update(dict.fromkeys(range(child.lineno, max(last, child.lineno) + 1), name))
            visit(child, outer, runs=runs)

    visit(ast.parse(source), "")
    return names.get
