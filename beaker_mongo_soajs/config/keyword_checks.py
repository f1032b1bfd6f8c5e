"""Checks of ``MongoClient`` keywords against each other.

PyMongo makes most of these checks, too, but only on the first request, and its errors name
keywords instead of options.
"""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.config.credentials import Credentials
from beaker_mongo_soajs.exceptions import ConfigError

TLS_MATERIAL = ("tlsCAFile", "tlsCRLFile", "tlsCertificateKeyFile", "sslKey")
TLS_LENIENCE = (
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsDisableOCSPEndpointCheck",
    "tlsInsecure",
)
PASSWORDLESS = ("MONGODB-X509", "MONGODB-OIDC")
USERLESS = (*PASSWORDLESS, "MONGODB-AWS")
EXTERNAL = (*USERLESS, "GSSAPI")
"""Mechanisms whose users are not stored in a database: their ``authSource`` is ``$external``."""

_IDLE_WRITE_SECONDS = 10
"""PyMongo checks this bound on the first read (``pymongo.max_staleness_selectors``)."""

Keywords = dict[str, Any]
Names = dict[str, str]
"""The name of the option behind each keyword."""


class KeywordChecks:
    """Check keywords against each other, and add the ones that follow from them.

    :param keywords: the keywords; changed in place
    :param names: the name of the option behind each keyword, for errors
    :param count: the number of servers
    :param srv: whether the servers come from the DNS
    :param credentials: the user's name and password, or ``None``
    :ivar dropped: the keywords that were removed because they have no effect, with the reason
    """

    def __init__(
        self,
        keywords: Keywords,
        names: Names,
        count: int,
        srv: bool,
        credentials: Credentials | None,
    ) -> None:
        self.keywords = keywords
        self.dropped: dict[str, str] = {}
        self._names = names
        self._count = count
        self._srv = srv
        self._credentials = credentials

    def run(self) -> None:
        """Run all checks.

        :raises ConfigError: two options contradict each other, or one needs another
        """
        self._check_tls()
        self._check_authentication()
        self._check_reads()
        self._check_writes()
        self._check_topology()

    def _name(self, keyword: str) -> str:
        return self._names.get(keyword, keyword)

    def _refuse(self, keyword: str, problem: str, hint: str) -> ConfigError:
        name = self._name(keyword)
        return ConfigError(f"{name} {problem}.", option=name, hint=hint)

    def _check_tls(self) -> None:
        keywords = self.keywords
        material = [name for name in TLS_MATERIAL if name in keywords]
        if "tlsCertificateKeyFilePassword" in keywords and not {
            "tlsCertificateKeyFile",
            "sslKey",
        } & set(keywords):
            raise self._refuse(
                "tlsCertificateKeyFilePassword",
                "is given without a key",
                "Set sslCert and sslKey.",
            )
        if "sslKey" in keywords and "tlsCertificateKeyFile" not in keywords:
            raise self._refuse("sslKey", "is given without a certificate", "Set sslCert as well.")
        # As in PyMongo: the value false for one of these options turns TLS on.
        strict = [name for name in TLS_LENIENCE if keywords.get(name) is False]
        for name in (*material, *strict):
            if keywords.get("tls") is False:
                raise self._refuse(
                    name,
                    f"needs TLS, but {self._name('tls')} turns it off",
                    f"Set {self._name('tls')} to true, or remove {self._name(name)}.",
                )
            keywords["tls"] = True
        if not keywords.get("tls"):
            self._drop(TLS_LENIENCE, "TLS is off")
        elif "tlsInsecure" in keywords:
            for name in TLS_LENIENCE[:3]:
                if name in self._names:
                    raise self._refuse(
                        name,
                        f"and {self._name('tlsInsecure')} mean the same checks",
                        "Remove one of them.",
                    )

    def _drop(self, names: tuple[str, ...], because: str) -> None:
        for name in names:
            if self.keywords.pop(name, None) is not None:
                self.dropped[name] = because

    def _check_authentication(self) -> None:
        mechanism = self.keywords.get("authMechanism")
        user = self._credentials.username if self._credentials else None
        password = self._credentials.password if self._credentials else None
        if mechanism and mechanism not in USERLESS and user is None:
            raise self._refuse(
                "authMechanism", f"is {mechanism}, which needs a user", "Set credentials.username."
            )
        if mechanism in PASSWORDLESS and password is not None:
            raise self._refuse(
                "authMechanism",
                f"is {mechanism}, which takes no password",
                "Remove credentials.password.",
            )
        with_password = mechanism in (None, "DEFAULT", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256")
        if with_password and user is not None and password is None:
            raise ConfigError(
                "credentials.password is missing.",
                option="credentials.password",
                hint="Set it, or choose an authMechanism without a password.",
            )
        source = self.keywords.get("authSource")
        if mechanism in EXTERNAL and source not in (None, "$external"):
            raise self._refuse("authSource", f"must be $external for {mechanism}", "Remove it.")
        if mechanism == "MONGODB-X509" and "tlsCertificateKeyFile" not in self.keywords:
            raise self._refuse(
                "authMechanism",
                "is MONGODB-X509, which needs a client certificate",
                "Set sslCert and sslKey.",
            )
        self._check_service_name(mechanism)

    def _check_service_name(self, mechanism: str | None) -> None:
        if "gssapiServiceName" not in self.keywords:
            return
        if mechanism != "GSSAPI":
            self._drop(("gssapiServiceName",), "it is for the authMechanism GSSAPI only")
            return
        service = self.keywords.pop("gssapiServiceName")
        properties = dict(self.keywords.get("authMechanismProperties", {}))
        if properties.setdefault("SERVICE_NAME", service) != service:
            raise self._refuse(
                "gssapiServiceName",
                "and authMechanismProperties name two different services",
                "Remove one of them.",
            )
        self.keywords["authMechanismProperties"] = properties

    def _check_reads(self) -> None:
        if self.keywords.get("readPreference", "primary") != "primary":
            self._check_staleness()
            return
        hint = "Set readPreference to another mode, such as secondaryPreferred, or remove it."
        problem = "has no effect on the primary, which answers the reads"
        if any(self.keywords.get("readPreferenceTags", ())):
            raise self._refuse("readPreferenceTags", problem, hint)
        if self.keywords.get("maxStalenessSeconds", -1) != -1:
            raise self._refuse("maxStalenessSeconds", problem, hint)

    def _check_staleness(self) -> None:
        if not {"maxStalenessSeconds", "heartbeatFrequencyMS"} <= self.keywords.keys():
            return
        most = self.keywords["maxStalenessSeconds"]
        least = self.keywords["heartbeatFrequencyMS"] / 1000 + _IDLE_WRITE_SECONDS
        if most != -1 and most < least:
            raise self._refuse(
                "maxStalenessSeconds",
                f"is {most}, but must be at least {self._name('heartbeatFrequencyMS')} +"
                f" {_IDLE_WRITE_SECONDS} seconds, {least:g}",
                "Raise it.",
            )

    def _check_writes(self) -> None:
        if self.keywords.get("fsync") and self.keywords.get("journal"):
            raise self._refuse(
                "fsync", f"and {self._name('journal')} exclude each other", "Remove one of them."
            )
        most, least = self.keywords.get("maxPoolSize"), self.keywords.get("minPoolSize", 0)
        if most and least > most:
            raise self._refuse(
                "minPoolSize",
                f"is {least}, which is more than {self._name('maxPoolSize')}, {most}",
                "Lower it, or raise the other.",
            )

    def _check_topology(self) -> None:
        keywords = self.keywords
        several = self._count > 1
        for name, beyond in (("directConnection", several or self._srv), ("loadBalanced", several)):
            if keywords.get(name) and beyond:
                raise self._refuse(
                    name, "needs one server, but several are configured", "Configure one server."
                )
        if keywords.get("loadBalanced"):
            for name in ("directConnection", "replicaSet"):
                if keywords.get(name):
                    raise self._refuse(
                        name, "and loadBalanced exclude each other", "Remove one of them."
                    )
        for name in ("srvMaxHosts", "srvServiceName", "srvAllowedHostsSuffix"):
            if keywords.get(name) and not self._srv:
                raise self._refuse(
                    name, "needs a url that starts with mongodb+srv://", "Remove it."
                )
