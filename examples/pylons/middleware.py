"""The application in ``site.ini``, made as in every Pylons project."""

import os
from pathlib import Path
from typing import Any

import beaker.middleware
from beaker.cache import CacheManager
from beaker.util import parse_cache_config_options
from paste.deploy.converters import asbool
from paste.registry import RegistryManager
from pylons.configuration import PylonsConfig
from pylons.wsgiapp import PylonsApp
from routes import Mapper
from routes.middleware import RoutesMiddleware

import beaker_mongo_soajs


class Globals:
    """Objects that all requests share: the cache, where Pylons expects it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.cache = CacheManager(**parse_cache_config_options(config))


def make_app(global_conf: dict[str, str], hardened: str = "false", **app_conf: str) -> Any:
    """Make the application, for Paste Deploy.

    :param hardened: whether to use the session middleware of this package instead of Beaker's.
    """
    config = _load_environment(global_conf, app_conf)
    app = RoutesMiddleware(PylonsApp(config=config), config["routes.map"], singleton=False)
    package = beaker_mongo_soajs if asbool(hardened) else beaker.middleware
    return RegistryManager(package.SessionMiddleware(app, config))


def _load_environment(global_conf: dict[str, str], app_conf: dict[str, str]) -> Any:
    root = Path(__file__).parent
    config = PylonsConfig()
    config.init_app(
        global_conf,
        app_conf,
        package=__package__,
        paths={"root": str(root), "controllers": str(root / "controllers"), "templates": []},
    )
    url = os.environ.get("MONGODB_URL", config["beaker.session.url"])
    config["beaker.session.url"] = url
    config["routes.map"] = _make_map(str(root / "controllers"))
    config["pylons.app_globals"] = Globals(config)
    return config


def _make_map(controllers: str) -> Any:
    routes = Mapper(directory=controllers)
    for action, path, method in (
        ("index", "/", "GET"),
        ("login", "/login", "POST"),
        ("logout", "/logout", "POST"),
        ("error", "/error", "GET"),
    ):
        routes.connect(path, controller="site", action=action, conditions={"method": [method]})
    return routes
