"""Certificates and keys as files, because PyMongo takes no other form."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from beaker_mongo_soajs.exceptions import ConfigError
from beaker_mongo_soajs.options.masking import PEM_BEGIN

CERTIFICATE = "tlsCertificateKeyFile"
PASSPHRASE_KEYWORD = f"{CERTIFICATE}Password"


class PemFiles:
    """Write PEM texts among the keyword arguments of a client to private, temporary files.

    Use it as a context manager. PyMongo reads the files while it makes a client, so they are
    removed at the end of the ``with`` block. Paths are passed on as they are, and their files are
    never removed.

    :param keywords: the keyword arguments for ``MongoClient``: certificates and keys as PEM text or
        path, ``tlsCAFile`` as a list of them, ``sslKey`` separate from its certificate
    :param origins: the option of each keyword argument, for error messages
    :param keep: keep the files until the interpreter ends, for a client that reads them again on
        first use: one whose servers come from the DNS
    :ivar keywords: the same keyword arguments, with paths only
    :raises ConfigError: a file cannot be read or holds no PEM, or a key needs a passphrase
    """

    def __init__(
        self, keywords: Mapping[str, Any], origins: Mapping[str, str], keep: bool = False
    ) -> None:
        self.keywords = dict(keywords)
        self._origins = origins
        self._keep = keep
        self._folder: Path | None = None
        self._owner = os.getpid()
        try:
            self._write_all()
        except OSError as error:
            self.remove()
            raise ConfigError(
                f"A certificate or key cannot be written to a temporary file: {error.strerror}.",
                hint="Give paths of files instead of PEM text, or make TMPDIR writable.",
            ) from error
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._keep and error is None:
            atexit.register(self.remove)
        else:
            self.remove()

    def remove(self) -> None:
        """Remove the files, unless another process wrote them."""
        # A forked child runs its parent's exit handlers, and the parent may still need the files.
        if self._folder is not None and self._owner == os.getpid():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _write_all(self) -> None:
        authorities = self.keywords.get("tlsCAFile")
        if authorities:
            self._replace("tlsCAFile", authorities, self._read_all("tlsCAFile", authorities))
        if "tlsCRLFile" in self.keywords:
            # A revocation list may also be DER, which can only be given as a path.
            lists = (self.keywords["tlsCRLFile"],)
            self._replace("tlsCRLFile", lists, _texts(lists))
        if CERTIFICATE in self.keywords:
            self._write_certificate()

    def _write_certificate(self) -> None:
        parts = [self.keywords[CERTIFICATE]]
        texts = self._read_all(CERTIFICATE, parts)
        key = self.keywords.pop("sslKey", None)
        if key is not None:
            parts.append(key)
            texts += self._read_all("sslKey", [key])
        encrypted = any("ENCRYPTED" in text for text in texts)
        if encrypted and PASSPHRASE_KEYWORD not in self.keywords:
            # OpenSSL would ask for the passphrase on the terminal.
            name = self._name("sslKey" if key is not None else CERTIFICATE)
            raise ConfigError(
                f"{name} is encrypted, and no passphrase is given.",
                option=name,
                hint="Set sslPass, or tlsCertificateKeyFilePassword in URLParam.",
            )
        self._replace(CERTIFICATE, parts, texts)

    def _replace(self, keyword: str, parts: Any, texts: list[str]) -> None:
        """Set a keyword argument to one path: the given one, or a new file with all the texts."""
        if len(parts) == 1 and PEM_BEGIN not in parts[0]:
            self.keywords[keyword] = parts[0]
            return
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="beaker-mongo-"))
        path = self._folder / f"{keyword}.pem"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(text.strip() for text in texts) + "\n")
        self.keywords[keyword] = str(path)

    def _read_all(self, keyword: str, parts: Any) -> list[str]:
        return [self._read(keyword, part) for part in parts]

    def _read(self, keyword: str, part: str) -> str:
        if PEM_BEGIN in part:
            return part
        name = self._name(keyword)
        try:
            text = Path(part).read_text(encoding="utf-8")
        except OSError as error:
            # The message must not contain the path: it may be a key that lost its BEGIN line.
            raise ConfigError(
                f"{name} names a file that cannot be read: {error.strerror}.",
                option=name,
                hint="Give the path of a PEM file that this process may read, or PEM text.",
            ) from None
        except ValueError:
            text = ""
        if PEM_BEGIN not in text:
            raise ConfigError(
                f"{name} names a file that holds no PEM text.",
                option=name,
                hint="Convert it: openssl x509 -inform der -in FILE -out FILE.pem.",
            )
        return text

    def _name(self, keyword: str) -> str:
        return self._origins.get(keyword, keyword)


def _texts(parts: tuple[str, ...]) -> list[str]:
    return [part for part in parts if PEM_BEGIN in part]
