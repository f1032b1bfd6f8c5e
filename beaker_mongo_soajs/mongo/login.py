"""Refused logins: what to check, for the configuration at hand."""

from pymongo.errors import OperationFailure

from beaker_mongo_soajs.config import DbConfig

AUTHENTICATION_FAILED = 18
UNAUTHORIZED = 13
_ATLAS_ERROR = 8000
_EXTERNAL = "$external"


def is_login_refused(error: Exception) -> bool:
    """Check whether a server refused to log in the user.

    MongoDB Atlas has one code for all errors of its own, of which this is one.

    :param error: an error of PyMongo's.
    """
    if not isinstance(error, OperationFailure):
        return False
    is_atlas = error.code == _ATLAS_ERROR and "auth" in str(error).lower()
    return is_atlas or error.code == AUTHENTICATION_FAILED


def find_login_hint(config: DbConfig | None) -> str:
    """Return what to check after a refused login.

    :param config: the configuration, if the caller has one.
    """
    source = None if config is None else config.auth_source
    if source is None:
        return "Check credentials, authSource and authMechanism."
    if source in ("admin", _EXTERNAL):
        return (
            f"The user was looked up in the database {source}. Check credentials, and"
            " URLParam.authSource if the user was created in another database."
        )
    return (
        f"The user was looked up in the database {source}. If the user was created in admin, set"
        " URLParam.authSource = admin. Otherwise check credentials and URLParam.authMechanism."
    )


def find_rights_hint(config: DbConfig | None) -> str:
    """Return what to do after a command for which the user has no rights.

    :param config: the configuration, if the caller has one.
    """
    if config is not None and config.client is None and config.credentials is None:
        return (
            "No credentials are configured: set credentials, and URLParam.authSource = admin if the"
            " user was created in admin. The user needs the role readWrite on this database."
        )
    return "Grant the role readWrite on this database to the MongoDB user of the credentials."
