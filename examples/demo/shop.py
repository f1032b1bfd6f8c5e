"""What there is to buy."""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """Something to put into the cart.

    :param key: its name in the session, in forms, and among the icons
    :param name: its name for people
    :param cents: its price
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
