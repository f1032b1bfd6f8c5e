"""Questions before something is deleted."""

import sys

from click import confirm, echo, prompt

from beaker_mongo_soajs.cli.failures import Failure, UsageFailure


def ask(question: str) -> None:
    """Ask a question on the terminal, and end the command unless the answer is yes.

    :param question: the question.
    :raises UsageFailure: there is no terminal.
    :raises Failure: the answer is no.
    """
    _check_terminal()
    if not confirm(question, err=True):
        raise Failure("Nothing was changed.")


def ask_for_name(name: str, text: str) -> None:
    """Ask for the name of the database, and end the command unless it is right.

    :param name: the name.
    :param text: what will be done, as a sentence.
    :raises UsageFailure: there is no terminal.
    :raises Failure: another name was typed.
    """
    _check_terminal()
    echo(text, err=True)
    if prompt("Type the name of the database", err=True) != name:
        raise Failure(f"Nothing was changed: the name of the database is {name}.")


def _check_terminal() -> None:
    if not sys.stdin.isatty():
        raise UsageFailure("Give --yes: standard input is no terminal to ask on.")
