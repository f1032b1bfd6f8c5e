"""The dbConfig against real servers: authentication, TLS, a replica set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError
from pymongo.read_preferences import Nearest, SecondaryPreferred

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.mongo.client import get_client
from beaker_mongo_soajs.mongo.setup_check import check_setup
from beaker_mongo_soajs.testing import MongoServer, ReplicaSet
from tests.conftest import Client, Options
from tests.mongo.certificates import Certificates, encrypt_key
from tests.passwords import PASSPHRASE, PASSWORD
from tests.waiting import wait_until

SLOW = {"URLParam.serverSelectionTimeoutMS": 5000}
"""Time for a busy machine."""
BRIEF = {"URLParam.serverSelectionTimeoutMS": 2000}
"""Time for what will not work: a TLS failure shows as a server that cannot be selected."""


def connect(server: MongoServer, **options: Any) -> Client:
    """Make the client for a configuration that reaches one server."""
    place = {"servers": [{"host": "127.0.0.1", "port": server.port}]}
    return get_client(DbConfig.from_options({"name": "shop", **place, **SLOW, **options}))


def who(client: Client) -> list[str]:
    """Ask the server whom it takes a client for."""
    status = client.admin.command("connectionStatus")
    return [f"{user['db']}.{user['user']}" for user in status["authInfo"]["authenticatedUsers"]]


@pytest.mark.parametrize("mechanism", [None, "SCRAM-SHA-1", "SCRAM-SHA-256"])
@pytest.mark.parametrize("place", ["URLParam", "extraParam.db"])
def test_user_in_another_database(
    auth_server: MongoServer, mechanism: str | None, place: str
) -> None:
    """A user that authSource finds in another database logs in with any password."""
    client = connect(
        auth_server,
        **{f"{place}.authSource": "users", "URLParam.authMechanism": mechanism},
        credentials={"username": "ann", "password": PASSWORD},
    )
    assert ["users.ann"] == who(client)
    client.shop.sessions.insert_one({"_id": f"{mechanism} {place}"})


def test_user_in_the_database_of_the_sessions(auth_server: MongoServer) -> None:
    """Without authSource, a user of the sessions' own database logs in, as in the reference."""
    client = connect(auth_server, credentials={"username": "ann", "password": PASSWORD})
    assert ["shop.ann"] == who(client)


def test_credentials_in_every_form(auth_server: MongoServer, tmp_path: Path) -> None:
    """The password works from JSON text, a file, dotted names and a URL."""
    login = {"username": "ann", "password": PASSWORD}
    source = {"URLParam": {"authSource": "users"}}
    path = tmp_path / "db.json"
    path.write_text(json.dumps({"credentials": login, **source}), encoding="utf-8")
    place = f"127.0.0.1:{auth_server.port}"
    for options in (
        {"dbConfig": json.dumps({"credentials": login, **source}), "servers": place},
        {"dbConfig": str(path), "servers": place},
        {
            "credentials.username": "ann",
            "credentials.password": PASSWORD,
            "urlparam.authsource": "users",
            "servers": place,
        },
        {"url": f"mongodb://{place}/shop?authSource=users", "credentials": login},
        {"url": f"mongodb://ann:p%40ss%3A%2Fw%25rd%20%C3%A9@{place}/users"},
    ):
        client = get_client(DbConfig.from_options({"name": "shop", **SLOW, **options}))
        assert ["users.ann"] == who(client)


def test_wrong_password_is_told_without_showing_it(auth_server: MongoServer) -> None:
    """A wrong password is an error of the server, which does not show the password."""
    client = connect(auth_server, credentials={"username": "ann", "password": "wr0ng"})
    with pytest.raises(OperationFailure, match="Authentication failed") as caught:
        client.shop.sessions.find_one()
    assert "wr0ng" not in f"{caught.value}{client}"


@pytest.fixture(scope="module")
def tls_server(certificates: Certificates) -> Iterator[MongoServer]:
    """Start a server that takes TLS only, with a certificate for 127.0.0.1."""
    yield from serve_tls(certificates, "127.0.0.1", "--tlsAllowConnectionsWithoutCertificates")


@pytest.fixture(scope="module")
def foreign_server(certificates: Certificates) -> Iterator[MongoServer]:
    """Start a server that takes TLS only, with a certificate for another host."""
    yield from serve_tls(
        certificates, "elsewhere.example", "--tlsAllowConnectionsWithoutCertificates"
    )


@pytest.fixture(scope="module")
def strict_server(certificates: Certificates) -> Iterator[MongoServer]:
    """Start a server that requires client certificates."""
    yield from serve_tls(
        certificates, "127.0.0.1", "--setParameter", "authenticationMechanisms=MONGODB-X509"
    )


