"""The cookie of a session: which ids a request brought, and the cookie's domain and path."""

import json
from contextlib import suppress
from typing import Any

from beaker.converters import asbool
from beaker.session import Session

from beaker_mongo_soajs.backend.cookie_options import (
    DEFAULT_NAME,
    check_cookie,
    is_domain,
    is_path,
    remove_blank,
)
from beaker_mongo_soajs.backend.registry import Stores
from beaker_mongo_soajs.backend.session_options import check_encryption, check_type
from beaker_mongo_soajs.config.beaker_options import is_blank
from beaker_mongo_soajs.cookies import session_ids
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.sessions.session_ids import is_possible_id

# Of several cookies with the session's name, the first that leads to a session counts. Each may
# cost a command.
_MOST_IDS = 2


class SessionWithCookie(Session):
    """A session whose cookie has a domain and a path of its own, if the application sets them."""

    @property
    def domain(self) -> str | None:
        """Return the domain of the cookie, for this session.

        It is stored if it is set; otherwise the option ``cookie_domain`` counts.
        """
        domain = self.get("_domain")
        chosen: str | None = domain if is_domain(domain) else self._config["_domain"]
        return chosen

    @domain.setter
    def domain(self, domain: str | None) -> None:
        self._check_cookie(cookie_domain=domain)
        self._set_domain(domain)

    @property
    def path(self) -> str:
        """Return the path of the cookie, for this session.

        It is stored if it is set; otherwise the option ``cookie_path`` counts.
        """
        path = self.get("_path")
        chosen: Any = path if is_path(path) else self._config["_path"]
        return str(chosen)

    @path.setter
    def path(self, path: str) -> None:
        self._check_cookie(cookie_path=path)
        self._set_path(path)

    def _check_cookie(self, **attribute: str | None) -> None:
        options = {"key": self.key, "secure": self.secure, **attribute}
        check_cookie(options, httponly=self.httponly)


class SessionSettings:
    """The options of a :class:`~beaker_mongo_soajs.MongoSession`, checked and prepared.

    :param options: options without prefix, which are changed. ``Session`` of Beaker takes what is
        left of them.
    :raises ConfigError: an option is invalid, or contradicts another one.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        check_type(options.pop("type", None))
        check_encryption(options)
        remove_blank(options)
        self.uses_cookies = bool(options.get("use_cookies", True))
        if self.uses_cookies:
            check_cookie(options, httponly=options["httponly"])
        # An option of Beaker's file backend, which its Session sets by itself.
        options.pop("digest_filenames", None)
        self.is_rolling = asbool(options.pop("rolling", False)) and self.uses_cookies
        old_secrets = take_old_secrets(options)
        secret = options.get("secret")
        self._name = options.get("key", DEFAULT_NAME)
        self._secrets = [secret] if secret else []
        self._all_secrets = [*self._secrets, *old_secrets]
        self.has_old_secrets = bool(old_secrets)
        self.options = options
        self.stores: Stores | None = None
        """Where the sessions are, as soon as a session has asked for it."""

    def cookie_ids(self, header: str | None, *, from_old_secrets: bool = True) -> list[str]:
        """Return the session ids to try, from the cookies of a request.

        :param header: the ``Cookie`` header.
        :param from_old_secrets: accept signatures of old secrets as well.
        """
        if not self.uses_cookies or not header:
            return []
        secrets = self._all_secrets if from_old_secrets else self._secrets
        ids = session_ids(header, self._name, secrets)
        return [*filter(is_possible_id, ids)][:_MOST_IDS]


def take_old_secrets(options: dict[str, Any]) -> tuple[str, ...]:
    """Remove ``old_secrets`` from the options of a session, and return them.

    :param options: options without prefix; Beaker's ``Session`` does not accept ``old_secrets``.
    :raises ConfigError: they are not texts, or there is no ``secret`` that replaces them.
    """
    value = options.pop("old_secrets", None)
    if is_blank(value):
        return ()
    parts = value
    if isinstance(value, str):
        parts = [value]
        if value.lstrip().startswith("["):
            # Else it is a secret that begins with a bracket.
            with suppress(ValueError):
                parts = json.loads(value)
    if not isinstance(parts, list | tuple) or not all(
        isinstance(part, str) and part for part in parts
    ):
        raise ConfigError(
            "session.old_secrets is invalid: it must be a text or a list of texts.",
            option="old_secrets",
            value=MASK,
            hint='In an INI file, write a list as JSON: ["one", "two"].',
        )
    if parts and not options.get("secret"):
        raise ConfigError(
            "session.old_secrets is set without session.secret.",
            option="old_secrets",
            value=MASK,
            hint="Set session.secret to the new secret. Without it, cookies are not signed.",
        )
    return tuple(parts)
