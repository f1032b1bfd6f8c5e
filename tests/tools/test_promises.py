"""Skipped tests fail if CI is set."""

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
def test_skip_without_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """Without CI, a skipped test is skipped."""
    monkeypatch.delenv("CI", raising=False)
    if value is not None:
        monkeypatch.setenv("CI", value)
    _run(pytester, _SKIPPING).assert_outcomes(passed=1, skipped=2, xfailed=1)


def test_skip_with_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With CI, each skip is a failure with its reason; expected failures do not change."""
    monkeypatch.setenv("CI", "true")
    result = _run(pytester, _SKIPPING)
    # A mark skips the test in its setup, where failures are errors.
    result.assert_outcomes(passed=1, failed=1, errors=1, xfailed=1)
    result.stdout.fnmatch_lines(["*not today*", "*CI is set*", "*no such server*", "*CI is set*"])


def test_skipped_module_with_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With CI, a module that is skipped because an import fails is an error."""
    monkeypatch.setenv("CI", "true")
    result = _run(pytester, "import pytest; pytest.importorskip('no_such_module')")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no_such_module*", "*CI is set*"])
