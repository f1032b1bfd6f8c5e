"""Pyramid sessions in MongoDB, configured by settings: ``config.include``."""

from collections.abc import Callable, Mapping
from typing import Any

from beaker.session import SessionObject
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.settings import asbool
from pyramid_beaker import BeakerSessionFactoryConfig, set_cache_regions_from_settings

from beaker_mongo_soajs.backend.response_headers import mark_response
from beaker_mongo_soajs.backend.session_options import strip_prefixes
from beaker_mongo_soajs.middleware import check_options, find_session
from beaker_mongo_soajs.session import MongoSession

_PYRAMID_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "cookie_on_exception": asbool,
    "constant_csrf_token": str,
}


def includeme(config: Configurator) -> None:
    """Set the session factory and the cache regions, as pyramid_beaker's ``includeme`` does.

    ::

        config.include("beaker_mongo_soajs.pyramid")

    The settings start with ``session.`` or ``beaker.session.``, ``cache.`` or ``beaker.cache.``.
    Sessions are :class:`~beaker_mongo_soajs.MongoSession`. Their options are checked as in
    :class:`~beaker_mongo_soajs.SessionMiddleware`.

    :param config: Pyramid's configurator.
    :raises ConfigError: an option of the sessions is unknown, invalid, or contradicts another.
    """
    settings = config.registry.settings
    config.set_session_factory(session_factory_from_settings(settings))
    set_cache_regions_from_settings(settings)


def session_factory_from_settings(settings: Mapping[str, Any]) -> Any:
    """Return a Pyramid session factory.

    :param settings: the settings of the application.
    :raises ConfigError: an option is unknown, invalid, or contradicts another.
    """
    given = strip_prefixes(settings)
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
