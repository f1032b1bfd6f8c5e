"""The table of options: each row, read from the options of a real client."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import version_tuple

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo.client import close_clients, get_client
from beaker_mongo_soajs.options.option import NoEffect, Option, Refused, Setting
from beaker_mongo_soajs.options.table import ROWS, TABLE, find_path
from tests.conftest import Options
from tests.mongo.certificates import Certificates, encrypt_key
from tests.options.option_rows import APPLIED, GROUPS, IDLE, PLACES, REFUSED, Client, Row, uses_tls
from tests.passwords import PASSPHRASE

CERTIFICATE_ROWS = {
    *(
        f"{place}.{name}"
        for place in PLACES
        for name in ("sslValidate", "checkServerIdentity", "sslCA", "sslCert", "sslKey", "sslPass")
    ),
    "URLParam.tlsCAFile",
    "URLParam.tlsCRLFile",
    "URLParam.tlsCertificateKeyFile",
    "URLParam.tlsCertificateKeyFilePassword",
}
"""Rows that need certificates, each with a test of its own below."""

DNS_ROWS = {
    f"URLParam.{name}"
    for name in ("srvMaxHosts", "srvServiceName", "srvAllowedHostsSuffix", "srv_host_validator")
}
"""Rows about DNS look-ups, which test_client.py tests."""


@pytest.fixture(autouse=True)
def _clients_closed() -> Iterator[None]:
    yield
    close_clients()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Create a certificate authority for the tests of this module."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def make_client(options: Options) -> Client:
    """Create the client for a configuration."""
    return get_client(DbConfig.from_options({"name": "shop", **options}))


def test_every_row_has_a_test() -> None:
    """Every row of the table has a test that reads it from a client."""
    driver = {row.name for row in ROWS if not isinstance(row.effect, Setting)}
    tested = {row.option for row in APPLIED} | set(IDLE) | set(REFUSED)
    assert driver == tested | CERTIFICATE_ROWS | DNS_ROWS


@pytest.mark.parametrize("row", APPLIED, ids=str)
def test_row_takes_effect(row: Row) -> None:
    """An option that applies is among the options of the client."""
    skip_unknown_to_pymongo(row.option)
    client = make_client({**dict(row.more), row.option: row.value})
    assert row.expected == row.read(client)


def skip_unknown_to_pymongo(name: str) -> None:
    """Skip the test of an option that the installed PyMongo does not have yet."""
    later = {"maxAdaptiveRetries": "4.17", "enableOverloadRetargeting": "4.17"}
    since = later.get(name.rpartition(".")[2])
    if since and version_tuple[:2] < tuple(int(part) for part in since.split(".")):
        pytest.skip(f"PyMongo {since} brought {name}")


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in IDLE.items() for value in values]
)
def test_idle_row_changes_nothing_and_has_a_reason(name: str, value: Any) -> None:
    """An option without effect does not change the client, and the report gives the reason."""
    group = "".join(name.split(".")[1:2])
    needs = GROUPS.get(group, {})
    config = DbConfig.from_options({"name": "shop", **needs, name: value})
    assert repr(make_client(needs)) == repr(get_client(config))
    [line] = [line for line in config.explain().splitlines() if line.startswith(f"{name} = ")]
    assert ": no effect, because " in line


@pytest.mark.parametrize("name", REFUSED)
def test_refused_row_is_an_error_with_a_reason(name: str) -> None:
    """A refused option is an error that gives the reason and does not show the value."""
    with pytest.raises(ConfigError, match="cannot be given: ") as caught:
        DbConfig.from_options({"name": "shop", name: "s3cret"})
    assert name == caught.value.option
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("place", PLACES)
def test_ssl_ca_is_the_authority_that_a_client_trusts(
    place: str, certificates: Certificates
) -> None:
    """A client trusts the authorities in sslCA, and uses TLS if it is given."""
    name = f"{place}.sslCA"
    client = make_client({**PLACES[place], name: [certificates.authority_pem]})
    assert [certificates_of(client)] == [1]


def certificates_of(client: Client) -> int:
    """Count the authorities that a client trusts."""
    context: Any = client.options.pool_options._ssl_context
    return len(context.get_ca_certs())


def test_tls_ca_file_takes_the_path_of_a_file(certificates: Certificates) -> None:
    """PyMongo's own tlsCAFile takes a path."""
    client = make_client({"URLParam.tlsCAFile": str(certificates.authority_path)})
    assert 1 == certificates_of(client)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("sslValidate", "tlsallowinvalidcertificates"),
        ("checkServerIdentity", "tlsallowinvalidhostnames"),
    ],
)
def test_inverted_row(place: str, name: str, keyword: str) -> None:
    """False turns off one check of the server's certificate; true leaves all checks on."""
    needs = {**PLACES[place], f"{place}.ssl": True}
    lenient = make_client({**needs, f"{place}.{name}": False})
    strict = make_client({**needs, f"{place}.{name}": True})
    assert f"{keyword}=True" in repr(lenient)
    context, strict_context = (
        client.options.pool_options._ssl_context for client in (lenient, strict)
    )
    assert context is not None
    assert strict_context is not None
    assert (ssl.CERT_REQUIRED, True) == (strict_context.verify_mode, strict_context.check_hostname)
    checks = {
        "sslValidate": (ssl.CERT_NONE, False),
        "checkServerIdentity": (ssl.CERT_REQUIRED, False),
    }
    assert checks[name] == (context.verify_mode, context.check_hostname)


