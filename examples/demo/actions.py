"""The forms of the page. Each function works on a request, and returns a message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from beaker_mongo_soajs import MongoSession
from examples.demo.database import Database
from examples.demo.experiments import Experiments
from examples.demo.lab import SHORT
from examples.demo.outage import Outage
from examples.demo.shop import MOST_OF_ONE, PRODUCTS, Product
from examples.demo.visitors import Visitor, device_name

_LONGEST_NAME = 40

Form = Mapping[str, str]


class FormError(Exception):
    """A form has values that the page does not offer."""


@dataclass(frozen=True)
class Room:
    """What the actions need besides the session.

    :param database: the servers
    :param experiments: the experiments
    :param outage: the visitors of the outage
    :param lock: held while servers stop and start
    """

    database: Database
    experiments: Experiments
    outage: Outage
    lock: threading.Lock


@dataclass(frozen=True)
class Call:
    """A request with a form.

    :param session: the session of the visitor
    :param visitor: the visitor
    :param form: the form
    :param port: the port of the demo
    :param agent: the browser, as it names itself
    :param room: what is shared
    """

    session: MongoSession
    visitor: Visitor
    form: Form
    port: int
    agent: str
    room: Room


def log_in(call: Call) -> str:
    """Log in under any name, with a new session id."""
    name = "".join(filter(str.isprintable, call.form.get("name", ""))).strip()[:_LONGEST_NAME]
    if not name:
        return "Enter a name to log in."
    session = call.session
    session.regenerate_id()
    session["user"] = name
    session["logged_in"] = _now()
    session["device"] = device_name(call.agent)
    session.save()
    return f"Hello {name}. Your session has a new id."


def log_out(call: Call) -> str:
    """End the session."""
    call.session.delete()
    return "You are logged out. The document and the cookie are removed."


def add(call: Call) -> str:
    """Add one of a product to the cart, under a lock: parallel clicks lose nothing."""
    product = _product(call.form)
    with call.session.locked():
        cart = call.session.setdefault("cart", {})
        item = cart.setdefault(product.key, {"quantity": 0, "added": _now()})
        item["quantity"] = min(MOST_OF_ONE, item["quantity"] + 1)
        call.session.save()
    return f"{product.name}: {item['quantity']} in the cart."


def take(call: Call) -> str:
    """Remove one of a product from the cart."""
    product = _product(call.form)
    with call.session.locked():
        cart = call.session.get("cart", {})
        item = cart.get(product.key)
        if item is None or item["quantity"] <= 1:
            cart.pop(product.key, None)
            left = 0
        else:
            item["quantity"] = left = item["quantity"] - 1
        call.session.save()
    return f"{product.name}: {left} in the cart."


def drop(call: Call) -> str:
    """Remove all of a product from the cart."""
    product = _product(call.form)
    with call.session.locked():
        call.session.get("cart", {}).pop(product.key, None)
        call.session.save()
    return f"{product.name}: removed from the cart."


def race(call: Call) -> str:
    """Run the race."""
    call.visitor.outcomes["race"] = call.room.experiments.race(call.port)
    return _verdicts(call, "race")


def late_logout(call: Call) -> str:
    """Run the logout that a slow request overlaps."""
    call.visitor.outcomes["late"] = call.room.experiments.log_out_late(call.port)
    return _verdicts(call, "late")


def click(call: Call) -> str:
    """Count clicks with and without a lock."""
    call.visitor.outcomes["lock"] = call.room.experiments.click(call.port)
    return _verdicts(call, "lock")


def replay(call: Call) -> str:
    """Replay an old cookie."""
    call.visitor.outcomes["id"] = call.room.experiments.replay(call.port)
    return _verdicts(call, "id")


def stop(call: Call) -> str:
    """Stop the server, and look at both applications."""
    database, outage = call.room.database, call.room.outage
    with call.room.lock:
        if database.can_stop and database.is_whole:
            outage.begin(call.port, database.stop)
    return database.stopped


def start(call: Call) -> str:
    """Start the server again, and look at both applications."""
    with call.room.lock:
        if not call.room.database.is_whole:
            call.room.outage.end(call.room.database.start)
    return "The server is running again. Nothing else was restarted."


def use_short(call: Call) -> str:
    """Use the session of 20 seconds, or begin one."""
    visitor = call.visitor
    if visitor.short is None:
        visitor.short = call.room.experiments.browser(call.port, SHORT)
    before = visitor.short.id
    visitor.short.go("count")
    if not before:
        return "A session of 20 seconds has begun."
    if visitor.short.id != before:
        return "That session had expired. A new one has begun."
    return "Used in time: it lives for another 20 seconds."


def add_device(call: Call) -> str:
    """Log the user in on another device, by real requests of a second browser."""
    call.room.experiments.log_in_elsewhere(call.port, _user(call))
    return "A second browser has logged in under your name."


def end_device(call: Call) -> str:
    """End the session of one device, by its handle."""
    ended = call.session.store.destroy_handle(call.form.get("handle", ""), user=_user(call))
    return "That device is logged out." if ended else "That device was logged out already."


def end_others(call: Call) -> str:
    """End all other sessions of the user."""
    count = call.session.destroy_others(user=_user(call))
    return f"{count} other {'device is' if count == 1 else 'devices are'} logged out."


def end_all(call: Call) -> str:
    """End all sessions of the user, this one included."""
    count = call.session.store.destroy_where(user=_user(call))
    call.session.invalidate()
    return f"Logged out everywhere: {count} {'session' if count == 1 else 'sessions'} ended."


ACTIONS: Mapping[str, tuple[Callable[[Call], str], str]] = {
    "/login": (log_in, ""),
    "/logout": (log_out, ""),
    "/cart/add": (add, "shop"),
    "/cart/take": (take, "shop"),
    "/cart/drop": (drop, "shop"),
    "/run/race": (race, "race"),
    "/run/late": (late_logout, "late"),
    "/run/lock": (click, "lock"),
    "/run/id": (replay, "id"),
    "/run/expiry": (use_short, "expiry"),
    "/devices/add": (add_device, "devices"),
    "/devices/end": (end_device, "devices"),
    "/devices/others": (end_others, "devices"),
    "/devices/all": (end_all, "devices"),
}
"""The actions on a session, and their panels. Without one, they lead back to where they began."""

SWITCHES: Mapping[str, Callable[[Call], str]] = {"/outage/stop": stop, "/outage/start": start}
"""The actions that work without the database."""


def _verdicts(call: Call, name: str) -> str:
    outcomes = call.visitor.outcomes[name]
    return " · ".join(f"{outcome.title}: {outcome.verdict}" for outcome in outcomes) + "."


def _user(call: Call) -> str:
    user = call.session.get("user")
    if not user:
        raise FormError("Log in first.")
    if call.visitor.stringify:
        raise FormError("Sessions stored as JSON text cannot be searched. Switch to document.")
    return str(user)


def _product(form: Form) -> Product:
    product = PRODUCTS.get(form.get("product", ""))
    if product is None:
        raise FormError("This product does not exist.")
    return product


def _now() -> datetime:
    # As precise as BSON: UTC, in milliseconds.
    now = datetime.now(UTC).replace(tzinfo=None)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
