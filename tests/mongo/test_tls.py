"""Certificates and keys as files: private, and gone as soon as they are read."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from beaker_mongo_soajs.config import DbConfig
from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.mongo.client import check_client, get_client
from beaker_mongo_soajs.mongo.tls import PemFiles
from tests.conftest import RunPython
from tests.mongo.certificates import Certificates, encrypt_key
from tests.passwords import PASSPHRASE


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a temporary folder for this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def pems(certificates: Certificates) -> dict[str, Any]:
    """Describe a client by PEM texts."""
    certificate, key = certificates.issue_client("ann")
    return {
        "tlsCAFile": [certificates.authority_pem],
        "tlsCertificateKeyFile": certificate,
        "sslKey": key,
    }


def test_texts_become_private_files(pems: dict[str, Any], temporary: Path) -> None:
    """PEM texts are in private files while the block runs."""
    with PemFiles(pems, {}) as files:
        [folder] = temporary.iterdir()
        assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
        paths = list(folder.iterdir())
        assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in paths}
        assert {str(path) for path in paths} == set(files.keywords.values())
    assert [] == list(temporary.iterdir())


def test_certificate_and_key_share_a_file(pems: dict[str, Any]) -> None:
    """PyMongo finds the key after the certificate in one file."""
    with PemFiles(pems, {}) as files:
        text = Path(files.keywords["tlsCertificateKeyFile"]).read_text()
        assert "sslKey" not in files.keywords
    assert [pems["tlsCertificateKeyFile"].strip(), pems["sslKey"].strip()] == [
        text[: len(pems["tlsCertificateKeyFile"].strip())],
        text.strip()[-len(pems["sslKey"].strip()) :],
    ]


def test_certificate_and_key_as_two_paths(pems: dict[str, Any], tmp_path: Path) -> None:
    """A certificate and a key in two files become one file, and the two files stay."""
    paths = {name: tmp_path / name for name in ("tlsCertificateKeyFile", "sslKey")}
    for name, path in paths.items():
        path.write_text(pems[name])
    with PemFiles({name: str(path) for name, path in paths.items()}, {}) as files:
        text = Path(files.keywords["tlsCertificateKeyFile"]).read_text()
        assert {"tlsCertificateKeyFile"} == files.keywords.keys()
        assert "".join(f"{pems[name].strip()}\n" for name in paths) == text
    assert all(path.exists() for path in paths.values())


def test_path_stays_and_is_never_removed(certificates: Certificates, temporary: Path) -> None:
    """A single path is passed on as it is, and its file is not removed."""
    path = str(certificates.authority_path)
    with PemFiles({"tlsCAFile": [path]}, {}) as files:
        assert path == files.keywords["tlsCAFile"]
        assert [] == list(temporary.iterdir())
    assert certificates.authority_path.exists()


def test_texts_and_paths_mix(certificates: Certificates) -> None:
    """Several authorities, some as text and some as path, become one file."""
    parts = [certificates.authority_pem, str(certificates.authority_path)]
    with PemFiles({"tlsCAFile": parts}, {}) as files:
        text = Path(files.keywords["tlsCAFile"]).read_text()
    assert 2 == text.count("-----BEGIN CERTIFICATE-----")


def test_no_file_outlives_the_making_of_a_client(
    certificates: Certificates, temporary: Path
) -> None:
    """After a client is made, its certificate and key are in no file, and it can use them."""
    certificate, key = certificates.issue_client("ann")
    config = DbConfig.from_options(
        {
            "extraParam.server.sslCA": certificates.authority_pem.encode(),
            "extraParam.server.sslCert": certificate.encode(),
            "extraParam.server.sslKey": bytearray(encrypt_key(key).encode()),
            "extraParam.server.sslPass": PASSPHRASE.encode(),
        }
    )
    client = get_client(config)
    assert [] == list(temporary.iterdir())
    context: Any = client.options.pool_options._ssl_context
    assert 1 == len(context.get_ca_certs())
    # Before PyMongo hid it itself, the repr of a client showed these.
    keywords: Any = client.options._options
    assert PASSPHRASE not in repr(client) + repr(dict(keywords))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("sslCA", "/no/such/ca.pem", "cannot be read: No such file"),
        ("sslCA", "/", "cannot be read: Is a directory"),
        ("sslCA", "/dev/null", "holds no PEM"),
        ("sslCert", "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8w", "cannot be read"),
    ],
)
def test_unusable_file_is_an_error(option: str, value: str, words: str, temporary: Path) -> None:
    """A file that cannot be used is an error that names the option, and leaves no file."""
    config = DbConfig.from_options({f"extraParam.server.{option}": value})
    with pytest.raises(ConfigError, match=words) as caught:
        check_client(config)
    assert f"extraParam.server.{option}" == caught.value.option
    assert "MIIC" not in str(caught.value)
    assert [] == list(temporary.iterdir())


def test_certificate_that_is_garbage_is_an_error(temporary: Path) -> None:
    """PEM text that OpenSSL cannot read is an error, and leaves no file."""
    text = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----"
    with pytest.raises(ConfigError, match="PyMongo refuses"):
        check_client(DbConfig.from_options({"extraParam.server.sslCA": text}))
    assert [] == list(temporary.iterdir())


def test_key_of_another_certificate_is_an_error(certificates: Certificates) -> None:
    """A key that does not match its certificate is an error with a hint."""
    (certificate, _), (_, key) = (certificates.issue_client(name) for name in ("ann", "bob"))
    config = DbConfig.from_options({"extraParam.server": {"sslCert": certificate, "sslKey": key}})
    with pytest.raises(ConfigError, match="sslKey belongs to sslCert"):
        check_client(config)


def test_encrypted_key_without_passphrase_does_not_ask_the_terminal(
    certificates: Certificates,
) -> None:
    """Without a passphrase an encrypted key is an error, before OpenSSL asks on the terminal."""
    certificate, key = certificates.issue_client("ann")
    config = DbConfig.from_options(
        {"extraParam.server": {"sslCert": certificate, "sslKey": encrypt_key(key)}}
    )
    with pytest.raises(ConfigError, match="is encrypted") as caught:
        check_client(config)
    assert "extraParam.server.sslKey" == caught.value.option


def test_full_disk_is_a_config_error(pems: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """If no temporary file can be written, the error suggests paths."""
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with pytest.raises(ConfigError, match="Give paths"):
        PemFiles(pems, {})


def test_kept_files_go_at_exit_and_survive_a_child(
    certificates: Certificates, temporary: Path, run_python: RunPython
) -> None:
    """Files kept for later go when their process ends, and not when a child of it does."""
    code = """
        import os, sys
        from pathlib import Path
        from beaker_mongo_soajs.mongo.tls import PemFiles
        with PemFiles({"tlsCAFile": [os.environ["PEM"]]}, {}, keep=True) as files:
            path = Path(files.keywords["tlsCAFile"])
        child = os.fork()
        if not child:
            sys.exit()
        os.waitpid(child, 0)
        print(path.exists())
    """
    done = run_python(code, {"PEM": certificates.authority_pem, "TMPDIR": str(temporary)})
    assert "True" == done.stdout.strip()
    assert [] == list(temporary.iterdir())