@pytest.mark.parametrize("place", PLACES)
def test_client_certificate_key_and_passphrase(place: str, certificates: Certificates) -> None:
    """sslCert, sslKey and sslPass are used together; a wrong passphrase is an error."""
    certificate, key = certificates.issue_client("ann")
    options = {
        **PLACES[place],
        f"{place}.sslCert": certificate,
        f"{place}.sslKey": encrypt_key(key),
    }
    assert uses_tls(make_client({**options, f"{place}.sslPass": PASSPHRASE}))
    with pytest.raises(ConfigError, match="sslPass is the key's passphrase"):
        make_client({**options, f"{place}.sslPass": "wrong"})
    with pytest.raises(ConfigError, match="is encrypted, and no passphrase is given"):
        make_client(options)


def test_tls_certificate_key_file_and_password(certificates: Certificates, tmp_path: Path) -> None:
    """PyMongo's own tlsCertificateKeyFile takes a path, and its password is used."""
    certificate, key = certificates.issue_client("ann")
    path = tmp_path / "client.pem"
    path.write_text(certificate + encrypt_key(key))
    options = {"URLParam.tlsCertificateKeyFile": str(path)}
    name = "URLParam.tlsCertificateKeyFilePassword"
    assert uses_tls(make_client({**options, name: PASSPHRASE}))
    with pytest.raises(ConfigError):
        make_client({**options, name: "wrong"})


def test_tls_crl_file(tmp_path: Path, certificates: Certificates) -> None:
    """A client checks certificates against the file of revoked certificates."""
    path = certificates.write_revocation_list(tmp_path / "crl.pem")
    client = make_client({"URLParam.tlsCRLFile": str(path)})
    context: Any = client.options.pool_options._ssl_context
    assert ssl.VERIFY_CRL_CHECK_LEAF & context.verify_flags


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_documented(row: Any) -> None:
    """Every row has a description, or a reason why it has no effect."""
    assert row.doc or isinstance(row.effect, NoEffect | Refused)


@pytest.mark.parametrize(
    ("options", "group"),
    [
        ({}, "server"),
        ({"servers": "db1,db2"}, "mongos"),
        ({"URLParam.replicaSet": "rs"}, "replSet"),
        ({"extraParam.replSet.replicaSet": "rs"}, "replSet"),
        ({"servers": "db1,db2", "URLParam.replicaSet": "rs"}, "replSet"),
        ({"url": "mongodb://db1/"}, "server"),
        ({"url": "mongodb://db1,db2/"}, "mongos"),
        ({"url": "mongodb://db1,db2/?replicaSet=rs"}, "replSet"),
    ],
    ids=str,
)
def test_one_group_applies(options: Options, group: str) -> None:
    """One of server, replSet and mongos applies, depending on the servers."""
    sizes = {name: 20 + number for number, name in enumerate(GROUPS)}
    pools = {f"extraParam.{name}.poolSize": size for name, size in sizes.items()}
    client = make_client({**options, **pools, "URLParam.maxPoolSize": 9})
    assert sizes[group] == client.options.pool_options.max_pool_size


