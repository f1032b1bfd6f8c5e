"""Static files of the page: style, script, icons."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from webob import Response

_FOLDER = Path(__file__).parent / "static"


def load_assets() -> dict[str, Response]:
    """Return the responses of all files, by path."""
    return {f"/static/{file.name}": _asset(file) for file in _FOLDER.iterdir()}


def _asset(file: Path) -> Response:
    content_type, _ = mimetypes.guess_type(file.name)
    response = Response(
        file.read_bytes(), content_type=content_type, charset="utf-8", conditional_response=True
    )
    response.cache_control = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.md5_etag()
    return response
