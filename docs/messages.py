"""The messages of the package, read from its source: the tables of the page *Troubleshooting*.

A part that is only known at run time is shown as an ellipsis.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent.parent / "beaker_mongo_soajs"
MARK = "<!-- messages -->"

_ERRORS = {
    "ConfigError": "A configuration that is not valid. The application does not start.",
    "InvalidValue": "A `ConfigError` about the value of an option: `store.pickle cannot be "
    '"perhaps".` "Set it to", followed by one of these:',
    "StoreUnavailable": "The database did not answer, or cannot carry out the command now.",
    "StoreRefused": "The server refused a command, and would refuse it again.",
    "code": "What to do about a `StoreRefused`, by the server's error code.",
    "SerializationError": "A value cannot be stored, or a document cannot be read.",
    "UnstorableValueError": "The end of a `SerializationError` about a value that cannot be "
    "stored: `session['cart'][3]` …",
    "DamagedValueError": "The end of a `SerializationError` about a value that cannot be read:",
    "LockTimeout": "A lock was not acquired in time, or was lost.",
    "ValueError": "An argument of a method is not valid.",
    "warning": "Warnings at the start, and in the log.",
    "finding": "Findings of `beaker-mongo check`.",
    "Failure": "Errors of the command line, with exit code 1.",
    "UsageFailure": "Errors of the command line, with exit code 2.",
}
_TITLES = {
    "code": "Error codes of the server",
    "warning": "Warnings",
    "finding": "`beaker-mongo check`",
    "Failure": "The command line",
    "UsageFailure": "The command line: arguments and configuration",
}
_LOGS = frozenset({"logger.warning", "logger.error", "log.warning", "log.error", "warnings.warn"})
_ELLIPSIS = "…"
_TEXTS = (ast.Constant, ast.JoinedStr, ast.Name)

Names = Mapping[str, ast.expr]


class Message(NamedTuple):
    """A message in the source.

    :param group: the exception, or the kind of another message.
    :param text: what is wrong.
    :param hint: what to do, if the message has it apart.
    """

    group: str
    text: str
    hint: str


def find_messages(package: Path = PACKAGE) -> Iterator[Message]:
    """Yield all messages of errors and warnings, in the order of the source.

    :param package: the folder of the source.
    """
    trees = {
        path: ast.parse(path.read_text())
        for path in sorted(package.rglob("*.py"))
        if "testing" not in path.parts
    }
    everywhere: dict[str, ast.expr] = {}
    for tree in trees.values():
        everywhere |= _constants(tree)
    for path, tree in trees.items():
        names = everywhere | _constants(tree)
        makers = _makers(tree)
        made = {id(call) for maker in makers.values() for call in _calls(maker)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and id(node) not in made:
                maker = makers.get(ast.unparse(node.func))
                if maker is None:
                    yield from _messages(node, names)
                    continue
                given = names | _arguments(maker, node)
                for call in _calls(maker):
                    yield from _messages(call, given)
            elif isinstance(node, ast.Yield) and path.name == "start_warnings.py":
                yield Message("warning", _text(node.value, names), "")
        yield from _codes(tree, names)


def render() -> str:
    """Return the tables, in Markdown."""
    found = list(dict.fromkeys(find_messages()))
    parts = []
    for group, meaning in _ERRORS.items():
        rows = [each for each in found if each.group == group]
        hints = any(each.hint for each in rows)
        title = _TITLES.get(group, f"`{group}`")
        head = "| message | what to do |\n| --- | --- |" if hints else "| message |\n| --- |"
        lines = [
            f"| {_cell(each.text)} |{f' {_cell(each.hint)} |' if hints else ''}" for each in rows
        ]
        parts.append("\n".join((f"### {title}\n\n{meaning}\n\n{head}", *lines)))
    return "\n\n".join(parts)


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _makers(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Return the functions of a module that make an error from the arguments of its calls."""
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.name in called
        and {each.arg for each in node.args.args}
        & {each.id for call in _calls(node) for each in _names_in(call)}
        and ast.unparse(node.returns or ast.Constant("")) in _ERRORS
    }


def _calls(maker: ast.FunctionDef) -> list[ast.Call]:
    calls = [node for node in ast.walk(maker) if isinstance(node, ast.Call)]
    return [call for call in calls if _name_of(call) in _ERRORS]


def _names_in(call: ast.Call) -> Iterator[ast.Name]:
    parts = [*call.args, *(each.value for each in call.keywords if each.arg == "hint")]
    for part in parts:
        yield from (node for node in ast.walk(part) if isinstance(node, ast.Name))


def _arguments(maker: ast.FunctionDef, call: ast.Call) -> dict[str, ast.expr]:
    parameters = [each.arg for each in maker.args.args]
    named = {each.arg: each.value for each in call.keywords if each.arg}
    return dict(zip(parameters, call.args, strict=False)) | named


def _messages(call: ast.Call, names: Names) -> Iterator[Message]:
    name = _name_of(call)
    logs = ast.unparse(call.func) in _LOGS
    if name in {"_refuse", "_invalid"} and len(call.args) == 3:
        # The first argument is the option. The second one is its value, or what is wrong with it.
        wrong = _text(call.args[1], names) if name == "_refuse" else "cannot be …."
        yield Message("ConfigError", f"… {wrong}", _text(call.args[2], names))
        return
    if ast.unparse(call.func) in {"problem", "warning"} and len(call.args) == 3:
        found = _text(call.args[1], names)
        if re.search(r"\w", found):
            yield Message("finding", found, _text(call.args[2], names))
        return
    # A warning that is repeated at most once a minute has its logger as the first argument.
    limited = ast.unparse(call.func) == "warn" and len(call.args) > 1
    if not call.args or not (logs or limited or name in _ERRORS):
        return
    text = _text(call.args[1 if limited else 0], names)
    # Other texts are reasons, for the messages of other errors.
    is_reason = name == "ValueError" and not text.endswith(".")
    if is_reason or not text.strip(_ELLIPSIS + " .:%s"):
        return
    hints = [keyword.value for keyword in call.keywords if keyword.arg == "hint"]
    if logs or limited:
        yield Message("warning", re.sub(r"%[sdr]", _ELLIPSIS, text), "")
    else:
        yield Message(name, text, _text(hints[0], names) if hints else "")


def _codes(tree: ast.Module, names: Names) -> Iterator[Message]:
    """Yield the remedies for the codes that the server refuses a command with."""
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign)
            and ast.unparse(node.target) == "_REFUSALS"
            and isinstance(node.value, ast.Dict)
        ):
            for key, value in zip(node.value.keys, node.value.values, strict=True):
                number = names.get(key.id) if isinstance(key, ast.Name) else key
                assert isinstance(number, ast.Constant)
                yield Message("code", str(number.value), _text(value, names))


def _name_of(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _text(node: ast.expr | None, names: Names) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value, names) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, names) + _text(right, names)
        case ast.FormattedValue(value=ast.Name() as name):
            return _text(name, names)
        case ast.Name(id=name) if isinstance(names.get(name), _TEXTS):
            return _text(names[name], {each: names[each] for each in names if each != name})
    return _ELLIPSIS


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", text.strip())
