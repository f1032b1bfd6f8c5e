"""The options and prefixes that belong to Beaker and pyramid_beaker, not to a dbConfig."""

from __future__ import annotations

SESSION_PREFIXES = ("beaker.session.", "session.")
"""The prefixes of session options in the settings of an application."""

CACHE_PREFIXES = ("beaker.cache.", "cache.")
"""The prefixes of cache options in the settings of an application."""

PREFIXES = (*SESSION_PREFIXES, *CACHE_PREFIXES, "session_")
"""Every prefix of Beaker's. ``session_`` is the one that Beaker deprecated.

Beaker's middlewares pass keyword arguments on twice: with the prefix and without it.
"""

_SESSION = (
    "request id invalidate_corrupt use_cookies type data_dir key timeout save_accessed_time"
    " cookie_expires cookie_domain cookie_path data_serializer secret secure namespace_class"
    " httponly encrypt_key validate_key encrypt_nonce_bits crypto_type samesite digest_filenames"
    " lock_dir log_file auto webtest_varname session_class environ_key"
)
_CACHE = "namespace expire expiretime starttime createfunc enabled key_length regions cache_regions"
_PYRAMID = "cookie_on_exception constant_csrf_token"
BEAKER_OPTIONS = frozenset(f"{_SESSION} {_CACHE} {_PYRAMID}".split())
"""The options of Beaker and pyramid_beaker that may stand among those of a backend.

They are the arguments of Session, Cache and their middlewares, what Session.load passes to the
backend, and the names in coerce_session_params and coerce_cache_params.
"""
