"""An example whose responses name the process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from examples.webob.wsgi import application as example

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PROCESS = "X-Process"


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Respond as the example does, with the id of this process in a header."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return start_response(status, [*headers, (PROCESS, str(os.getpid()))], exc_info)

    answer: Iterable[bytes] = example(environ, start)
    return answer
