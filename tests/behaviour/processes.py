"""Processes of a test, as the server and their standard error show them."""

import re
from typing import Any

from tests.conftest import Client

# Each of these on standard error is a fault. (Beaker before 1.14 and gevent warn of other things.)
BAD_WORDS = re.compile(
    r"Traceback|ResourceWarning|opened before fork|Unclosed|Exception ignored|deadlock"
)


VERBOSE = {"PYTHONDEVMODE": "1"}


def connections_of(client: Client, app_name: str) -> int:
    """Return the number of connections of an application."""
    stages: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True, "idleConnections": True}},
        {"$match": {"appName": app_name}},
        {"$count": "connections"},
    ]
    found = list(client.admin.aggregate(stages))
    return found[0]["connections"] if found else 0
