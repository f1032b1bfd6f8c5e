"""Skipped tests, where the environment promises that there need be none."""

import pytest

_SKIPPING = """
    import pytest

    def test_passing():
        pass

    def test_skipped_by_a_call():
        pytest.skip("no such server")

    @pytest.mark.skip(reason="not today")
    def test_skipped_by_a_mark():
        pass

    @pytest.mark.xfail(reason="known")
    def test_expected_to_fail():
        assert False
"""


def _run(pytester: pytest.Pytester, code: str) -> pytest.RunResult:
    pytester.makepyfile(code)
    return pytester.runpytest_inprocess("-p", "tests.promises", "-p", "no:cacheprovider")


@pytest.mark.parametrize("value", [None, "", "0", "False"])
def test_a_skip_is_a_skip_without_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """On a person's machine, a test that lacks something is skipped."""
    monkeypatch.delenv("CI", raising=False)
    if value is not None:
        monkeypatch.setenv("CI", value)
    _run(pytester, _SKIPPING).assert_outcomes(passed=1, skipped=2, xfailed=1)


def test_a_skip_is_a_failure_with_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CI set each skip is a failure that tells its reason; an expected failure stays one."""
    monkeypatch.setenv("CI", "true")
    result = _run(pytester, _SKIPPING)
    # A mark takes effect before the test itself begins, and so it is an error there.
    result.assert_outcomes(passed=1, failed=1, errors=1, xfailed=1)
    result.stdout.fnmatch_lines(["*not today*", "*CI is set*", "*no such server*", "*CI is set*"])


def test_a_skipped_module_is_a_failure_with_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that is skipped as a whole, for want of an import, is an error."""
    monkeypatch.setenv("CI", "true")
    result = _run(pytester, "import pytest; pytest.importorskip('no_such_module')")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no_such_module*", "*CI is set*"])
