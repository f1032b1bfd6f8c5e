"""Serve an example: ``python -m examples NAME``.

``PORT`` sets the port. ``MONGODB_URL`` sets the MongoDB server; by default, the example starts one
and stops it at the end.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from wsgiref.types import WSGIApplication

from pymongo import MongoClient

from beaker_mongo_soajs import close_clients
from beaker_mongo_soajs.testing import mongodb_url
from examples.names import read_name
from examples.serving import (
    address_of,
    exit_with_message,
    interrupt_on_signals,
    listen,
    read_port,
    serve,
)

_SELECTION_TIMEOUT_MS = 3_000


def main(arguments: list[str]) -> None:
    """Serve an example until a signal ends it.

    :param arguments: the name of the example.
    """
    name = read_name(arguments)
    _switch_environment(name)
    port = read_port()
    interrupt_on_signals()
    with exit_with_message("The example has ended."), ExitStack() as stack:
        listener = stack.enter_context(listen(port))
        url = stack.enter_context(mongodb_url())
        stack.callback(close_clients)
        _check_server(url)
        application = _load(name, url)
        words = (
            f"The example {name} is at {address_of(listener)}\n"
            f"Its code is in examples{os.sep}{name}"
        )
        serve(application, listener, words)


def _switch_environment(name: str) -> None:
    # Pylons needs an environment of its own, so this process is replaced by one in it.
    module = f"examples.{name}.environment"
    if find_spec(module) is not None:
        import_module(module).run_in_environment(["-m", "examples", name])


def _check_server(url: str) -> None:
    with MongoClient[dict[str, object]](
        url, serverSelectionTimeoutMS=_SELECTION_TIMEOUT_MS
    ) as client:
        client.admin.command("ping")


def _load(name: str, url: str) -> WSGIApplication:
    os.environ["MONGODB_URL"] = url
    # Pyramid 2.1 imports it; this warning is not about the example.
    warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
    try:
        application: WSGIApplication = import_module(f"examples.{name}.wsgi").application
    except ModuleNotFoundError as error:
        sys.exit(
            f"The example {name} needs {error.name}, which is not installed. The first lines of "
            f"examples{os.sep}{name}{os.sep}wsgi.py contain the command to install it."
        )
    return application


if __name__ == "__main__":
    main(sys.argv[1:])
