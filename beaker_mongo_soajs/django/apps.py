"""The entry of ``INSTALLED_APPS``: ``"beaker_mongo_soajs.django"``."""

from django.apps import AppConfig
from django.core import checks

from beaker_mongo_soajs.django.settings import check_settings


class BeakerMongoConfig(AppConfig):
    """Check the settings with ``manage.py check``."""

    name = "beaker_mongo_soajs.django"
    label = "beaker_mongo_soajs"
    verbose_name = "Sessions in MongoDB"

    def ready(self) -> None:
        """Register the check."""
        checks.register(check_settings, "sessions")