def test_names_are_found_in_any_case() -> None:
    """A name is found in upper or lower case, and returned in the spelling of a dbConfig."""
    path = ("extraParam", "server", "socketOptions", "connectTimeoutMS")
    assert path == find_path((), "extraparam.SERVER.socketoptions.connecttimeoutms")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nmae", "Did you mean name?"),
        ("ttl", "Use timeout (Beaker's, in seconds), or expireAfter (in"),
        ("credentials.user", "Did you mean credentials.username?"),
        ("URLParam.poolSizes", "poolSize or URLParam.maxPoolSize or URLParam.minPoolSize?"),
        ("wtimeoutMSs", "extraParam.db.wtimeoutMS or URLParam.timeoutMS or URLParam.wtimeout?"),
        ("URLParam.logCommands", "Did you mean store.logCommands?"),
        ("sever.ssl", "Did you mean URLParam.ssl or extraParam.server.ssl or"),
        ("extraParam.sever.zz", "its name: the options of extraParam are db, mongos, replSet,"),
        ("store.zz", "its name: the options of store are autoRemove, autoRemoveInterval,"),
        ("extraParam.server.zz", "Remove it, or correct its name."),
        ("servers.zz", "Remove it, or correct its name."),
        ("zz", "its name: the most common options are name, servers, url, collection, cred"),
    ],
)
def test_unknown_name(name: str, hint: str) -> None:
    """The error for an unknown option names the closest ones, else those of a small group."""
    with pytest.raises(ConfigError, match="There is no option") as caught:
        find_path((), name)
    assert name == caught.value.option
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("STORE_TOUCHAFTER", "store.touchAfter"),
        ("store_touchafter", "store.touchAfter"),
        ("urlparam_maxpoolsize", "URLParam.maxPoolSize"),
        ("URLPARAM_UNICODE_DECODE_ERROR_HANDLER", "URLParam.unicode_decode_error_handler"),
        ("EXTRAPARAM_SERVER_SOCKETOPTIONS_NODELAY", "extraParam.server.socketOptions.noDelay"),
        ("user", "credentials.username"),
        ("username", "credentials.username"),
        ("Password", "credentials.password"),
    ],
)
def test_other_spellings(name: str, path: str) -> None:
    """A name may have underscores, as environment variables do, or be another package's."""
    assert path == ".".join(find_path((), name))


def test_every_option_has_one_name() -> None:
    """Every option is in the table once, and is found by its name with underscores."""
    assert len(ROWS) == len(TABLE)
    assert [*TABLE] == [find_path((), "_".join(path)) for path in TABLE]


_DEFAULTS = {
    option.name: option.default
    for option in TABLE.values()
    # The default address may not be given as pairs; migrateFrom has no effect without its type.
    if option.default is not None and option.path[0] != "servers" and len(option.path) < 3
}


@pytest.mark.parametrize("name", _DEFAULTS)
def test_defaults(name: str) -> None:
    """An option that is given its default has the same effect as one that is not given."""
    given = DbConfig.from_options({name: _DEFAULTS[name]})
    default = DbConfig.from_options({})
    assert default.keywords == given.keywords
    assert replace(default.store, user_key_given=given.store.user_key_given) == given.store
    for each in ("name", "prefix", "servers", "collection", "stringify", "expire_after_ms"):
        assert getattr(default, each) == getattr(given, each)


@pytest.mark.parametrize("option", TABLE.values(), ids=lambda option: option.name)
def test_secrets_are_masked(option: Option) -> None:
    """Messages show the value of an option, unless it may hold a name, a password or a key."""
    names = "url|username|salt|authMechanismProperties|tlsCertificateKeyFile"
    secret = isinstance(option.effect, Refused) or re.search(
        f"({names}|(?i:pass|password|secret|(signing|encrypt|validate|ssl)key))$", option.name
    )
    assert ("***" if secret else '"a value"') == option.show("a value")
