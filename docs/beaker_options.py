"""Beaker's own options, and those that this package adds to them, for the page *Options*."""

from typing import NamedTuple


class BeakerOption(NamedTuple):
    """An option.

    :param name: its name, without a prefix.
    :param value: the values that it takes.
    :param meaning: its effect.
    """

    name: str
    value: str
    meaning: str


_FILES = "For Beaker's `file` and `dbm` backends. No effect here."
_ARGUMENT = "Python object"

_OF_FILES = (
    BeakerOption("data_dir", "path", _FILES),
    BeakerOption("lock_dir", "path", _FILES),
    BeakerOption("log_file", "path", _FILES),
    BeakerOption("digest_filenames", "true or false", _FILES),
)

SESSIONS = (
    BeakerOption(
        "type",
        "`ext:mongodb_soajs`",
        "The backend. Not necessary with the `SessionMiddleware`, the Pyramid include and the "
        "Paste filter of this package.",
    ),
    BeakerOption(
        "session_class",
        "class, or its dotted name",
        "`beaker_mongo_soajs.MongoSession`, for Beaker's own middleware. See "
        "[Sessions](sessions.md#enabling-mongosession).",
    ),
    BeakerOption(
        "timeout",
        "seconds",
        "A session ends after this time without a request. Without it, `expireAfter` applies.",
    ),
    BeakerOption(
        "secret",
        "text, 16 bytes or more",
        "Key of the cookie's signature. Without it, cookies are not signed.",
    ),
    BeakerOption(
        "old_secrets",
        "text, or a list of texts",
        "Earlier secrets: their cookies are accepted, and signed again with `secret`. Needs "
        "MongoSession.",
    ),
    BeakerOption(
        "secure",
        "true or false",
        "Whether browsers send the cookie over HTTPS only. If it is not set, a warning is logged "
        "at the start.",
    ),
    BeakerOption(
        "httponly", "true or false", "Whether scripts in the page cannot read the cookie."
    ),
    BeakerOption(
        "samesite",
        "`Lax`, `Strict`, `None`",
        "Whether browsers send the cookie with requests that come from other sites.",
    ),
    BeakerOption("key", "text", "Name of the cookie."),
    BeakerOption(
        "cookie_expires",
        "true, false, or seconds",
        "`true`: the cookie ends with the browser. `false`: it does not expire. Seconds: it "
        "expires after this time.",
    ),
    BeakerOption(
        "rolling",
        "true or false",
        "Whether each response moves the cookie's expiry. Default: `false`. Needs MongoSession.",
    ),
    BeakerOption("cookie_domain", "domain", "Domain of the cookie. Default: the host only."),
    BeakerOption("cookie_path", "path", "Path of the cookie."),
    BeakerOption(
        "cookie_format",
        "`beaker`, `express`",
        "`express`: the cookie of express-session. See [One fleet with Node](node.md). Default: "
        "`beaker`. Needs MongoSession.",
    ),
    BeakerOption("use_cookies", "true or false", "`false`: the application passes the session id."),
    BeakerOption(
        "auto", "true or false", "`true`: save at the end of each request. Default: `false`."
    ),
    BeakerOption(
        "save_accessed_time",
        "true or false",
        "`false`: a request that only reads does not write the access time. Not together with "
        "`timeout`.",
    ),
    BeakerOption(
        "invalidate_corrupt",
        "true or false",
        "Whether a visitor whose document cannot be read gets a new session. `false`: "
        "`SerializationError`. An outage is an error in both cases.",
    ),
    BeakerOption(
        "data_serializer",
        "`pickle`, `json`, or an object",
        "`json`: only values that JSON has. An object with `dumps` and `loads` of your own: the "
        "session is stored as its text. See "
        "[Sessions](sessions.md#values-that-a-session-may-hold).",
    ),
    BeakerOption(
        "encrypt_key", "ASCII text", "Encrypts sessions. Needs `validate_key` and an AES library."
    ),
    BeakerOption("validate_key", "ASCII text", "The second key of the encryption."),
    BeakerOption(
        "crypto_type",
        "`cryptography`, …",
        "The library that encrypts. Set it to `cryptography`, and install the extra `encryption`.",
    ),
    BeakerOption("encrypt_nonce_bits", "multiple of 8", "Size of the nonce of the encryption."),
    BeakerOption(
        "check_at_start",
        "true, false, or seconds",
        "`true`: the application starts only if the database answers. Seconds: it waits so long "
        "for the database. For the integrations of this package. Default: `false`.",
    ),
    BeakerOption(
        "environ_key",
        "text",
        "Key of the session in the WSGI environment. Default: `beaker.session`.",
    ),
    BeakerOption(
        "cookie_on_exception",
        "true or false",
        "Pyramid only: whether the cookie is set when a view raises an error.",
    ),
    BeakerOption(
        "constant_csrf_token", "text", "Pyramid only: one CSRF token for all sessions, for tests."
    ),
    BeakerOption(
        "webtest_varname", "text", "Name under which WebTest provides the session to tests."
    ),
    BeakerOption("namespace_class", _ARGUMENT, "Refused: MongoSession has a class of its own."),
    BeakerOption("id", "text", "Argument of the class only. Refused in settings."),
    BeakerOption("request", _ARGUMENT, "Argument of the class only."),
    *_OF_FILES,
)
"""The options of sessions, the most important ones first."""

CACHES = (
    BeakerOption("type", "`ext:mongodb_soajs`", "The backend."),
    BeakerOption(
        "expire",
        "seconds",
        "Lifetime of a value. Without it, a value does not expire.",
    ),
    BeakerOption("expiretime", "seconds", "Another name of `expire`."),
    BeakerOption("starttime", "seconds since 1970", "Values that were stored before are outdated."),
    BeakerOption("enabled", "true or false", "`false`: functions are called, and not cached."),
    BeakerOption("regions", "list of names", "The regions, which `cache.NAME.…` configure."),
    BeakerOption("cache_regions", "dict", "The regions, as an argument of `CacheManager`."),
    BeakerOption(
        "key_length",
        "number",
        "Decorators replace the text of longer arguments by a digest.",
    ),
    BeakerOption("namespace", "text", "Argument of the class only."),
    BeakerOption("createfunc", "function", "Argument of `get_value` only."),
    BeakerOption("namespace_class", _ARGUMENT, "Argument of the class only."),
    *_OF_FILES,
)
"""The options of caches, the most important ones first."""
