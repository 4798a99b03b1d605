"""Fits probabilities anew from what agents did after Tandem's triage."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from commands.shared import check_desk, checked_settings, database_errors
from triage.classify.refit import LEAST, Refit
from triage.store import open_store
from workers.calibrate import TOO_FEW, Verdict, calibrate

HEADINGS = ("field", "classifier", "n", "temp.", "ECE", "log-loss", "result")
LAYOUT = "  {:<13}{:<17}{:>5}  {:>5}  {:<10}{:<12}{}"
NOTHING = "  no solved ticket has shown yet what people made of Tandem's triage"
EXPLAINED = f"""\
n: solved tickets that showed what people made of the field (at least {LEAST}).
temp.: above 1 the classifier was too sure, below 1 too modest.
ECE: calibration error, before->after. log-loss: the same, on the newest fifth;
a temperature is applied only where it falls clearly. Lower is better.
thresholds: those for target_precision are applied, the temperature is not."""
DRY = "Dry run: nothing was changed."
LIVE = "Workers apply the new fits within a minute."


@click.command()
@click.option("--desk", default="", help="This desk only; else every desk of the settings.")
@click.option("--dry-run", is_flag=True, help="Fit and report only; nothing is changed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_errors()
def command(desk: str, dry_run: bool, as_json: bool) -> None:
    """Fit probabilities anew from what agents did.

    Compares what Tandem said with what solved tickets ended as, and fits one
    temperature per classifier and field, and the thresholds for
    target_precision. What helps is applied. Beat does the same once a day.

    \b
    Examples:
      python manage.py calibrate --dry-run
      python manage.py calibrate --desk acme --json
    """
    environment, settings = checked_settings()
    if desk:
        check_desk(settings, desk, Path(environment.tandem_config))
    store = open_store(environment.database_url)
    found = {
        name: calibrate(name, store, time.time(), dry_run=dry_run) for name in ([desk] if desk else settings.desks)
    }
    if as_json:
        rows = [_row(one) for verdicts in found.values() for one in verdicts]
        click.echo(json.dumps({"dry_run": dry_run, "fits": rows}, indent=2))
        return
    for name, verdicts in found.items():
        click.echo(f"\n{name}")
        _show(verdicts)
    if any(found.values()):
        click.echo(f"\n{EXPLAINED}\n{DRY if dry_run else LIVE}")


def _show(verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        click.echo(NOTHING)
        return
    click.echo(LAYOUT.format(*HEADINGS))
    for one in verdicts:
        click.echo(LAYOUT.format(one.field, one.classifier[:16], one.outcomes, *_figures(one.refit), one.result))


def _figures(fit: Refit | None) -> tuple[str, str, str]:
    if fit is None:
        return "", "", ""
    before, after = fit.before, fit.after
    return (
        f"{fit.fitted:.2f}",
        f"{before.error:.2f}->{after.error:.2f}".replace("0.", "."),
        f"{before.log_loss:.2f}->{after.log_loss:.2f}",
    )


def _row(one: Verdict) -> dict[str, Any]:
    row = {"desk": one.desk, "classifier": one.classifier, "field": one.field, "outcomes": one.outcomes}
    fit = asdict(one.refit) if one.refit else {}
    return {**row, "result": one.result, "enough": one.result != TOO_FEW, **fit}
