"""The cookie of a session: which ids a request brought, and how the cookie is written."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from beaker.converters import asbool
from beaker.session import Session

from beaker_mongo_soajs import express_cookie
from beaker_mongo_soajs.backend.cookie_options import (
    DEFAULT_NAME,
    check_cookie,
    is_domain,
    is_path,
    remove_blank,
)
from beaker_mongo_soajs.backend.express_cookie import describe_cookie
from beaker_mongo_soajs.backend.registry import Stores, find_stores
from beaker_mongo_soajs.backend.response_headers import OWN_HEADERS
from beaker_mongo_soajs.backend.session_options import (
    check_cookie_format,
    check_encryption,
    check_type,
)
from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.config.beaker_options import is_blank, is_express
from beaker_mongo_soajs.cookies import session_ids
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.mongo.documents import Document, utc_now
from beaker_mongo_soajs.sessions.express import ExpressCookie, max_age_seconds
from beaker_mongo_soajs.sessions.session_ids import is_possible_id

# Of several cookies with the session's name, the first that leads to a session counts. Each may
# cost a command.
_MOST_IDS = 2


class SessionWithCookie(Session):
    """A session whose cookie has a domain and a path of its own, if the application sets them.

    In the format of Express, a stored session also has the other attributes of its cookie.
    """

    _settings: "SessionSettings"
    _express_cookie: Document | None = None
    """What the document of the session says about its cookie, with ``cookie_format = express``."""

    @property
    def _stores(self) -> Stores:
        stores = self._settings.stores
        if stores is None:
            options = {key: value for key, value in self.namespace_args.items() if key != "timeout"}
            stores = find_stores(self.namespace_args.get("timeout"), options, "session")
            self._settings.stores = stores
        return stores

    @property
    def config(self) -> DbConfig:
        """Return the dbConfig of the sessions."""
        return self._stores.config

    @property
    def domain(self) -> str | None:
        """Return the domain of the cookie, for this session.

        It is stored if it is set; otherwise the option ``cookie_domain`` counts.
        """
        chosen: str | None = self._attribute("_domain", "domain", is_domain)
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
        return str(self._attribute("_path", "path", is_path))

    @path.setter
    def path(self, path: str) -> None:
        self._check_cookie(cookie_path=path)
        self._set_path(path)

    def _attribute(self, key: str, name: str, is_valid: Callable[[object], bool]) -> Any:
        """Return an attribute that the application, the document or the options determine."""
        value, configured = self.get(key), self._config[key]
        if self._express_cookie is not None and value == configured:
            value = self._express_cookie.get(name)
        return value if is_valid(value) else configured

    def _update_cookie_out(self, set_cookie: bool = True) -> None:
        super()._update_cookie_out(set_cookie)
        if self._settings.is_express:
            self.request["cookie_out"] = self._express_cookie_out()

    def _express_cookie_out(self) -> str:
        now = datetime.now(UTC)
        cookie = self._express_cookie or self._new_express_cookie().native(utc_now())
        expires = self.cookie_expires
        if not isinstance(expires, datetime):
            seconds = max_age_seconds(cookie)
            expires = None if seconds is None else now + timedelta(seconds=seconds)
        elif expires.tzinfo is None:
            expires = expires.replace(tzinfo=UTC)
        value = express_cookie.cookie_value(self.id, self._settings.secret)
        attributes = cookie | {"domain": self.domain, "path": self.path}
        return express_cookie.set_cookie(self.key, value, attributes, expires)

    def _new_express_cookie(self) -> ExpressCookie:
        return describe_cookie(self, self.config.expire_after_seconds)

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
        self.adds_headers = bool(options.pop(OWN_HEADERS, False))
        """Whether the middleware adds the headers for caches."""
        self.uses_cookies = bool(options.get("use_cookies", True))
        check_cookie_format(options)
        self.is_express = is_express(options)
        """Whether the cookie has the format of Express."""
        # Beaker's middleware always passes its own default.
        if self.is_express and options.get("key") in (None, "", DEFAULT_NAME):
            options["key"] = express_cookie.DEFAULT_NAME
        if self.uses_cookies:
            check_cookie(options, httponly=options["httponly"])
        # An option of Beaker's file backend, which its Session sets by itself.
        options.pop("digest_filenames", None)
        # In the cookie of Express, a timeout limits the cookie as well. If it did not slide, the
        # browsers of visitors who only read would remove it.
        slides = self.is_express and bool(options.get("timeout"))
        rolling = options.pop("rolling", None)
        self.is_rolling = (slides if is_blank(rolling) else asbool(rolling)) and self.uses_cookies
        old_secrets = take_old_secrets(options)
        secret = options.get("secret")
        if self.is_express:
            # Beaker would sign in its own format.
            del options["secret"]
        self.secret = str(secret)
        """The secret that signs, if there is one."""
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
        if self.is_express:
            found = express_cookie.session_id(header, self._name, secrets)
            return [found] if found is not None and is_possible_id(found) else []
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
