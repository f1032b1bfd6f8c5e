"""The page as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from examples.demo.commands import Command, Trace
from examples.demo.markup import Html, fill, join
from examples.demo.notation import Line, Token, inline, lines
from examples.demo.shop import MOST_OF_ONE, PRODUCTS, Product

# The arguments that are shown in the summary of a command.
_ARGUMENTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "find": (("filter",),),
    "update": (("updates", "q"), ("updates", "u")),
    "insert": (("documents",),),
    "delete": (("deletes", "q"),),
    "createIndexes": (("indexes", "key"),),
}
_DEEPEST_INDENT = 9


@dataclass(frozen=True)
class Place:
    """The location of the sessions.

    :param server: the version and the address of the server
    :param collection: the database and the collection
    :param lifetime_seconds: the lifetime of an idle session
    :param settings: the settings for Beaker
    """

    server: str
    collection: str
    lifetime_seconds: float
    settings: str


@dataclass(frozen=True)
class Page:
    """The content of the page.

    :param place: the location of the sessions
    :param token: the token that forms send back
    :param session: the session as the application sees it
    :param document: the document of the session, or ``None``
    :param seen: the document on the previous page, or ``None``
    :param traces: the requests since the previous page, including this one
    :param problem: the reason if there is no document
    """

    place: Place
    token: str
    session: Mapping[str, Any]
    document: Mapping[str, Any] | None
    seen: Mapping[str, Any] | None
    traces: Sequence[Trace]
    problem: str


def render_page(page: Page) -> str:
    """Return the page as HTML.

    :param page: the content
    """
    place = page.place
    commands = [command for trace in page.traces for command in trace.commands]
    slowest = max((command.microseconds or 0 for command in commands), default=0)
    main = fill(
        "page",
        message=_message(page),
        visitor=_visitor(page, _cost(commands)),
        products=join(_product(product, page.token) for product in PRODUCTS.values()),
        cart=_cart(page.session.get("cart", {}), page.token),
        document=_document(page),
        requests=join(_request(trace, slowest) for trace in page.traces),
        total=_cost(commands),
        settings=place.settings,
    )
    return _frame("Beaker sessions in MongoDB", main, place)


def render_error(status: str, message: str, place: Place) -> str:
    """Return an error page as HTML.

    :param status: the HTTP status
    :param message: the message
    :param place: the location of the sessions
    """
    code, _, reason = status.partition(" ")
    return _frame(reason, fill("error", code=code, reason=reason, message=message), place)


def _frame(title: str, main: Html, place: Place) -> str:
    return fill("frame", title=title, main=main, server=place.server, collection=place.collection)


def _message(page: Page) -> Html:
    # There is always a message, so that the page does not move when a new one appears.
    messages = [trace.message for trace in page.traces if trace.message]
    if messages:
        return fill("message", message=messages[-1])
    if page.session.get("visits", 0) > 1:
        return fill("greeting", greeting="Welcome back. Your cookie has the id of this session.")
    return fill("greeting", greeting="Welcome. This is a new session.")


def _visitor(page: Page, cost: str) -> Html:
    session = page.session
    visits = session.get("visits", 0)
    user = session.get("user")
    if user is None:
        door = fill("login", token=page.token)
    else:
        since = session["logged_in"].replace(tzinfo=UTC)
        door = fill(
            "logout",
            token=page.token,
            initial=user[:1].upper(),
            user=user,
            since=f"{since:%H:%M} UTC",
            since_iso=since.isoformat(timespec="seconds"),
        )
    noun = "visit" if visits == 1 else "visits"
    return fill("visitor", visits=visits, noun=noun, cost=cost, door=door)


def _product(product: Product, token: str) -> Html:
    return fill(
        "product", token=token, key=product.key, name=product.name, price=_money(product.cents)
    )


def _cart(cart: Mapping[str, Mapping[str, Any]], token: str) -> Html:
    if not cart:
        return fill("cart_empty")
    rows, cents = [], 0
    for key, item in cart.items():
        product, quantity = PRODUCTS[key], item["quantity"]
        cents += product.cents * quantity
        rows.append(
            fill(
                "cart_row",
                token=token,
                key=key,
                name=product.name,
                quantity=quantity,
                price=_money(product.cents * quantity),
                most="disabled" if quantity == MOST_OF_ONE else "",
            )
        )
    return fill("cart", rows=join(rows), total=_money(cents))


def _money(cents: int) -> str:
    return f"€ {cents // 100:,}.{cents % 100:02}"


def _document(page: Page) -> Html:
    document = page.document
    if document is None:
        return fill("document_missing", problem=page.problem)
    expires: datetime = document["expires"]
    left = max(0.0, (expires.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds())
    text = isinstance(document["session"], str)
    return fill(
        "document",
        token=page.token,
        session_id=f"{document['_id'][:8]}…",
        collection=page.place.collection.partition(".")[2],
        lines=join(map(_line, lines(document, page.seen))),
        seconds=f"{left:.3f}",
        lifetime=f"{page.place.lifetime_seconds:.0f}",
        clock=f"{int(left) // 60}:{int(left) % 60:02}",
        share=f"{min(100.0, 100 * left / page.place.lifetime_seconds):.2f}",
        native_pressed=str(not text).lower(),
        text_pressed=str(text).lower(),
        note=fill("note_first" if page.seen is None else "note_marks"),
    )


def _line(line: Line) -> Html:
    return fill(
        "line_changed" if line.changed else "line",
        indent=min(line.depth, _DEEPEST_INDENT),
        type=line.type,
        tokens=_spans(line.tokens),
    )


def _spans(tokens: Iterable[Token]) -> Html:
    return join(
        fill("token", kind=token.kind, text=token.text) if token.kind else token.text
        for token in tokens
    )


def _request(trace: Trace, slowest: int) -> Html:
    return fill(
        "request",
        title=trace.title,
        cost=_cost(trace.commands),
        commands=join(_command(command, slowest) for command in trace.commands),
    )


def _command(command: Command, slowest: int) -> Html:
    document = command.document
    microseconds = command.microseconds or 0
    return fill(
        "command",
        name=command.name,
        collection=document[command.name],
        gist=_spans(_gist(command.name, document)),
        microseconds=f"{microseconds:,}",
        share=f"{100 * microseconds / (slowest or 1):.1f}",
        sent=f"{len(command.sent):,}",
        received="failed" if command.failed else f"{command.received_bytes:,} B",
        lines=join(map(_line, lines(document, None))),
    )


def _gist(name: str, document: Mapping[str, Any]) -> list[Token]:
    tokens: list[Token] = []
    for path in _ARGUMENTS.get(name, ()):
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
