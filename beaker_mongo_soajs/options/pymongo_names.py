"""The rows of ``URLParam`` for PyMongo's options that the reference does not have."""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.options import coerce, kinds
from beaker_mongo_soajs.options.coerce import InvalidValue, Kind
from beaker_mongo_soajs.options.option import Keyword, Option, Refused
from beaker_mongo_soajs.options.urlparam import JOURNAL, TLS, W_TIMEOUT

SMALLEST_MAX_STALENESS = 90
"""The lower bound of ``maxStalenessSeconds`` in all drivers (MongoDB manual, "Read Preference")."""

_HEARTBEAT = Kind("milliseconds, 500 or more", coerce.duration(coerce.integer(500)))
_STORE_DECODES = "Applies to the client only: the store uses codec options of its own."


def read_max_staleness(value: Any) -> int:
    """Read ``maxStalenessSeconds``: PyMongo checks its lower bound only when it connects."""
    seconds: int = coerce.duration(coerce.integer(-1), 1000)(value)
    if seconds != -1 and seconds < SMALLEST_MAX_STALENESS:
        raise InvalidValue(
            f"a whole number of {SMALLEST_MAX_STALENESS} or more, or -1 for no maximum"
        )
    return seconds


def _own(name: str, kind: Kind, doc: str, **more: Any) -> Option:
    """Return the row of an option that has PyMongo's name and meaning."""
    return Option(("URLParam", name), kind, Keyword(name), doc, **more)


