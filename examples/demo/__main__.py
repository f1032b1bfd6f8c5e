"""Serve the demo: ``python -m examples.demo``.

``PORT`` sets the port, ``MONGODB_URL`` the MongoDB server. By default, the demo starts a server of
its own; with ``REPLICAS=3``, a replica set of three.
"""

from __future__ import annotations

from contextlib import closing

from examples.demo.app import Demo
from examples.demo.database import open_database
from examples.serving import (
    address_of,
    exit_with_message,
    interrupt_on_signals,
    listen,
    read_port,
    serve,
)

_THREADS = 48


def main() -> None:
    """Serve the demo until a signal ends it."""
    port = read_port()
    interrupt_on_signals()
    with (
        exit_with_message("The demo has ended."),
        listen(port) as listener,
        open_database() as database,
        closing(Demo(database)) as demo,
    ):
        words = (
            f"The demo of beaker_mongo_soajs is at {address_of(listener)}\n"
            f"Sessions are in {demo.place.collection} of {demo.place.server}"
        )
        # The experiments send many requests at once, to this process.
        serve(demo, listener, words, threads=_THREADS)


if __name__ == "__main__":
    main()
