"""``beaker-mongo doctor``."""

import platform
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from click import command

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.check import find_all, to_rows
from beaker_mongo_soajs.cli.output import format_option
from beaker_mongo_soajs.cli.stats import plain_lines
from beaker_mongo_soajs.exceptions import BeakerMongoError, ConfigError
from beaker_mongo_soajs.mongo.admin_collection import AdminCollection
from beaker_mongo_soajs.mongo.findings import Level
from beaker_mongo_soajs.mongo.index_admin import IndexAdmin
from beaker_mongo_soajs.sessions.statistics import Statistics, collect_statistics

_PACKAGES = (
    *("beaker_mongo_soajs", "Beaker", "pymongo", "click", "rich"),
    *("Django", "Flask", "pyramid", "pyramid_beaker", "gevent", "cryptography"),
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WAIT_SECONDS = 10.0


@command()
@format_option()
@pass_application
def doctor(app: Application, output_format: str) -> None:
    """Write a report to paste into a bug report.

    It has versions, options, the findings of check, indexes and numbers. It has no passwords, no
    names of servers, no session ids and no session data.
    """
    with app.output.status("Examining"):
        report = _Anonymous(app).clean(make_report(app))
    if output_format == "json":
        app.output.json(report)
    else:
        app.output.text(_render(report))


def make_report(app: Application) -> dict[str, Any]:
    """Return the parts of the report. A part that fails has the error.

    :param app: the application.
    """
    return {
        "versions": _versions(),
        "options": app.settings.explain(defaults=False).splitlines(),
        "check": to_rows(find_all(app, _WAIT_SECONDS)),
        "indexes": _try(lambda: [_index(each) for each in IndexAdmin(app.config).states()]),
        "statistics": _try(lambda: asdict(collect_statistics(AdminCollection(app.config)))),
    }


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "system": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _index(state: Any) -> dict[str, Any]:
    return {"name": state.name, "fields": [*state.fields], "state": state.state}


def _try(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except BeakerMongoError as error:
        return {"error": str(error)}


class _Anonymous:
    """Replace the names of servers by numbers."""

    def __init__(self, app: Application) -> None:
        try:
            servers = app.config.servers
        except ConfigError:
            servers = app.settings.read_usable()[0].servers
        hosts = [host for host, _ in servers if host not in _LOOPBACK]
        self._names = {host: f"host{number}" for number, host in enumerate(hosts, 1)}

    def clean(self, value: Any) -> Any:
        """Return a part of the report without names of servers."""
        if isinstance(value, str):
            for host in sorted(self._names, key=len, reverse=True):
                value = value.replace(host, self._names[host])
            return value
        if isinstance(value, dict):
            return {name: self.clean(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        return value


def _render(report: dict[str, Any]) -> str:
    marks = {level.name.lower(): level.value for level in Level}
    checks = (f"{marks[row['level']]} {row['topic']}: {row['text']}" for row in report["check"])
    parts = {
        "Versions": (f"{name} {number}" for name, number in report["versions"].items()),
        "Options": report["options"],
        "Check": checks,
        "Indexes": _index_lines(report["indexes"]),
        "Statistics": _statistics_lines(report["statistics"]),
    }
    return "\n\n".join(
        "\n".join([f"### {title}", "", *(f"    {line}".rstrip() for line in lines)])
        for title, lines in parts.items()
    )


def _index_lines(found: Any) -> list[str]:
    if isinstance(found, dict):
        return [_error_line(found)]
    return [f"{row['name']} ({', '.join(row['fields'])}): {row['state']}" for row in found]


def _statistics_lines(found: dict[str, Any]) -> list[str]:
    return [_error_line(found)] if "error" in found else plain_lines(Statistics(**found))


def _error_line(found: dict[str, Any]) -> str:
    return f"error: {found['error']}"
