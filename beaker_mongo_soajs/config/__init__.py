"""A configuration in any of its forms, as one value: :class:`DbConfig`."""

from beaker_mongo_soajs.config.db_config import DbConfig as DbConfig
