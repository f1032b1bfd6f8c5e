"""HTML from templates. Whatever is no HTML yet is escaped, so that nobody need remember to."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterable
from pathlib import Path
from string import Template

_FOLDER = Path(__file__).parent / "templates"


class Html(str):
    """Text that is HTML already: a filled template."""

    __slots__ = ()


def fill(name: str, /, **values: object) -> Html:
    """Fill a template.

    :param name: the name of its file, without the suffix
    :param values: what to put in; all but :class:`Html` is escaped, for text and for attributes
    """
    return Html(_template(name).substitute({key: escape(value) for key, value in values.items()}))


def join(parts: Iterable[object]) -> Html:
    """Put pieces one after the other.

    :param parts: as for :func:`fill`
    """
    return Html("".join(map(escape, parts)))


def escape(value: object) -> Html:
    """Return a value as HTML.

    :param value: anything; what is HTML stays as it is
    """
    return value if isinstance(value, Html) else Html(html.escape(str(value), quote=True))


@functools.cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.html").read_text(encoding="utf-8"))
