"""Records of test runs, from which the tables of the test matrix are made."""

import json
from pathlib import Path

import pytest

from tests import versions


def _run(pytester: pytest.Pytester, code: str, *more: str) -> pytest.RunResult:
    pytester.makepyfile(code)
    options = ("-p", "tests.run_record", "-p", "no:cacheprovider", "--record=folder/record.json")
    return pytester.runpytest_inprocess(*options, *more)


@pytest.fixture
def record(pytester: pytest.Pytester) -> Path:
    """Return the path of a record of an earlier run."""
    path = pytester.path / "folder" / "record.json"
    path.parent.mkdir()
    path.write_text("an earlier record")
    return path


def test_passed_run(pytester: pytest.Pytester, record: Path) -> None:
    """The record contains the numbers of tests of all workers, and all versions."""
    _run(
        pytester,
        """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_passing(number):
            pass

        @pytest.mark.skip(reason="not today")
        def test_skipped():
            pass
        """,
        *("-n", "1"),
    )
    expected = {"passed": 3, "skipped": 1, "versions": versions.find_all()}
    assert expected == json.loads(record.read_text())


@pytest.mark.parametrize("code", ["def test(): assert False", "import no_such_module", ""])
def test_failed_run(pytester: pytest.Pytester, record: Path, code: str) -> None:
    """A failed run leaves no record, and removes that of an earlier run."""
    _run(pytester, code)
    assert not record.exists()


def test_tests_of_tables(pytester: pytest.Pytester, record: Path) -> None:
    """While a record is made, the tests of the tables are not run."""
    code = """
        import pytest

        @pytest.mark.tables
        def test_table():
            assert False

        def test_other():
            pass
    """
    _run(pytester, code).assert_outcomes(passed=1, deselected=1)
    assert record.exists()
