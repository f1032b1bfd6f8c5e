"""Django's sessions in MongoDB: ``SESSION_ENGINE = "beaker_mongo_soajs.django"``.

Nothing here imports Django before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beaker_mongo_soajs.django.engine import SessionEnded, SessionStore
    from beaker_mongo_soajs.django.settings import find_store

__all__ = ["SessionEnded", "SessionStore", "find_store"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    settings = import_module(f"{__name__}.settings")
    if name == "find_store":
        return settings.find_store
    # Django's middleware asks for SessionStore when the application starts.
    settings.check_at_start()
    return getattr(import_module(f"{__name__}.engine"), name)
