"""The passwords in the tests, and the texts that would give one away."""

from urllib.parse import quote, quote_plus

PASSWORD = "p@ss:/w%rd é"
"""A password with every character that a connection string has to escape."""

SERVER_PASSWORD = "s3cr3t-p@ss:/w%rd"
"""A password of users on a server that the tests start."""

PASSPHRASE = "p@ss: phrase é"
"""The passphrase of private keys."""

MASKED = ("p@q7Xz", "x7Qk9z", "p@q7Xz:/w%rd é")
"""Passwords for the tests of errors."""

_CORES = ("q7Xz", "x7Qk9z", "w%rd", "w%25rd", "s3cr3t")
"""Parts of these passwords that occur nowhere else."""


def find_traces(password: str) -> set[str]:
    """Return the texts that would show a password: itself, escaped, and quoted by ``repr``.

    :param password: the password
    """
    return {password, quote(password), quote_plus(password), repr(password)[1:-1]}


TRACES = frozenset(_CORES).union(
    *(find_traces(each) for each in (PASSWORD, SERVER_PASSWORD, PASSPHRASE, *MASKED))
)
"""The texts that no message may contain."""
