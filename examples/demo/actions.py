"""The actions of visitors. Each function changes the session and returns a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from beaker.session import SessionObject

from examples.demo.shop import MOST_OF_ONE, PRODUCTS, Product

_LONGEST_NAME = 40

Form = Mapping[str, str]


class FormError(Exception):
    """A form has values that the page does not offer."""


def log_in(session: SessionObject, form: Form) -> str:
    """Log in under any name, with a new session id.

    :param session: the session
    :param form: the form, with a ``name``
    """
    name = "".join(filter(str.isprintable, form.get("name", ""))).strip()[:_LONGEST_NAME]
    if not name:
        return "Enter a name to log in."
    # Someone who knew the old id must not be logged in by it. Beaker's regenerate_id() keeps the
    # session under the old id as well, so that document is removed first.
    session.namespace.remove()
    session.regenerate_id()
    session["user"] = name
    session["logged_in"] = _now()
    session.save()
    return f"Hello {name}. Your session has a new id."


def log_out(session: SessionObject, _form: Form) -> str:
    """End the session.

    :param session: the session
    """
    session.delete()
    return "You are logged out, and the document is removed. This is a new session."


def add(session: SessionObject, form: Form) -> str:
    """Add one of a product to the cart.

    :param session: the session
    :param form: the form, with a ``product``
    :raises FormError: there is no such product
    """
    product = _product(form)
    cart = session.setdefault("cart", {})
    item = cart.setdefault(product.key, {"quantity": 0, "added": _now()})
    item["quantity"] = min(MOST_OF_ONE, item["quantity"] + 1)
    session.save()
    return f"{product.name}: {item['quantity']} in the cart."


def take(session: SessionObject, form: Form) -> str:
    """Remove one of a product from the cart.

    :param session: the session
    :param form: the form, with a ``product``
    :raises FormError: there is no such product
    """
    product = _product(form)
    item = session.get("cart", {}).get(product.key)
    if item is None or item["quantity"] <= 1:
        return drop(session, form)
    item["quantity"] -= 1
    session.save()
    return f"{product.name}: {item['quantity']} in the cart."


def drop(session: SessionObject, form: Form) -> str:
    """Remove all of a product from the cart.

    :param session: the session
    :param form: the form, with a ``product``
    :raises FormError: there is no such product
    """
    product = _product(form)
    session.get("cart", {}).pop(product.key, None)
    session.save()
    return f"{product.name}: removed from the cart."


ACTIONS: Mapping[str, Callable[[SessionObject, Form], str]] = {
    "/login": log_in,
    "/logout": log_out,
    "/cart/add": add,
    "/cart/take": take,
    "/cart/drop": drop,
}


def _product(form: Form) -> Product:
    product = PRODUCTS.get(form.get("product", ""))
    if product is None:
        raise FormError("This product does not exist.")
    return product


def _now() -> datetime:
    # As precise as BSON: UTC, in milliseconds.
    now = datetime.now(UTC).replace(tzinfo=None)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
