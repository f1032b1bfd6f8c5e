"""Serve an example: ``python -m examples NAME``.

``PORT`` chooses the port, ``MONGODB_URL`` a MongoDB server that is already there; otherwise there
is one for as long as the example runs.
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
from examples.serving import address_of, end_on_signals, listen, read_port, serve, until_ended

_SELECTION_TIMEOUT_MS = 3_000


def main(arguments: list[str]) -> None:
    """Serve until a signal says to end.

    :param arguments: the name of the example.
    """
    name = read_name(arguments)
    _go_on_where_it_can(name)
    port = read_port()
    end_on_signals()
    with until_ended("The example has ended."), ExitStack() as stack:
        listener = stack.enter_context(listen(port))
        url = stack.enter_context(mongodb_url())
        stack.callback(close_clients)
        _ask(url)
        application = _load(name, url)
        words = (
            f"The example {name} is at {address_of(listener)}\n"
            f"Its code is in examples{os.sep}{name}"
        )
        serve(application, listener, words)


def _go_on_where_it_can(name: str) -> None:
    # Pylons needs an environment of its own.
    module = f"examples.{name}.environment"
    if find_spec(module) is not None:
        import_module(module).go_on(["-m", "examples", name])


def _ask(url: str) -> None:
    with MongoClient[dict[str, object]](
        url, serverSelectionTimeoutMS=_SELECTION_TIMEOUT_MS
    ) as client:
        client.admin.command("ping")


def _load(name: str, url: str) -> WSGIApplication:
    os.environ["MONGODB_URL"] = url
    # Pyramid 2.1 imports it. That is no news for whoever looks at an example.
    warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
    try:
        application: WSGIApplication = import_module(f"examples.{name}.wsgi").application
    except ModuleNotFoundError as error:
        sys.exit(
            f"The example {name} needs {error.name}, which is not installed: its first lines say "
            "how to install what it needs."
        )
    return application


if __name__ == "__main__":
    main(sys.argv[1:])