def serve_tls(certificates: Certificates, host: str, *args: str) -> Iterator[MongoServer]:
    """Run a server that takes TLS only."""
    certificate = certificates.write_server(host)
    tls = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(certificate)]
    with MongoServer(
        args=[*tls, "--tlsCAFile", str(certificates.authority_path), *args], for_tests=True
    ) as server:
        yield server


@pytest.mark.parametrize("form", ["text", "bytes", "path", "list"])
def test_authority_that_signed_the_server(
    tls_server: MongoServer, certificates: Certificates, form: str
) -> None:
    """With the right authority in any form, the server is trusted and the connection encrypted."""
    value = {
        "text": certificates.authority_pem,
        "bytes": certificates.authority_pem.encode(),
        "path": str(certificates.authority_path),
        "list": [certificates.authority_pem],
    }[form]
    client = connect(tls_server, **{"extraParam.server": {"ssl": True, "sslCA": value}})
    assert 1 == client.admin.command("ping")["ok"]


def test_one_authority_of_several(
    tls_server: MongoServer, certificates: Certificates, tmp_path: Path
) -> None:
    """The right authority may be the second of several, and implies TLS."""
    other = Certificates(tmp_path).authority_pem
    authorities = [other, str(certificates.authority_path)]
    client = connect(tls_server, **{"extraParam.server.sslCA": authorities})
    assert 1 == client.admin.command("ping")["ok"]


def refuses(client: Client) -> str:
    """Expect a client not to reach its server, and give the reason."""
    with pytest.raises(ServerSelectionTimeoutError) as caught:
        client.admin.command("ping")
    return str(caught.value)


def test_plain_connection_is_refused(tls_server: MongoServer) -> None:
    """Without TLS the server is not reached."""
    refuses(connect(tls_server, **BRIEF))


def test_wrong_authority_is_refused(tls_server: MongoServer, tmp_path: Path) -> None:
    """With another authority the server's certificate does not count."""
    other = Certificates(tmp_path).authority_pem
    tls = {"ssl": True, "sslCA": other}
    client = connect(tls_server, **BRIEF, **{"extraParam.server": tls})
    assert "CERTIFICATE_VERIFY_FAILED" in refuses(client)


def test_system_authorities_are_the_default(tls_server: MongoServer) -> None:
    """With TLS and no sslCA, the system's authorities do not accept the server."""
    client = connect(tls_server, **BRIEF, **{"URLParam.ssl": True})
    assert "CERTIFICATE_VERIFY_FAILED" in refuses(client)


def test_validation_can_be_turned_off(tls_server: MongoServer) -> None:
    """With sslValidate false, any certificate counts."""
    client = connect(tls_server, **{"extraParam.server": {"ssl": True, "sslValidate": False}})
    assert 1 == client.admin.command("ping")["ok"]


def test_wrong_host_name_is_refused_unless_that_check_is_off(
    foreign_server: MongoServer, certificates: Certificates, tmp_path: Path
) -> None:
    """A certificate for another host counts only with checkServerIdentity false."""
    options: Options = {"ssl": True, "sslCA": certificates.authority_pem}
    client = connect(foreign_server, **BRIEF, **{"extraParam.server": options})
    assert "IP address mismatch" in refuses(client)
    lenient = {**options, "checkServerIdentity": False}
    client = connect(foreign_server, **{"extraParam.server": lenient})
    assert 1 == client.admin.command("ping")["ok"]
    other = {**lenient, "sslCA": Certificates(tmp_path).authority_pem}
    client = connect(foreign_server, **BRIEF, **{"extraParam.server": other})
    assert "VERIFY_FAILED" in refuses(client)


def test_client_certificate_with_a_passphrase(
    strict_server: MongoServer, certificates: Certificates, tmp_path: Path
) -> None:
    """A client certificate with an encrypted key is accepted."""
    certificate, key = certificates.issue_client("ann")
    path = tmp_path / "key.pem"
    path.write_text(encrypt_key(key))
    tls: dict[str, Any] = {"ssl": True, "sslCA": certificates.authority_pem}
    refuses(connect(strict_server, **BRIEF, **{"extraParam.server": tls}))
    shown = {**tls, "sslCert": certificate, "sslKey": str(path), "sslPass": PASSPHRASE}
    client = connect(strict_server, **{"extraParam.server": shown})
    assert 1 == client.admin.command("ping")["ok"]
    assert [] == who(client)


