"""The configuration, read from any of its forms into one value: :class:`DbConfig`."""

from beaker_mongo_soajs.config.db_config import DbConfig as DbConfig
