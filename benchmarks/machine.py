"""The machine and the versions of a run."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("beaker_mongo_soajs", "Beaker", "PyMongo", "redis", "Flask-Session")


def machine() -> dict[str, Any]:
    """Return the processor, its cores, the system and the load of the last minute."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2),
    }


def versions(servers: dict[str, str]) -> dict[str, str]:
    """Return the versions of Python, packages and servers, by name.

    :param servers: the versions of the servers.
    """
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | servers


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"
