"""Pyramid sessions in MongoDB, configured by settings: ``config.include``."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from beaker.cache import cache_regions
from beaker.converters import aslist
from beaker.session import SessionObject
from pyramid.config import Configurator
from pyramid.events import ApplicationCreated
from pyramid.interfaces import ISessionFactory
from pyramid.request import Request
from pyramid.response import Response
from pyramid.settings import asbool
from pyramid_beaker import BeakerSessionFactoryConfig, set_cache_regions_from_settings

from beaker_mongo_soajs.backend.response_headers import mark_response
from beaker_mongo_soajs.backend.session_options import SESSION_TYPE
from beaker_mongo_soajs.backend.session_settings import match_names, strip_prefixes
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.errors import combine_errors
from beaker_mongo_soajs.config.start_warnings import log_start_warnings
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.log_records import fields as log_fields
from beaker_mongo_soajs.middleware import check_options, find_session
from beaker_mongo_soajs.session import MongoSession

log = logging.getLogger(__name__)

_PYRAMID_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "cookie_on_exception": asbool,
    "constant_csrf_token": str,
}


def includeme(config: Configurator) -> None:
    """Set the session factory and the cache regions, as pyramid_beaker's ``includeme`` does.

    ::

        config.include("beaker_mongo_soajs.pyramid")

    or, without a change of code, in the INI file::

        pyramid.includes = beaker_mongo_soajs.pyramid

    The settings start with ``session.`` or ``beaker.session.``, ``cache.`` or ``beaker.cache.``.
    Sessions are :class:`~beaker_mongo_soajs.MongoSession`. Their options are checked as in
    :class:`~beaker_mongo_soajs.SessionMiddleware`. If the application sets another session factory,
    by including pyramid_beaker itself for example, this one replaces it when the application is
    created, and a log line says so.

    :param config: Pyramid's configurator.
    :raises ConfigError: an option is unknown, invalid, or contradicts another.
    """
    registry = config.registry
    errors: list[ConfigError] = []
    factory: Any = None
    try:
        factory = session_factory_from_settings(registry.settings)
    except ConfigError as error:
        errors += error.errors
    try:
        _set_cache_regions(registry.settings)
    except ConfigError as error:
        errors += error.errors
    if errors:
        raise combine_errors(errors)

    def register() -> None:
        registry.registerUtility(factory, ISessionFactory)

    def keep(event: ApplicationCreated) -> None:
        if registry.queryUtility(ISessionFactory) is not factory:
            log.warning(
                "The application has set another session factory. It is replaced by that of "
                "beaker_mongo_soajs.pyramid, which the settings include.",
                extra=log_fields("config.warned"),
            )
            event.app.registry.registerUtility(factory, ISessionFactory)

    # Without a discriminator, the action conflicts with no other one, as set_session_factory would.
    shown = config.introspectable("session factory", None, repr(factory), "session factory")
    shown["factory"] = factory
    config.action(None, register, introspectables=(shown,))
    config.add_subscriber(keep, ApplicationCreated)


def _set_cache_regions(settings: Mapping[str, Any]) -> None:
    """Set the cache regions, and check those of this package without a connection."""
    try:
        set_cache_regions_from_settings(settings)
    except Exception as error:
        raise ConfigError(
            f"Beaker refuses the options of the caches: {str(error).rstrip('.')}.",
            hint="Beaker's documentation lists its options under Configuration.",
        ) from error
    errors: list[ConfigError] = []
    names = settings.get("cache.regions") or settings.get("beaker.cache.regions")
    for name in aslist(names, ","):
        region = cache_regions.get(name, {})
        if region.get("type") != SESSION_TYPE:
            continue
        try:
            log_start_warnings(DbConfig.from_options(region, "cache"))
        except ConfigError as error:
            errors += [_of_region(name, each) for each in error.errors]
    if errors:
        raise combine_errors(errors)


def _of_region(name: str, error: ConfigError) -> ConfigError:
    return ConfigError(
        f"Cache region {name}: {error.args[0]}",
        option=error.option,
        value=error.value,
        hint=error.hint,
        code=error.code,
    )


def session_factory_from_settings(settings: Mapping[str, Any]) -> Any:
    """Return a Pyramid session factory.

    :param settings: the settings of the application.
    :raises ConfigError: an option is unknown, invalid, or contradicts another.
    """
    errors: list[ConfigError] = []
    given = match_names(strip_prefixes(settings), errors.append)
    if errors:
        raise combine_errors(errors)
    own = {name: read(given.pop(name)) for name, read in _PYRAMID_OPTIONS.items() if name in given}
    options = check_options(given, stacklevel=3)

    def get_by_id(_: object, session_id: str) -> MongoSession | None:
        return find_session(options, session_id)

    factory = BeakerSessionFactoryConfig(**options, **own)
    begin = factory.__init__

    def begin_and_mark(session: SessionObject, request: Request) -> None:
        begin(session, request)

        def mark(_: Request, response: Response) -> None:
            mark_response(session, response.headerlist)

        request.add_response_callback(mark)

    factory.__init__ = begin_and_mark
    # Beaker's own get_by_id ignores session_class.
    factory.get_by_id = get_by_id
    return factory
