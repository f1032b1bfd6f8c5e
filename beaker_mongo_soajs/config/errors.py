"""Several errors of a configuration, reported as one."""

from __future__ import annotations

from collections.abc import Sequence

from beaker_mongo_soajs.exceptions import ConfigError


def combine_errors(errors: Sequence[ConfigError]) -> ConfigError:
    """Return one error for all errors of a configuration.

    :param errors: the errors, at least one
    :returns: the only error, or one whose message lists all of them and whose data are the first's
    """
    if len(errors) == 1:
        return errors[0]
    first = errors[0]
    lines = "".join(f"\n- {error}" for error in errors)
    return ConfigError(
        f"The configuration has {len(errors)} errors:{lines}",
        option=first.option,
        value=first.value,
        code=next((error.code for error in errors if error.code is not None), None),
        errors=tuple(errors),
    )
