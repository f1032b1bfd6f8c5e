"""The products of the shop."""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """A product.

    :param key: its key in the session, in forms, and in the icons
    :param name: its name on the page
    :param cents: its price in cents
    """

    key: str
    name: str
    cents: int


PRODUCTS = {
    product.key: product
    for product in (
        Product("beaker", "Beaker", 420),
        Product("flask", "Flask", 690),
        Product("tubes", "Test tubes", 550),
        Product("pipette", "Pipette", 280),
    )
}

MOST_OF_ONE = 99
