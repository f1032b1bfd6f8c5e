"""HTML from templates. All values that are not HTML are escaped."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterable
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent / "templates"


class Html(str):
    """HTML text, from a template."""

    __slots__ = ()


def fill(name: str, /, **values: object) -> Html:
    """Fill a template.

    :param name: the name of the file, without the suffix
    :param values: the values; all except :class:`Html` are escaped, for text and for attributes
    """
    return Html(_template(name).substitute({key: escape(value) for key, value in values.items()}))


def join(parts: Iterable[object]) -> Html:
    """Concatenate values.

    :param parts: the values, escaped as by :func:`fill`
    """
    return Html("".join(map(escape, parts)))


def escape(value: object) -> Html:
    """Return a value as HTML.

    :param value: any value; :class:`Html` is not changed
    """
    return value if isinstance(value, Html) else Html(html.escape(str(value), quote=True))


@functools.cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.html").read_text(encoding="utf-8"))
