"""The cookie of a session: which ids a request brought, and the cookie's domain and path."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from beaker.session import Session

from beaker_mongo_soajs.backend.cookie_options import (
    DEFAULT_NAME,
    check_cookie,
    is_domain,
    is_path,
)
from beaker_mongo_soajs.config.beaker_options import is_blank
from beaker_mongo_soajs.cookies import session_ids
from beaker_mongo_soajs.exceptions import MASK, ConfigError
from beaker_mongo_soajs.sessions.document import is_possible_id

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


def cookie_ids(
    request: Mapping[str, Any], options: Mapping[str, Any], old_secrets: Sequence[str] = ()
) -> list[str]:
    """Return the session ids to try, from the cookies of a request.

    :param request: Beaker's dict of cookies.
    :param options: options of a session, without prefix.
    :param old_secrets: further secrets whose signatures are valid.
    """
    if not options.get("use_cookies", True):
        return []
    name = options.get("key", DEFAULT_NAME)
    secret = options.get("secret")
    secrets = [secret, *old_secrets] if secret else []
    ids = session_ids(request.get("cookie"), name, secrets)
    return list(islice(filter(is_possible_id, ids), _MOST_IDS))


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
