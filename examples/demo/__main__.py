"""Serve the demonstration: ``python -m examples.demo``.

``PORT`` chooses the port, ``MONGODB_URL`` a MongoDB server that is already there.
"""

from __future__ import annotations

from contextlib import closing

from beaker_mongo_soajs.testing import mongodb_url
from examples.demo.app import Demo
from examples.serving import address_of, end_on_signals, listen, read_port, serve, until_ended


def main() -> None:
    """Serve until a signal says to end."""
    port = read_port()
    end_on_signals()
    with (
        until_ended("The demo has ended."),
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
