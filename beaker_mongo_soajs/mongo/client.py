"""One ``MongoClient`` for each process and configuration."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.log_records import fields as log_fields
from beaker_mongo_soajs.mongo.clock_readings import HeartbeatClock, reading_of
from beaker_mongo_soajs.mongo.tls import PASSPHRASE_KEYWORD, PemFiles
from beaker_mongo_soajs.options.frozen import thaw

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 1.0
_MECHANISM_MODULES = {
    "GSSAPI": (("kerberos", "winkerberos"), "gssapi"),
    "MONGODB-AWS": (("pymongo_auth_aws",), "aws"),
}

_Clients = dict[Hashable, "Future[MongoClient[Any]]"]

# A client belongs to the process that made it: after a fork, the child finds none under its own
# id, and neither uses nor closes those that it inherited. Nothing here takes a lock, which would
# block all greenlets if it was made before gevent patches the threading module: setdefault of a
# dict is atomic.
_clients: dict[int, _Clients] = {}
_inherited: list[_Clients] = []
_generations: list[None] = []
_logged: set[str] = set()

closers: list[Callable[[], None]] = []
"""What else :func:`close_clients` closes: connections to servers other than MongoDB."""


def get_client(config: DbConfig) -> MongoClient[Any]:
    """Return the client of this process for a configuration; make it on first use.

    A client does not connect before it is used. If the application configured its own client, that
    one is returned; an application that forks has to make it after the fork.

    :param config: the configuration
    :returns: the client; the caller must not close it
    :raises ConfigError: PyMongo refuses a setting, or a certificate or key cannot be used
    """
    if config.client is not None:
        return config.client
    clients = _clients.setdefault(os.getpid(), {})
    key = config.connection_key
    mine: Future[MongoClient[Any]] = Future()
    future = clients.setdefault(key, mine)
    if future is not mine:
        return future.result()
    try:
        client = _make_client(config)
    except BaseException as error:
        # The next caller tries again: a missing certificate may exist by then.
        clients.pop(key, None)
        mine.set_exception(error)
        raise
    mine.set_result(client)
    _log_idle_options(config)
    return client


def check_client(config: DbConfig) -> None:
    """Check certificate files and PyMongo's own rules by making a client, without connecting.

    :param config: the configuration
    :raises ConfigError: PyMongo refuses a setting, or a certificate or key cannot be used
    """
    if config.client is None:
        check_modules(config)
        _make_client(config).close()


def check_modules(config: DbConfig) -> None:
    """Check that the module for the authentication mechanism is there; PyMongo imports it late.

    :param config: the configuration
    :raises ConfigError: the module is missing
    """
    mechanism = config.keywords.get("authMechanism", "")
    modules, extra = _MECHANISM_MODULES.get(mechanism, ((), ""))
    if modules and not any(find_spec(module) for module in modules):
        name = config.origins["authMechanism"]
        raise ConfigError(
            f"{name} is {mechanism}, which needs the module {' or '.join(modules)}.",
            option=name,
            value=mechanism,
            hint=f'Run pip install "pymongo[{extra}]".',
        )


@contextmanager
def temporary_client(config: DbConfig) -> Iterator[MongoClient[Any]]:
    """Provide a client for a ``with`` block, and close it afterwards, so that a fork is safe.

    If the application configured its own client, that one is provided, and stays open.

    :param config: the configuration
    :raises ConfigError: PyMongo refuses a setting, or a certificate or key cannot be used
    """
    if config.client is not None:
        yield config.client
        return
    with _make_client(config) as client:
        yield client


def close_clients() -> None:
    """Close all clients that this package made in this process, with threads and connections.

    Later requests make new clients. An application's own client stays open. This function also runs
    when the interpreter exits.
    """
    for close in closers:
        close()
    clients = _clients.pop(os.getpid(), {})
    _generations.append(None)
    for future in clients.values():
        future.add_done_callback(_close)


def close_client(config: DbConfig) -> None:
    """Close the client of this process for one configuration; later requests make a new one.

    Configurations that connect alike share a client. An application's own client stays open.

    :param config: the configuration
    """
    future = _clients.get(os.getpid(), {}).pop(config.connection_key, None)
    if future is not None:
        _generations.append(None)
        future.add_done_callback(_close)


def clients_generation() -> int:
    """Return a number that changes when a client is closed, and in the child of a fork.

    :returns: the number: a client from before it changed must not be used
    """
    return len(_generations)


def _close(future: Future[MongoClient[Any]]) -> None:
    if future.exception() is None:
        # Closing sends a command that ends sessions, and would wait for half a minute, by default,
        # for a server that hangs.
        with pymongo.timeout(_CLOSE_SECONDS):
            future.result().close()


def _make_client(config: DbConfig) -> MongoClient[Any]:
    keywords: dict[str, Any] = thaw(config.keywords)
    if config.credentials is not None:
        keywords["username"] = config.credentials.username
        keywords["password"] = config.credentials.password
    _hide_secrets(keywords)
    own = HeartbeatClock(reading_of(config.connection_key))
    keywords["event_listeners"] = [*keywords.get("event_listeners", ()), own]
    from_dns = config.host.startswith("mongodb+srv:")
    with PemFiles(keywords, config.origins, keep=from_dns) as files:
        try:
            return MongoClient(config.host, connect=False, **files.keywords)
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            raise ConfigError(
                f"PyMongo refuses the configuration: {error}.", hint=_hint(error)
            ) from error


class _HiddenText(str):
    """A secret text: the ``repr`` of a client shows its keyword arguments."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def _hide_secrets(keywords: dict[str, Any]) -> None:
    if PASSPHRASE_KEYWORD in keywords:
        keywords[PASSPHRASE_KEYWORD] = _HiddenText(keywords[PASSPHRASE_KEYWORD])
    properties = keywords.get("authMechanismProperties", {})
    for name, value in properties.items():
        if "TOKEN" in name and isinstance(value, str):
            properties[name] = _HiddenText(value)


def _hint(error: Exception) -> str:
    if "Private key" in str(error):
        return "Check that sslKey belongs to sslCert, and that sslPass is the key's passphrase."
    return "DbConfig.explain() shows which option became which keyword argument."


def _log_idle_options(config: DbConfig) -> None:
    for outcome in config.outcomes:
        line = str(outcome)
        if outcome.idle and line not in _logged:
            _logged.add(line)
            log.info("%s", line, extra=log_fields("config.no_effect"))


def _park_inherited() -> None:
    _generations.append(None)
    # Process ids are reused: a client that an ancestor left under this id is not ours.
    stale = _clients.pop(os.getpid(), None)
    if stale is not None:
        _inherited.append(stale)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_park_inherited)
atexit.register(close_clients)
