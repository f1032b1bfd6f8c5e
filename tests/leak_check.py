"""The search for passwords in what the package shows; the plugin ``tests.leaks`` uses it."""

from collections.abc import Mapping

from hypothesis import currently_in_test_context

from tests.passwords import TRACES, find_traces

_SECRET_NAMES = ("password", "signingkey", "sslpass", "secret", "encrypt_key", "validate_key")
_SHORTEST = 8
_MOST_ERRORS = 200


class LeakCheck:
    """Collect what the package shows, and find the passwords in it."""

    def __init__(self) -> None:
        """Look for the passwords of the tests."""
        self.traces = set(TRACES)
        self.leaks: list[str] = []
        self._errors: list[BaseException] = []

    def see(self, what: str, text: str) -> None:
        """Look at a text that the package shows."""
        found = [trace for trace in self.traces if trace in text]
        if found:
            self.leaks.append(f"{what} shows {found[0]!r}: {text[:500]}")

    def see_error(self, error: BaseException) -> None:
        """Remember an error, which has no cause yet."""
        self._errors.append(error)
        if len(self._errors) > _MOST_ERRORS:
            self.see_errors()

    def see_errors(self) -> None:
        """Look at the remembered errors and their causes, as a traceback shows them."""
        errors, self._errors = self._errors, []
        for first in errors:
            error: BaseException | None = first
            while error is not None:
                self.see("An error", f"{error!r} {error}")
                self.see("The value of an error", repr(getattr(error, "value", "")))
                hidden = error.__suppress_context__
                error = error.__cause__ or (None if hidden else error.__context__)

    def learn(self, options: object) -> None:
        """Add the passwords among options to those that are looked for."""
        # Hypothesis draws a password also as the value of another option, which may be shown.
        if not isinstance(options, Mapping) or currently_in_test_context():
            return
        for name, value in options.items():
            if isinstance(value, Mapping):
                self.learn(value)
            elif str(name).lower().endswith(_SECRET_NAMES) and _is_distinct(value):
                self.traces |= find_traces(str(value))


def _is_distinct(value: object) -> bool:
    # A word may also occur in the text of a message.
    digits = isinstance(value, str) and any(character.isdigit() for character in value)
    return digits and len(str(value)) >= _SHORTEST


CHECK = LeakCheck()
