"""The panels of the page, and the code that they show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

EXAMPLES = Path(__file__).resolve().parent.parent


class Panel(NamedTuple):
    """A panel of the page.

    :param name: the name in its path, and of its template.
    :param title: the title of its tab.
    """

    name: str
    title: str


PANELS: Mapping[str, Panel] = {
    panel.name: panel
    for panel in (
        Panel("race", "Race"),
        Panel("late", "Logout"),
        Panel("lock", "Lock"),
        Panel("outage", "Outage"),
        Panel("devices", "Devices"),
        Panel("id", "Id change"),
        Panel("expiry", "Expiry"),
        Panel("shop", "Shop"),
        Panel("code", "Code"),
    )
}


class Code(NamedTuple):
    """The code of an example.

    :param name: the framework.
    :param path: the file, which is what ``make example`` runs.
    :param text: its content.
    """

    name: str
    path: str
    text: str


def load_code() -> list[Code]:
    """Return the code of the examples that the page shows."""
    files = {
        "WSGI": "webob/wsgi.py",
        "Pyramid": "pyramid/site.ini",
        "Flask": "flask/wsgi.py",
        "Django": "django/wsgi.py",
        "Bottle": "bottle/wsgi.py",
    }
    return [
        Code(name, f"examples/{path}", (EXAMPLES / path).read_text(encoding="utf-8"))
        for name, path in files.items()
    ]
