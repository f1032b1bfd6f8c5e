"""What the keywords of a ``MongoClient`` must agree on among themselves.

PyMongo would raise for most of these, but only when the first request comes, and in the names of
its own keywords rather than those of the options.
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
"""Mechanisms whose users stand in no database: their ``authSource`` is ``$external``."""

Keywords = dict[str, Any]
Names = dict[str, str]
"""For each keyword, the option that it comes from."""


class KeywordChecks:
    """Check keywords against each other, and complete them.

    :param keywords: the keywords; changed in place
    :param names: the option behind each keyword, for the errors
    :param count: how many servers there are
    :param srv: whether they come from the DNS
    :param credentials: who authenticates
    :ivar dropped: keywords that were taken out because nothing uses them, and why
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
        """Do all checks.

        :raises ConfigError: two options contradict each other, or one needs another
        """
        self._check_tls()
        self._check_authentication()
        self._check_reads()
        self._check_writes()
        self._check_topology()

    def _name(self, keyword: str) -> str:
        return self._names.get(keyword, keyword)

    def _refuse(self, keyword: str, why: str, hint: str) -> ConfigError:
        name = self._name(keyword)
        return ConfigError(f"{name} {why}.", option=name, hint=hint)

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
                "Give sslCert and sslKey.",
            )
        if "sslKey" in keywords and "tlsCertificateKeyFile" not in keywords:
            raise self._refuse("sslKey", "is given without a certificate", "Give sslCert as well.")
        # As PyMongo has it, asking for strictness under PyMongo's own names asks for TLS.
        strict = [name for name in TLS_LENIENCE if keywords.get(name) is False]
        for name in (*material, *strict):
            if keywords.get("tls") is False:
                raise self._refuse(
                    name,
                    f"asks for TLS, and {self._name('tls')} turns it off",
                    f"Set {self._name('tls')} to true, or leave {self._name(name)} out.",
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
                        "Leave one of them out.",
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
                "authMechanism", f"is {mechanism}, which needs a user", "Give credentials.username."
            )
        if mechanism in PASSWORDLESS and password is not None:
            raise self._refuse(
                "authMechanism",
                f"is {mechanism}, which takes no password",
                "Leave credentials.password out.",
            )
        with_password = mechanism in (None, "DEFAULT", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256")
        if with_password and user is not None and password is None:
            raise ConfigError(
                "credentials.password is missing.",
                option="credentials.password",
                hint="Give it, or name an authMechanism that needs none.",
            )
        source = self.keywords.get("authSource")
        if mechanism in EXTERNAL and source not in (None, "$external"):
            raise self._refuse("authSource", f"must be $external for {mechanism}", "Leave it out.")
        if mechanism == "MONGODB-X509" and "tlsCertificateKeyFile" not in self.keywords:
            raise self._refuse(
                "authMechanism",
                "is MONGODB-X509, which needs a client certificate",
                "Give sslCert and sslKey.",
            )
        self._check_service_name(mechanism)

    def _check_service_name(self, mechanism: str | None) -> None:
        if "gssapiServiceName" not in self.keywords:
            return
        if mechanism != "GSSAPI":
            self._drop(("gssapiServiceName",), "only the authMechanism GSSAPI uses it")
            return
        service = self.keywords.pop("gssapiServiceName")
        properties = dict(self.keywords.get("authMechanismProperties", {}))
        if properties.setdefault("SERVICE_NAME", service) != service:
            raise self._refuse(
                "gssapiServiceName",
                "and authMechanismProperties name two services",
                "Leave one of them out.",
            )
        self.keywords["authMechanismProperties"] = properties

    def _check_reads(self) -> None:
        if self.keywords.get("readPreference", "primary") != "primary":
            return
        hint = "Set readPreference to another mode, such as secondaryPreferred, or leave it out."
        if any(self.keywords.get("readPreferenceTags", ())):
            raise self._refuse("readPreferenceTags", "chooses nothing: the primary reads", hint)
        if self.keywords.get("maxStalenessSeconds", -1) != -1:
            raise self._refuse("maxStalenessSeconds", "limits nothing: the primary reads", hint)

    def _check_writes(self) -> None:
        if self.keywords.get("fsync") and self.keywords.get("journal"):
            raise self._refuse(
                "fsync", f"and {self._name('journal')} exclude each other", "Leave one of them out."
            )
        most, least = self.keywords.get("maxPoolSize"), self.keywords.get("minPoolSize", 0)
        if most and least > most:
            raise self._refuse(
                "minPoolSize",
                f"is {least}, above {self._name('maxPoolSize')}, which is {most}",
                "Raise the one or lower the other.",
            )

    def _check_topology(self) -> None:
        keywords = self.keywords
        several = self._count > 1 or self._srv
        for name in ("directConnection", "loadBalanced"):
            if keywords.get(name) and several and not (name == "loadBalanced" and self._srv):
                raise self._refuse(name, "takes one server, and there are several", "Name one.")
        if keywords.get("loadBalanced"):
            for name in ("directConnection", "replicaSet"):
                if keywords.get(name):
                    raise self._refuse(
                        name, "and loadBalanced exclude each other", "Leave one of them out."
                    )
        for name in ("srvMaxHosts", "srvServiceName", "srvAllowedHostsSuffix"):
            if keywords.get(name) and not self._srv:
                raise self._refuse(
                    name, "needs a url that starts with mongodb+srv://", "Leave it out."
                )
