"""``beaker-mongo explain``."""

from click import command, option
from click.exceptions import Exit

from beaker_mongo_soajs.cli.application import Application, pass_application
from beaker_mongo_soajs.cli.failures import FINDINGS
from beaker_mongo_soajs.cli.output import format_option
from beaker_mongo_soajs.config.outcome import Outcome
from beaker_mongo_soajs.exceptions import ConfigError


@command()
@option("--json", "as_json", is_flag=True, help="The same as --format json.")
@option("--defaults", is_flag=True, help="List the defaults of the other options, too.")
@format_option()
@pass_application
def explain(app: Application, as_json: bool, defaults: bool, output_format: str) -> None:
    """Describe the effect of each option of the configuration.

    The exit code is 1 if an option is refused.
    """
    config, errors = app.settings.read_usable()
    if as_json or output_format == "json":
        rows = [_row(outcome) for outcome in config.outcomes]
        rows += [_refusal(error) for error in errors]
        if defaults:
            rows += [_row(outcome) | {"default": True} for outcome in config.default_outcomes]
        app.output.json(rows)
    else:
        app.output.text(app.settings.explain(defaults=defaults))
    if errors:
        raise Exit(FINDINGS)


def _row(outcome: Outcome) -> dict[str, object]:
    return {
        "option": outcome.name,
        "value": outcome.shown,
        "effect": outcome.text,
        "status": "no effect" if outcome.idle else "applied",
    }


def _refusal(error: ConfigError) -> dict[str, object]:
    return {
        "option": error.option,
        "value": None,
        "effect": str(error),
        "status": "refused",
    }
