"""The page as HTML, by the templates of Jinja2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from examples.demo.commands import Command, Trace
from examples.demo.database import Database
from examples.demo.experiments import CLICKS, RACERS, Outcome
from examples.demo.lab import SHORT_SECONDS
from examples.demo.notation import Token, inline, lines
from examples.demo.observer import Observer, Place, View
from examples.demo.outage import Outage
from examples.demo.panels import PANELS, Panel, load_code
from examples.demo.shop import MOST_OF_ONE, PRODUCTS
from examples.demo.shops import LIFETIME_SECONDS
from examples.demo.visitors import Visitor

_TEMPLATES = Path(__file__).parent / "templates"
_DEEPEST_INDENT = 9
_SLOWER = 20
"""How many times slower a timeline is replayed."""
# The arguments that are shown in the summary of a command.
_ARGUMENTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "find": (("filter",),),
    "update": (("updates", "q"), ("updates", "u")),
    "insert": (("documents",),),
    "delete": (("deletes", "q"),),
    "findAndModify": (("query",), ("update",)),
    "createIndexes": (("indexes", "key"),),
}


@dataclass(frozen=True)
class Page:
    """The content of the page.

    :param panel: the panel that is open
    :param place: the location of the sessions
    :param token: the token that forms send back
    :param session: the session as the application sees it; empty during an outage
    :param view: the document of the session
    :param visitor: the visitor
    :param traces: the requests since the previous page, including this one
    :param database: the servers
    :param outage: the visitors of the outage
    :param observer: reads documents
    :param devices: the sessions of the user: handle, session, and whether it is this one
    """

    panel: Panel
    place: Place
    token: str
    session: Mapping[str, Any]
    view: View
    visitor: Visitor
    traces: Sequence[Trace]
    database: Database
    outage: Outage
    observer: Observer
    devices: Sequence[tuple[str, Mapping[str, Any], bool]] = ()


def render_page(page: Page) -> str:
    """Return the page as HTML.

    :param page: the content
    """
    commands = [command for trace in page.traces for command in trace.commands]
    messages = [trace.message for trace in page.traces if trace.message]
    return _render(
        "page.html",
        page=page,
        place=page.place,
        traces=[trace for trace in page.traces if trace.commands],
        panels=PANELS.values(),
        products=PRODUCTS,
        code=_code(),
        message=messages[-1] if messages else "",
        document_lines=lines(page.view.document, page.visitor.seen) if page.view.document else [],
        expiry=_expiry(page.view.document),
        slowest=max((command.microseconds or 0 for command in commands), default=0) or 1,
        commands=commands,
    )


def render_error(status: str, message: str, place: Place) -> str:
    """Return an error page as HTML.

    :param status: the HTTP status
    :param message: the message
    :param place: the location of the sessions
    """
    code, _, reason = status.partition(" ")
    return _render("error.html", code=code, reason=reason, message=message, place=place)


_code = cache(load_code)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        cost=_cost,
        gist=_gist,
        plain_lines=lambda document: lines(document, None),
        inline=inline,
        indent=lambda line: min(line.depth, _DEEPEST_INDENT),
        money=lambda cents: f"€ {cents // 100:,}.{cents % 100:02}",
        seconds_at=lambda ms: f"{ms * _SLOWER / 1000:.2f}s",
        span=_span,
        slower=_SLOWER,
        most_of_one=MOST_OF_ONE,
        short_seconds=SHORT_SECONDS,
        racers=RACERS,
        clicks=CLICKS,
        clock=_clock,
    )
    return environment


def _render(name: str, **values: object) -> str:
    return str(_environment().get_template(name).render(**values))


def _expiry(document: Mapping[str, Any] | None) -> dict[str, Any]:
    left = 0.0
    if document is not None:
        expires: datetime = document["expires"]
        # Beaker keeps a document for two minutes longer than its timeout.
        left = (expires.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() - 120
        left = min(max(0.0, left), LIFETIME_SECONDS)
    return {
        "seconds": f"{left:.3f}",
        "lifetime": LIFETIME_SECONDS,
        "clock": f"{int(left) // 60}:{int(left) % 60:02}",
        "share": f"{min(100.0, 100 * left / LIFETIME_SECONDS):.2f}",
    }


def _span(outcomes: Sequence[Outcome]) -> float:
    """Return the milliseconds of the longest of several timelines, which share their scale."""
    return max((bar.end for outcome in outcomes for bar in outcome.bars), default=1.0)


def _clock(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=UTC):%H:%M} UTC"


def _gist(command: Command) -> list[Token]:
    document = command.document
    tokens: list[Token] = []
    for path in _ARGUMENTS.get(command.name, ()):
        value: Any = document
        for step in path:
            value = value[step]
            # Commands of the package have one update, one document, or one index.
            value = value[0] if isinstance(value, list) and len(value) == 1 else value
        tokens += [Token("", ", ")] if tokens else []
        tokens += inline(value)
    return tokens


def _cost(commands: Sequence[Command]) -> str:
    microseconds = sum(command.microseconds or 0 for command in commands)
    noun = "command" if len(commands) == 1 else "commands"
    return f"{len(commands)} {noun} · {microseconds / 1000:.2f} ms"
