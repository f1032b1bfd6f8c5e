"""Warnings about a configuration, for the start of an application."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from beaker_mongo_soajs.config.db_config import DbConfig
from beaker_mongo_soajs.log_records import fields as log_fields

log = logging.getLogger(__name__)

_logged: set[tuple[str, str]] = set()


def log_start_warnings(config: DbConfig) -> None:
    """Log the warnings about a configuration, once in a process.

    Beaker keeps some options from its backends, so that the configuration of a request may have
    fewer leftovers than that of the start.

    :param config: the configuration
    """
    subjects = {outcome.name for outcome in config.leftovers}
    if not config.has_servers:
        subjects.add("servers")
    new = {(config.database, subject) for subject in subjects} - _logged
    if new:
        _logged.update(new)
        where = f"{config.database}.{config.collection}"
        for text in find_start_warnings(config):
            log.warning("%s", text, extra=log_fields("config.warned", collection=where))


def log_idle_warning(config: DbConfig) -> None:
    """Log, once in a process, that nobody chose for how long unused sessions live.

    :param config: the configuration of sessions without a timeout
    """
    subject = (config.database, "timeout")
    if config.has_expire_after or subject in _logged:
        return
    _logged.add(subject)
    log.warning(
        "session.timeout is not set, so a session in the database %s lives for %g days without a"
        " request. Set session.timeout to a number of seconds, or expireAfter to a lifetime.",
        config.database,
        config.expire_after_seconds / 86400,
        extra=log_fields("config.warned", collection=f"{config.database}.{config.collection}"),
    )


def find_start_warnings(config: DbConfig) -> Iterator[str]:
    """Yield what an operator should know about a configuration that can be used.

    :param config: the configuration
    :returns: sentences, without secrets
    """
    if config.leftovers:
        lines = ", ".join(
            f"{outcome.name} ({outcome.text.partition('because ')[2]})"
            for outcome in config.leftovers
        )
        yield f"These options have no effect: {lines}. Remove them."
    if not config.has_servers:
        yield (
            f"No server is configured for the database {config.database}, so 127.0.0.1:27017 is"
            " used. Set servers or url."
        )
