"""The check that no test makes the package show a password."""

from collections.abc import Iterator

import pytest

from beaker_mongo_soajs import ConfigError
from tests.leak_check import CHECK, LeakCheck
from tests.passwords import PASSWORD


@pytest.fixture(autouse=True)
def _no_password_is_shown() -> Iterator[None]:
    """Replace the check of every test, as these tests show passwords on purpose."""
    yield
    CHECK.see_errors()
    CHECK.leaks.clear()


class TestLeakCheck:
    """What the check finds."""

    @pytest.fixture
    def check(self) -> LeakCheck:
        """Return a check that is not the one of this test session."""
        return LeakCheck()

    @pytest.mark.parametrize(
        "text", [PASSWORD, f"mongodb://ann:{PASSWORD}@db1", "p%40ss%3A%2Fw%25rd+%C3%A9"]
    )
    def test_text(self, check: LeakCheck, text: str) -> None:
        """A password is found as it is, within other text, and escaped for a URL."""
        check.see("A text", text)
        assert check.leaks

    def test_causes(self, check: LeakCheck) -> None:
        """A password in the cause of an error is found, unless the context is suppressed."""
        for suppressed in (False, True):
            error = ConfigError("The option is not valid.")
            error.__context__ = ValueError("x7Qk9z")
            error.__suppress_context__ = suppressed
            check.see_error(error)
            check.see_errors()
            assert suppressed == (not check.leaks)
            check.leaks.clear()

    def test_value(self, check: LeakCheck) -> None:
        """A password in the value of an error is found."""
        check.see_error(ConfigError("The option is not valid.", value={"url": PASSWORD}))
        check.see_errors()
        assert check.leaks

    def test_passwords_of_a_test(self, check: LeakCheck) -> None:
        """A password that a test gives to the package is looked for from then on."""
        check.learn({"credentials": {"password": "1-of-many"}, "store.signingKey": "words"})
        check.see("A text", "mongodb://ann:1-of-many@db1")
        check.see("A text", "words")
        assert 1 == len(check.leaks)
