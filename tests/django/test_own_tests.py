"""Django's own tests of sessions pass on this package."""

import json
from importlib.metadata import version

import pytest

from tests.conftest import Options, RunPython
from tests.django.own_tests import LEFT_OUT, NotAvailableError, fetch

CASES = {
    *("DatabaseSessionTests", "DatabaseSessionWithTimeZoneTests", "CustomDatabaseSessionTests"),
    *("SessionMiddlewareTests", "ClearSessionsCommandTests"),
}


@pytest.fixture(scope="module")
def tests_of_django() -> None:
    """Download the tests of the installed version, or skip."""
    try:
        fetch(version("django"))
    except NotAvailableError as error:
        pytest.skip(f"needs the network: {error}")


# The download includes a build, which is slow on a busy machine.
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("tests_of_django")
@pytest.mark.parametrize("options", [{}, {"stringify": True}], ids=["native", "text"])
def test_all_pass(
    run_python: RunPython, mongo_url: str, database_name: str, options: Options
) -> None:
    """All of Django's tests of sessions pass, except one that needs a table of its own."""
    code = f"""
        import runpy, sys
        sys.argv = ["", {database_name!r}, {json.dumps(options)!r}]
        runpy.run_module("tests.django.own_tests", run_name="__main__")
    """
    ran = run_python(code, {"MONGODB_URL": mongo_url})
    found = json.loads(ran.stdout)
    assert sum(found["of"].values()) == found["passed"], ran.stderr
    assert CASES <= found["of"].keys()
    # Django 4.2 has the fewest: it has no tests of async methods.
    assert found["of"]["DatabaseSessionTests"] >= 38
    assert {"test_extra_session_field"} == LEFT_OUT.keys()
