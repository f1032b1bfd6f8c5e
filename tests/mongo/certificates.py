"""Certificates made for a test: an authority, a server, clients, keys with a passphrase."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.passwords import PASSPHRASE


class Certificates:
    """Make an authority of its own and write what it signs to files.

    :param folder: where the files go
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority_path = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(self.authority_path))

    @property
    def authority_pem(self) -> str:
        """The authority's certificate as PEM text."""
        return self.authority.cert_pem.bytes().decode()

    def write_server(self, *names: str) -> Path:
        """Write a certificate and key for a server.

        :param names: the host names and addresses that it is for
        :returns: the path of the file
        """
        path = self.folder / f"server-{len(list(self.folder.iterdir()))}.pem"
        self.authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def issue_client(self, common_name: str) -> tuple[str, str]:
        """Make a certificate and key for a client.

        :param common_name: what the certificate says who the client is
        :returns: the certificate and the key, as PEM text
        """
        issued = self.authority.issue_cert(
            "client.example", common_name=common_name, organization_unit_name="clients"
        )
        certificate = "".join(blob.bytes().decode() for blob in issued.cert_chain_pems)
        return certificate, issued.private_key_pem.bytes().decode()

    def write_revocation_list(self, path: Path) -> Path:
        """Write a list of revoked certificates that names none.

        :param path: where to
        :returns: the same path
        """
        authority = x509.load_pem_x509_certificate(self.authority.cert_pem.bytes())
        key = load_pem_private_key(self.authority.private_key_pem.bytes(), password=None)
        now = datetime.now(UTC)
        revoked = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.subject)
            .last_update(now)
            .next_update(now + timedelta(days=1))
            .sign(key, hashes.SHA256())  # type: ignore[arg-type]
        )
        path.write_bytes(revoked.public_bytes(serialization.Encoding.PEM))
        return path


def encrypt_key(key: str, passphrase: str = PASSPHRASE) -> str:
    """Encrypt a private key.

    :param key: the key as PEM text
    :param passphrase: what it takes to use it from then on
    :returns: the encrypted key as PEM text
    """
    loaded = load_pem_private_key(key.encode(), password=None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    ).decode()
