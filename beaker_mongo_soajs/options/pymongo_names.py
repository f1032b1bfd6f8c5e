"""The rows of ``URLParam`` that PyMongo knows beyond the reference, under PyMongo's own names."""

from __future__ import annotations

from typing import Any

from beaker_mongo_soajs.options import coerce, kinds
from beaker_mongo_soajs.options.coerce import Kind
from beaker_mongo_soajs.options.option import Keyword, Option, Refused
from beaker_mongo_soajs.options.urlparam import JOURNAL, TLS, W_TIMEOUT

_HEARTBEAT = Kind("milliseconds, 500 or more", coerce.integer(500))
_MILLISECONDS_ABOVE_0 = Kind("milliseconds", coerce.integer(1))
_STORE_DECODES = "It holds for the client; the store reads its documents in a way of its own."


def _own(name: str, kind: Kind, doc: str, **more: Any) -> Option:
    """Make the row of an option that has PyMongo's own name and meaning."""
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
        "How the server's log names this client.",
        default="beaker_mongo_soajs",
    ),
    _own(
        "authMechanismProperties",
        coerce.TEXT_MAP,
        "More about the mechanism: an object, or text `NAME:value,NAME:value`.",
        secret=True,
    ),
    _own("compressors", kinds.COMPRESSORS, "Compressors of the wire protocol, best first."),
    _own(
        "zlibCompressionLevel",
        Kind("whole number from -1 to 9", coerce.integer(-1, 9)),
        "How hard `zlib` tries.",
    ),
    _own(
        "directConnection",
        coerce.BOOLEAN,
        "Talk to the one server given, without looking for the replica set around it.",
    ),
    _own("loadBalanced", coerce.BOOLEAN, "The server is a load balancer."),
    _own("heartbeatFrequencyMS", _HEARTBEAT, "Milliseconds between two looks at a server."),
    _own(
        "serverMonitoringMode", coerce.one_of("auto", "stream", "poll"), "How servers are watched."
    ),
    _own(
        "localThresholdMS",
        coerce.MILLISECONDS,
        "A server this much slower than the nearest is not chosen.",
    ),
    _own(
        "serverSelectionTimeoutMS",
        coerce.MILLISECONDS,
        "Milliseconds to look for a server before an operation fails.",
    ),
    _own("timeoutMS", coerce.MILLISECONDS, "Milliseconds for one operation, retries included."),
    _own(
        "maxConnecting",
        Kind("whole number", coerce.integer(1)),
        "Connections that may be in the making at a time.",
    ),
    _own(
        "maxStalenessSeconds",
        Kind("seconds, -1 for any", coerce.integer(-1)),
        "How far behind the primary a member that answers may be.",
    ),
    _own("retryReads", coerce.BOOLEAN, "Whether a read is tried again after a network error."),
    _own("retryWrites", coerce.BOOLEAN, "Whether a write is tried again after a network error."),
    _own("maxAdaptiveRetries", coerce.COUNT, "Retries on an overloaded server (PyMongo 4.17)."),
    _own(
        "enableOverloadRetargeting",
        coerce.BOOLEAN,
        "Whether such a retry prefers another server (PyMongo 4.17).",
    ),
    _own("srvMaxHosts", coerce.COUNT, "Most hosts to take from the DNS; 0 = all."),
    _own("srvServiceName", coerce.TEXT, "Service name of the DNS record."),
    _own(
        "srvAllowedHostsSuffix",
        coerce.TEXT,
        "Domain that hosts from the DNS must belong to (PyMongo 4.18).",
    ),
    _own(
        "tlsAllowInvalidCertificates",
        coerce.BOOLEAN,
        "Whether to accept any certificate of the server. `false` implies TLS.",
    ),
    _own(
        "tlsAllowInvalidHostnames",
        coerce.BOOLEAN,
        "Whether to accept a certificate for another host. `false` implies TLS.",
    ),
    _own("tlsInsecure", coerce.BOOLEAN, "Both of the two above."),
    _own(
        "tlsCAFile",
        kinds.PEM_LIST,
        "Certificates of the authorities that may have signed the server's. Implies TLS.",
    ),
    _own("tlsCRLFile", kinds.PEM, "Revoked certificates. Implies TLS."),
    _own(
        "tlsCertificateKeyFile",
        kinds.PEM,
        "This client's certificate and key, one after the other. Implies TLS.",
        secret=True,
    ),
    _own("tlsCertificateKeyFilePassword", kinds.PASSPHRASE, "Passphrase of that key.", secret=True),
    _own(
        "tlsDisableOCSPEndpointCheck",
        coerce.BOOLEAN,
        "Whether to leave the certificate's OCSP server unasked.",
    ),
    _own("fsync", coerce.BOOLEAN, "Whether a write waits for the disk."),
    _own("tz_aware", coerce.BOOLEAN, f"Dates with a time zone. {_STORE_DECODES}"),
    _own(
        "uuidRepresentation",
        coerce.one_of("unspecified", "standard", "pythonLegacy", "javaLegacy", "csharpLegacy"),
        f"How a UUID is written. {_STORE_DECODES}",
    ),
    _own(
        "unicode_decode_error_handler",
        coerce.one_of("strict", "replace", "ignore"),
        f"What to do about text that is not UTF-8. {_STORE_DECODES}",
    ),
    _own(
        "datetime_conversion",
        coerce.one_of("DATETIME", "DATETIME_CLAMP", "DATETIME_MS", "DATETIME_AUTO"),
        f"How a date is read. {_STORE_DECODES}",
    ),
    *(
        _own(name, coerce.OBJECT, f"{doc} Python only.")
        for name, doc in (
            ("document_class", f"Class of documents. {_STORE_DECODES}"),
            ("type_registry", f"Codecs of one's own. {_STORE_DECODES}"),
            ("tzinfo", f"Time zone of dates. {_STORE_DECODES}"),
            ("event_listeners", "Who is told of commands and connections."),
            ("server_api", "The Stable API to ask for."),
            ("server_selector", "Which of the suitable servers to use."),
            ("driver", "What wraps PyMongo, for the server's log."),
            ("srv_host_validator", "Which hosts from the DNS to accept (PyMongo 4.19)."),
        )
    ),
    *(
        Option(("URLParam", name), coerce.ANYTHING, Refused(because), secret=True)
        for name, because in (
            ("connect", "connections are made on first use, never before a fork"),
            ("username", "credentials.username holds it"),
            ("password", "credentials.password holds it"),
            (
                "auto_encryption_opts",
                "a client that encrypts by itself is one for the option client",
            ),
        )
    ),
)
