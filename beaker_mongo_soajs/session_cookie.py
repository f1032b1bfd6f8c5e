"""The cookie of a session: which ids a request brought, and the cookie's domain and path."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from beaker.session import Session

from beaker_mongo_soajs.backend.cookie_options import (
    DEFAULT_NAME,
    check_cookie,
    is_domain,
    is_path,
)
from beaker_mongo_soajs.cookies import session_ids
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


def cookie_ids(request: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Return the session ids to try, from the cookies of a request.

    :param request: Beaker's dict of cookies.
    :param options: options of a session, without prefix.
    """
    if not options.get("use_cookies", True):
        return []
    name = options.get("key", DEFAULT_NAME)
    secret = options.get("secret")
    ids = session_ids(request.get("cookie"), name, [secret] if secret else [])
    return list(islice(filter(is_possible_id, ids), _MOST_IDS))
