"""One ``MongoClient`` for a process and a configuration."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.mongo.tls import PASSPHRASE_KEYWORD, PemFiles
from beaker_mongo_soajs.options.frozen import thaw

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 1.0

_Clients = dict[Hashable, "Future[MongoClient[Any]]"]

# A client belongs to the process that made it: after a fork, the child finds nothing under its own
# id, and what it inherited stays under the parent's, neither used nor closed. Nothing here takes a
# lock: dict.setdefault is atomic, and a lock made before gevent patches the threading module would
# stop every greenlet of the thread that waits for it.
_clients: dict[int, _Clients] = {}
_inherited: list[_Clients] = []
_closings: list[None] = []
_remarks: set[str] = set()


def get_client(config: DbConfig) -> MongoClient[Any]:
    """Get the client for a configuration: one for a process, however many threads ask together.

    Nothing is connected to before the client is used. A client that the configuration itself brings
    is answered as it is; whoever made it before a fork has to make another one after it.

    :param config: the configuration
    :returns: the client; not for the caller to close
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
        # The next caller tries again: a missing certificate may be there by then.
        clients.pop(key, None)
        mine.set_exception(error)
        raise
    mine.set_result(client)
    _remark(config)
    return client


def check_client(config: DbConfig) -> None:
    """Check what only making a client shows: files of certificates and PyMongo's own rules.

    Connects to nothing and leaves nothing behind.

    :param config: the configuration
    :raises ConfigError: PyMongo refuses a setting, or a certificate or key cannot be used
    """
    if config.client is None:
        _make_client(config).close()


@contextmanager
def temporary_client(config: DbConfig) -> Iterator[MongoClient[Any]]:
    """Lend a client that is none of the process's: closed at the end, it can meet no fork.

    A client that the configuration brings is lent as it is, and stays open.

    :param config: the configuration
    :raises ConfigError: PyMongo refuses a setting, or a certificate or key cannot be used
    """
    if config.client is not None:
        yield config.client
        return
    with _make_client(config) as client:
        yield client


def close_clients() -> None:
    """Close every client that this process made, with its threads and connections.

    What comes after it makes new clients. Runs by itself when the interpreter ends.
    """
    clients = _clients.pop(os.getpid(), {})
    _closings.append(None)
    for future in clients.values():
        future.add_done_callback(_close)


def clients_generation() -> int:
    """Get a number that changes whenever clients that were answered before are closed.

    :returns: the number; together with the process id it says whether a client kept still serves
    """
    return len(_closings)


def _close(future: Future[MongoClient[Any]]) -> None:
    if future.exception() is None:
        # Closing tells the server which of its sessions have ended, and would wait for as long as a
        # server that hangs takes to be given up: half a minute by default.
        with pymongo.timeout(_CLOSE_SECONDS):
            future.result().close()


def _make_client(config: DbConfig) -> MongoClient[Any]:
    keywords: dict[str, Any] = thaw(config.keywords)
    if config.credentials is not None:
        keywords["username"] = config.credentials.username
        keywords["password"] = config.credentials.password
    _hide_secrets(keywords)
    from_dns = config.host.startswith("mongodb+srv:")
    with PemFiles(keywords, config.origins, keep=from_dns) as files:
        try:
            return MongoClient(config.host, connect=False, **files.keywords)
        except (PyMongoError, ValueError, TypeError, OSError) as error:
            raise ConfigError(
                f"PyMongo refuses the configuration: {error}.", hint=_hint(error)
            ) from error


class _HiddenText(str):
    """Text that is a secret: a client's ``repr`` shows its keywords."""

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
    return "DbConfig.explain() shows which option became which of its keywords."


def _remark(config: DbConfig) -> None:
    for outcome in config.outcomes:
        line = str(outcome)
        if outcome.idle and line not in _remarks:
            _remarks.add(line)
            log.info("%s", line)


def _park_inherited() -> None:
    # A process id can come again: what an ancestor left under it must not be taken for ours.
    stale = _clients.pop(os.getpid(), None)
    if stale is not None:
        _inherited.append(stale)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_park_inherited)
atexit.register(close_clients)
