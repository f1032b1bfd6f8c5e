"""Pyramid with sessions in MongoDB, from its settings alone: ``config.include``."""

from collections.abc import Callable, Mapping
from typing import Any

from pyramid.config import Configurator
from pyramid.settings import asbool
from pyramid_beaker import BeakerSessionFactoryConfig, set_cache_regions_from_settings

from beaker_mongo_soajs.backend.session_options import strip_prefixes
from beaker_mongo_soajs.middleware import check_options, find_session
from beaker_mongo_soajs.session import MongoSession

_PYRAMID_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "cookie_on_exception": asbool,
    "constant_csrf_token": str,
}


def includeme(config: Configurator) -> None:
    """Set the session factory and the cache regions, as pyramid_beaker's own ``includeme`` does.

    ::

        config.include("beaker_mongo_soajs.pyramid")

    with settings that start with ``session.`` or ``beaker.session.``, ``cache.`` or
    ``beaker.cache.``. Sessions are :class:`~beaker_mongo_soajs.MongoSession`; their options are
    checked as :class:`~beaker_mongo_soajs.SessionMiddleware` does.

    :param config: Pyramid's configurator.
    :raises ConfigError: when an option of the sessions cannot be used.
    """
    settings = config.registry.settings
    config.set_session_factory(session_factory_from_settings(settings))
    set_cache_regions_from_settings(settings)


def session_factory_from_settings(settings: Mapping[str, Any]) -> Any:
    """Return a Pyramid session factory.

    :param settings: the settings of the application.
    :raises ConfigError: when an option cannot be used.
    """
    given = strip_prefixes(settings)
    own = {name: read(given.pop(name)) for name, read in _PYRAMID_OPTIONS.items() if name in given}
    options = check_options(given, stacklevel=3)

    def get_by_id(_: object, session_id: str) -> MongoSession | None:
        return find_session(options, session_id)

    factory = BeakerSessionFactoryConfig(**options, **own)
    # Beaker's own makes a plain Session, whatever session_class says.
    factory.get_by_id = get_by_id
    return factory
