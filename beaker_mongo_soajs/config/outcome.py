"""The effect of one option, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """Describe the effect of one option.

    :param name: its full name
    :param shown: its value, without secrets
    :param text: its effect: "applied as maxPoolSize = 5"
    :param idle: whether it has no effect
    """

    name: str
    shown: str
    text: str
    idle: bool = False

    def __str__(self) -> str:
        return f"{self.name} = {self.shown}: {self.text}"


def no_effect(name: str, shown: str, because: str) -> Outcome:
    """Return the outcome of an option without effect.

    :param name: the option's full name
    :param shown: its value, without secrets
    :param because: the reason, to complete "no effect, because …"
    """
    return Outcome(name, shown, f"no effect, because {because}", idle=True)
