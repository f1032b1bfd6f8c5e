"""Serve the demonstration: ``python -m examples.demo``.

``PORT`` chooses the port, ``MONGODB_URL`` a MongoDB server that is already there.
"""

from __future__ import annotations

import sys
from contextlib import closing

from pymongo.errors import PyMongoError

from beaker_mongo_soajs import ConfigError
from beaker_mongo_soajs.testing import ServerError, mongodb_url
from examples.demo.app import Demo
from examples.serving import address_of, end_on_signals, listen, read_port, serve


def main() -> None:
    """Serve until a signal says to end."""
    port = read_port()
    end_on_signals()
    try:
        with listen(port) as listener, mongodb_url() as url, closing(Demo(url)) as demo:
            words = (
                f"The demo of beaker_mongo_soajs is at {address_of(listener)}\n"
                f"Sessions are in {demo.place.collection} of {demo.place.server}"
            )
            serve(demo, listener, words)
    except KeyboardInterrupt:
        pass
    except (ConfigError, ServerError) as error:
        sys.exit(str(error))
    except PyMongoError:
        sys.exit("MongoDB does not answer: check MONGODB_URL, and that the server runs.")
    print("\nThe demo has ended.")


if __name__ == "__main__":
    main()
