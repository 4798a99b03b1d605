"""What came in during a period and what needs a person, from what Tandem has recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from commands.period import period
from commands.rows import settings_or_defaults
from commands.shared import check_desk, database_errors
from triage.environment import read_environment
from triage.links import DRAFT_UNUSABLE, DRAFT_USED, ON_DRAFT, VERDICTS
from triage.queue_report import NEEDS_MODEL, agreement_of, feedback_of, queue_report
from triage.store import open_store

TITLES = {
    "priority": "priority",
    "primary_team": "team",
    "sentiment": "sentiment",
    "churn_risk": "churn risk",
    "classifier": "answered by",
    "drafted": "draft reply",
}
NOTHING = "no ticket was triaged in this period"
FORGOTTEN = "{count} more were triaged; what was said of them is past its retention and not counted"
NO_MODEL = "needs a language model"
BAR = 20
Json = dict[str, Any]


@click.command()
@click.option("--desk", default="", help="One desk only.")
@click.option("--since", default="7d", show_default=True, help="From when on: 7d, 24h or 2026-11-01.")
@click.option("--until", default="", help="To when; now, if not given.")
@click.option("--tickets", default=10, show_default=True, type=click.IntRange(0), help="Ticket ids shown per concern.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@database_errors()
def command(desk: str, since: str, until: str, tickets: int, as_json: bool) -> None:
    """Report on the queue: what came in, and what needs a person.

    Counts the tickets that were triaged in the period, beside the period of the
    same length before it.

    \b
    Example:
      python manage.py report
      python manage.py report --desk acme --since 2026-11-01 --until 2026-11-08
      python manage.py report --since 24h --json
    """
    environment = read_environment()
    settings = settings_or_defaults(environment)
    if desk:
        check_desk(settings, desk, Path(environment.tandem_config))
    start, end = period(since, until, datetime.now(UTC))
    earlier = start - (end - start)
    store = open_store(environment.database_url)
    runs = store.runs
    # The period and the one before it, side by side.
    now, before = (runs.begun_between(a.timestamp(), b.timestamp(), desk) for a, b in ((start, end), (earlier, start)))
    times = {"since": _iso(start), "until": _iso(end), "before_since": _iso(earlier)}
    report = {"desk": desk or None, **times, **queue_report(now, before, tickets)}
    desks = [desk] if desk else settings.desks or sorted({run.desk for run in now})
    closed = [store.outcomes.agreement(name, start.timestamp(), end.timestamp()) for name in desks]
    report["agreement"] = agreement_of(closed)
    report["feedback"] = feedback_of(store.feedback.tally(start.timestamp(), end.timestamp(), [desk] if desk else []))
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _show(report, Console())


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _show(report: Json, console: Console) -> None:
    since, until = (report[name][:16].replace("T", " ") for name in ("since", "until"))
    console.print(Text(f"\n{report['desk'] or 'All desks'}: {since} to {until} UTC", style="bold"))
    triaged = report["triaged"]
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(report["states"].items()) if state != "done")
    console.print(f"{triaged['n']:,} tickets triaged ({triaged['before']:,} before)", highlight=False, end="")
    console.print(f"; {states}" if states else "", highlight=False)
    if report["forgotten"]:
        console.print(FORGOTTEN.format(count=report["forgotten"]), highlight=False)
    if not triaged["n"]:
        console.print(NOTHING, highlight=False)
        _feedback(report["feedback"], console)
        return
    _attention(report, console)
    for kind, rows in report["by"].items():
        console.print(_table(TITLES[kind], rows))
    if report["agreement"]:
        console.print(Text("\nOn tickets closed meanwhile, people agreed with", style="bold"))
        for field, one in report["agreement"].items():
            console.print(f"{TITLES[field]:<30}{one['n']:>7,}  {one['share']:>7.0%}", highlight=False)
    _feedback(report["feedback"], console)
    if report["cost_usd"]:
        console.print(f"\nThe language model cost USD {report['cost_usd']:,.2f}.", highlight=False)


def _feedback(votes: Json, console: Console) -> None:
    if not votes["notes"]:
        return
    console.print(Text(f"\nWhat agents said by the links in {votes['notes']:,} notes", style="bold"))
    for verdict, words in VERDICTS.items():
        if verdict not in ON_DRAFT:
            console.print(f"{words.lower():<30}{votes[verdict]:>7,}", highlight=False)
    if votes["draft_use"] is not None:
        of = votes[DRAFT_USED] + votes[DRAFT_UNUSABLE]
        console.print(
            f"{'draft used':<30}{votes[DRAFT_USED]:>7,}  {votes['draft_use']:>7.0%} of {of:,}", highlight=False
        )
        console.print(
            f"{'draft unusable':<30}{votes[DRAFT_UNUSABLE]:>7,}  {votes['reasons']:,} with a reason", highlight=False
        )


def _attention(report: Json, console: Console) -> None:
    console.print(Text("\nNeeds attention", style="bold"))
    many_desks = report["desk"] is None
    for name, one in report["attention"].items():
        if name in NEEDS_MODEL and not report["by_model"]:
            console.print(f"{'-':>6}  {'-':>4}  {one['title']}: {NO_MODEL}", highlight=False, style="dim")
            continue
        line = f"{one['n']:>6,}  {one['share']:>4.0%}  {one['title']} ({one['before']:,} before)"
        console.print(line, highlight=False, style="" if one["n"] else "dim")
        ids = [f"{ticket['desk']}/{ticket['id']}" if many_desks else ticket["id"] for ticket in one["tickets"]]
        if ids:
            more = f" and {one['n'] - len(ids):,} more" if one["n"] > len(ids) else ""
            console.print(Padding(Text(" ".join(ids) + more, style="dim"), (0, 0, 0, 14)))


def _table(title: str, rows: list[Json]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    made.add_column(f"\n{title}", width=30, no_wrap=True)
    for name in ("\ntickets", "\nshare", "\nbefore"):
        made.add_column(name, justify="right", width=7)
    made.add_column("", no_wrap=True, width=BAR)
    for row in rows:
        label = "".join(letter if letter.isprintable() else " " for letter in row["label"]).replace("_", " ")
        bar = "█" * round(row["share"] * BAR)
        made.add_row(Text(label), f"{row['n']:,}", f"{row['share']:.0%}", f"{row['before']:,}", bar)
    return made
