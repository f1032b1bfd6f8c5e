"""Serve the demo: ``python -m examples.demo``.

``PORT`` sets the port, ``MONGODB_URL`` the MongoDB server. By default, the demo starts a server.
"""

from __future__ import annotations

from contextlib import closing

from beaker_mongo_soajs.testing import mongodb_url
from examples.demo.app import Demo
from examples.serving import (
    address_of,
    exit_with_message,
    interrupt_on_signals,
    listen,
    read_port,
    serve,
)


def main() -> None:
    """Serve the demo until a signal ends it."""
    port = read_port()
    interrupt_on_signals()
    with (
        exit_with_message("The demo has ended."),
        listen(port) as listener,
        mongodb_url() as url,
        closing(Demo(url)) as demo,
    ):
        words = (
            f"The demo of beaker_mongo_soajs is at {address_of(listener)}\n"
            f"Sessions are in {demo.place.collection} of {demo.place.server}"
        )
        serve(demo, listener, words)


if __name__ == "__main__":
    main()