ROWS = (
    Option(("URLParam", "tls"), coerce.BOOLEAN, TLS, "Another name of `ssl`."),
    Option(
        ("URLParam", "wtimeout"), coerce.MILLISECONDS, W_TIMEOUT, "Another name of `wtimeoutMS`."
    ),
    Option(("URLParam", "j"), coerce.BOOLEAN, JOURNAL, "Another name of `journal`."),
    _own(
        "appName",
        coerce.TEXT,
        "Name of this client in the server's log.",
        default="beaker_mongo_soajs",
    ),
    _own(
        "authMechanismProperties",
        coerce.TEXT_MAP,
        "Properties of the mechanism: an object, or text `NAME:value,NAME:value`.",
        secret=True,
    ),
    _own("compressors", kinds.COMPRESSORS, "Compressors of the wire protocol, best first."),
    _own(
        "zlibCompressionLevel",
        Kind("whole number from -1 to 9", coerce.integer(-1, 9)),
        "Compression level of `zlib`.",
    ),
    _own(
        "directConnection",
        coerce.BOOLEAN,
        "Connect to this one server only, even if it is a member of a replica set.",
    ),
    _own("loadBalanced", coerce.BOOLEAN, "The server is a load balancer."),
    _own("heartbeatFrequencyMS", _HEARTBEAT, "Milliseconds between two checks of a server."),
    _own(
        "serverMonitoringMode",
        coerce.one_of("auto", "stream", "poll"),
        "Protocol for monitoring servers.",
    ),
    _own(
        "localThresholdMS",
        coerce.MILLISECONDS,
        "Milliseconds that a server may be slower than the nearest one and still be chosen.",
    ),
    _own(
        "serverSelectionTimeoutMS",
        coerce.MILLISECONDS,
        "Milliseconds to wait for a usable server before an operation fails.",
    ),
    _own("timeoutMS", coerce.MILLISECONDS, "Milliseconds for one operation, retries included."),
    _own(
        "maxConnecting",
        Kind("whole number", coerce.integer(1)),
        "Connections that are opened at the same time at most.",
    ),
    _own(
        "maxStalenessSeconds",
        Kind("seconds, 90 or more, -1 for any", read_max_staleness),
        "How far behind the primary a member may be and still answer reads.",
    ),
    _own("retryReads", coerce.BOOLEAN, "Whether a read is retried after a network error."),
    _own("retryWrites", coerce.BOOLEAN, "Whether a write is retried after a network error."),
    _own("maxAdaptiveRetries", coerce.COUNT, "Retries on an overloaded server (PyMongo 4.17)."),
    _own(
        "enableOverloadRetargeting",
        coerce.BOOLEAN,
        "Whether such a retry prefers another server (PyMongo 4.17).",
    ),
    _own("srvMaxHosts", coerce.COUNT, "Maximum number of hosts to take from the DNS; 0 = all."),
    _own("srvServiceName", coerce.TEXT, "Service name of the DNS record."),
    _own(
        "srvAllowedHostsSuffix",
        coerce.TEXT,
        "Domain that hosts from the DNS must belong to (PyMongo 4.18).",
    ),
    _own(
        "tlsAllowInvalidCertificates",
        coerce.BOOLEAN,
        "Whether to accept an invalid certificate from the server. `false` implies TLS.",
    ),
    _own(
        "tlsAllowInvalidHostnames",
        coerce.BOOLEAN,
        "Whether to accept a certificate for another host name. `false` implies TLS.",
    ),
    _own(
        "tlsInsecure",
        coerce.BOOLEAN,
        "Sets `tlsAllowInvalidCertificates` and `tlsAllowInvalidHostnames` together.",
    ),
    _own(
        "tlsCAFile",
        kinds.PEM_LIST,
        "Certificates of the trusted authorities. Implies TLS.",
    ),
    _own("tlsCRLFile", kinds.PEM, "Revoked certificates. Implies TLS."),
    _own(
        "tlsCertificateKeyFile",
        kinds.PEM,
        "Client certificate and private key in one file. Implies TLS.",
        secret=True,
    ),
    _own(
        "tlsCertificateKeyFilePassword",
        kinds.PASSPHRASE,
        "Passphrase of the private key.",
        secret=True,
    ),
    _own(
        "tlsDisableOCSPEndpointCheck",
        coerce.BOOLEAN,
        "Whether to skip the request to the certificate's OCSP server.",
    ),
    _own("fsync", coerce.BOOLEAN, "Whether a write waits until it is on disk."),
    _own("tz_aware", coerce.BOOLEAN, f"Dates with a time zone. {_STORE_DECODES}"),
    _own(
        "uuidRepresentation",
        coerce.one_of("unspecified", "standard", "pythonLegacy", "javaLegacy", "csharpLegacy"),
        f"Format of UUIDs. {_STORE_DECODES}",
    ),
    _own(
        "unicode_decode_error_handler",
        coerce.one_of("strict", "replace", "ignore"),
        f"Handling of text that is not UTF-8. {_STORE_DECODES}",
    ),
    _own(
        "datetime_conversion",
        coerce.one_of("DATETIME", "DATETIME_CLAMP", "DATETIME_MS", "DATETIME_AUTO"),
        f"Python type of dates. {_STORE_DECODES}",
    ),
    *(
        _own(name, coerce.OBJECT, f"{doc} Python only.")
        for name, doc in (
            ("document_class", f"Class of documents. {_STORE_DECODES}"),
            ("type_registry", f"Custom codecs. {_STORE_DECODES}"),
            ("tzinfo", f"Time zone of dates. {_STORE_DECODES}"),
            ("event_listeners", "Listeners for events of commands and connections."),
            ("server_api", "Version of the Stable API."),
            ("server_selector", "Function that chooses among the suitable servers."),
            ("driver", "Name of a library that wraps PyMongo, for the server's log."),
            (
                "srv_host_validator",
                "Function that accepts or rejects hosts from the DNS (PyMongo 4.19).",
            ),
        )
    ),
    *(
        Option(("URLParam", name), coerce.ANYTHING, Refused(because), secret=True)
        for name, because in (
            ("connect", "connections are always opened on first use, after a fork"),
            ("username", "credentials.username is the option for it"),
            ("password", "credentials.password is the option for it"),
            (
                "auto_encryption_opts",
                "a client with automatic encryption has to be passed as the option client",
            ),
        )
    ),
)
