"""The messages of the package, read from its source: the tables of the page *Troubleshooting*.

A part that is only known at run time is shown as an ellipsis.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent.parent / "beaker_mongo_soajs"
MARK = "<!-- messages -->"

_GROUPS = {
    "ConfigError": "A configuration that is not valid. The application does not start.",
    "InvalidValue": "A `ConfigError` about the value of an option: `store.pickle cannot be "
    '"perhaps".` "Set it to", followed by one of these:',
    "StoreUnavailable": "The database did not answer, or cannot carry out the command now.",
    "StoreRefused": "The server refused a command, and would refuse it again.",
    "SerializationError": "A value cannot be stored, or a document cannot be read.",
    "UnstorableValueError": "The end of a `SerializationError` about a value that cannot be "
    "stored: `session['cart'][3]` …",
    "DamagedValueError": "The end of a `SerializationError` about a value that cannot be read:",
    "LockTimeout": "A lock was not acquired in time, or was lost.",
    "warning": "Warnings at the start, and in the log.",
}
_ELLIPSIS = "…"


class Message(NamedTuple):
    """A message in the source.

    :param group: the exception, or ``warning``.
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
    for path in sorted(package.rglob("*.py")):
        if "testing" in path.parts:
            continue
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from _messages(node, constants)
            elif isinstance(node, ast.Yield) and path.name == "start_warnings.py":
                yield Message("warning", _text(node.value, constants), "")


def render() -> str:
    """Return the tables, in Markdown."""
    found = list(dict.fromkeys(find_messages()))
    parts = []
    for group, meaning in _GROUPS.items():
        rows = [each for each in found if each.group == group]
        hints = any(each.hint for each in rows)
        title = "Warnings" if group == "warning" else f"`{group}`"
        head = "| message | what to do |\n| --- | --- |" if hints else "| message |\n| --- |"
        lines = [
            f"| {_cell(each.text)} |{f' {_cell(each.hint)} |' if hints else ''}" for each in rows
        ]
        parts.append("\n".join((f"### {title}\n\n{meaning}\n\n{head}", *lines)))
    return "\n\n".join(parts)


def _messages(call: ast.Call, constants: dict[str, ast.expr]) -> Iterator[Message]:
    name = ast.unparse(call.func).rpartition(".")[2]
    logs = ast.unparse(call.func) in {
        *("logger.warning", "logger.error", "log.warning", "log.error", "warnings.warn")
    }
    if name in {"_refuse", "_invalid"} and len(call.args) == 3:
        # The first argument is the option. The second one is its value, or what is wrong with it.
        wrong = _text(call.args[1], constants) if name == "_refuse" else "cannot be …."
        yield Message("ConfigError", f"… {wrong}", _text(call.args[2], constants))
        return
    # A warning that is repeated at most once a minute has its logger as the first argument.
    limited = ast.unparse(call.func) == "warn" and len(call.args) > 1
    if not call.args or not (logs or limited or name in _GROUPS):
        return
    text = _text(call.args[1 if limited else 0], constants)
    if not text.strip(_ELLIPSIS + " .:%s"):
        return
    hints = [keyword.value for keyword in call.keywords if keyword.arg == "hint"]
    if logs or limited:
        yield Message("warning", re.sub(r"%[sdr]", _ELLIPSIS, text), "")
    else:
        yield Message(name, text, _text(hints[0], constants) if hints else "")


def _text(node: ast.expr | None, constants: dict[str, ast.expr]) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value, constants) for value in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, constants) + _text(right, constants)
        case ast.FormattedValue(value=ast.Name() as name):
            return _text(name, constants)
        case ast.Name(id=name) if isinstance(constants.get(name), ast.Constant | ast.JoinedStr):
            return _text(constants[name], constants)
    return _ELLIPSIS


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", text.strip())
