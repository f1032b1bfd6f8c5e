"""Static files: those of the page, and the documentation, if it is built."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from webob import Response

_FOLDER = Path(__file__).parent / "static"
_DOCUMENTATION = Path(__file__).resolve().parent.parent.parent / "build" / "docs"
# The theme of the documentation has scripts and styles in its pages.
_DOCUMENTATION_POLICY = "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'"


def load_assets() -> dict[str, Response]:
    """Return the responses of all files, by path."""
    return {f"/static/{file.name}": _asset(file) for file in _FOLDER.iterdir()}


def find_document(path: str) -> Response | None:
    """Return a file of the documentation that ``make docs`` built, if there is one.

    :param path: its path, below ``/docs/``.
    """
    file = (_DOCUMENTATION / (path.strip("/") or "index.html")).resolve()
    if not file.is_relative_to(_DOCUMENTATION) or not file.is_file():
        return None
    response = _asset(file)
    response.headers["Content-Security-Policy"] = _DOCUMENTATION_POLICY
    return response


def _asset(file: Path) -> Response:
    content_type, _ = mimetypes.guess_type(file.name)
    response = Response(
        file.read_bytes(), content_type=content_type, charset="utf-8", conditional_response=True
    )
    response.cache_control = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.md5_etag()
    return response
