"""Workloads: the kinds of requests."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benchmarks.visits import Site

READ, CHANGE, LOGIN, NEW = "read", "change", "login", "new"

_numbers = itertools.count(1)


class Workload(NamedTuple):
    """A kind of request.

    :param title: the title in tables.
    :param prepare: a function that returns the input of the next request, from the site and the
        cookies of its sessions; its time is not measured.
    :param serve: a function that serves the request.
    """

    title: str
    prepare: Callable[[Site, Iterator[str]], Any]
    serve: Callable[[Site, Any], object]


WORKLOADS = {
    READ: Workload(
        "read only", lambda _, cookies: next(cookies), lambda site, cookie: site.read(cookie)
    ),
    CHANGE: Workload(
        "small change",
        lambda _, cookies: (next(cookies), next(_numbers)),
        lambda site, visit: site.change(*visit),
    ),
    LOGIN: Workload(
        "login and logout",
        lambda site, _: site.begin(),
        lambda site, cookie: site.log_out(site.log_in(cookie)),
    ),
    NEW: Workload("new visitor", lambda *_: None, lambda site, _: site.begin()),
}