def test_x509_authentication(strict_server: MongoServer, certificates: Certificates) -> None:
    """With MONGODB-X509, the certificate identifies the client, with or without a user name."""
    certificate, key = certificates.issue_client("ann")
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    name = loaded.subject.rfc4514_string()
    tls = {
        "ssl": True,
        "sslCA": certificates.authority_pem,
        "sslCert": certificate,
        "sslKey": key,
    }
    options = {"extraParam.server": tls}
    admin = connect(strict_server, **options)
    admin["$external"].command({"createUser": name, "roles": [{"role": "readWrite", "db": "shop"}]})
    for more in ({}, {"credentials": {"username": name}}):
        client = connect(
            strict_server, **options, **{"URLParam.authMechanism": "MONGODB-X509"}, **more
        )
        assert [f"$external.{name}"] == who(client)


@pytest.fixture(scope="module")
def replica_set() -> Iterator[ReplicaSet]:
    """Start a replica set of three, each member with its own data center tag."""
    tags = [{"dc": name, "rack": str(number)} for number, name in enumerate(("ny", "sf", "é"))]
    with ReplicaSet(3, name="rs", tags=tags) as members:
        yield members


def reach(replica_set: ReplicaSet, **options: Any) -> Client:
    """Make the client for a configuration with one seed of a replica set."""
    seed = replica_set.members[0].port
    config = DbConfig.from_options(
        {
            "name": "shop",
            "servers": [{"host": "127.0.0.1", "port": seed}],
            "URLParam.replicaSet": "rs",
            "URLParam.serverSelectionTimeoutMS": 20000,
            **options,
        }
    )
    return get_client(config)


def reader(client: Client) -> int:
    """Read once, and name the port of the member that answered."""
    with client.shop.sessions.find({}) as cursor:
        next(cursor)
        assert cursor.address is not None
        port = cursor.address[1]
        assert port is not None
        return port


def wait_for_members(client: Client) -> None:
    """Wait until a client has found the primary and both secondaries."""
    client.admin.command("ping")
    wait_until(lambda: client.primary and len(client.secondaries) == 2, seconds=20)


def test_one_seed_is_enough(replica_set: ReplicaSet) -> None:
    """From one seed the client finds all members, and writes to a majority of them."""
    client = reach(replica_set, **{"URLParam.w": "majority", "extraParam.db.wtimeoutMS": 20000})
    client.shop.sessions.replace_one({"_id": 1}, {"_id": 1}, upsert=True)
    wait_for_members(client)
    assert {("127.0.0.1", member.port) for member in replica_set.members} == client.nodes


def test_wrong_name_of_the_set_is_refused(replica_set: ReplicaSet) -> None:
    """A replica set of another name is not used."""
    refuses(reach(replica_set, **{"URLParam.replicaSet": "other"}, **BRIEF))


def test_secondaries_answer(replica_set: ReplicaSet) -> None:
    """With secondaryPreferred, another member than the primary answers."""
    client = reach(replica_set, **{"extraParam.db.readPreference": "secondaryPreferred"})
    plant(replica_set)
    wait_for_members(client)
    assert SecondaryPreferred() == client.read_preference
    assert replica_set.primary.port != reader(client)


def plant(replica_set: ReplicaSet) -> None:
    """Write a document to all members."""
    client = reach(replica_set, **{"URLParam.w": 3})
    client.shop.sessions.replace_one({"_id": 1}, {"_id": 1, "n": 2}, upsert=True)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_member_with_the_tags_answers(replica_set: ReplicaSet, number: int) -> None:
    """With a tag set, in text and in object form, the member with these tags answers."""
    plant(replica_set)
    data_centre = ("ny", "sf", "é")[number]
    for tags in (
        f"dc:{data_centre},rack:{number}",
        {"dc": data_centre},
        [{"dc": "nowhere"}, {"rack": number}],
    ):
        client = reach(
            replica_set,
            **{"URLParam.readPreference": "nearest", "URLParam.readPreferenceTags": tags},
        )
        assert isinstance(client.read_preference, Nearest)
        assert replica_set.members[number].port == reader(client)


def test_every_form_of_seed_list(replica_set: ReplicaSet) -> None:
    """Several seeds reach the set with its name and, as several routers, without it."""
    plant(replica_set)
    seeds = ", ".join(f"127.0.0.1:{member.port}" for member in replica_set.members)
    for options in ({"URLParam.replicaSet": "rs"}, {}):
        config = DbConfig.from_options({"name": "shop", "servers": seeds, **SLOW, **options})
        assert replica_set.primary.port == reader(get_client(config))


def test_check_of_three_members(replica_set: ReplicaSet) -> None:
    """Three members are enough for the check of a set-up."""
    config = DbConfig.from_options({"url": replica_set.url, "name": "shop"})
    assert "rs, 3 members, one is primary" in str([*check_setup(config, 10.0)])
