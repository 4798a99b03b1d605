"""A backtest's report in the terminal, good at 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from triage.backtest.effects import dollars

TITLES = {"primary_team": "team", "priority": "priority", "sentiment": "sentiment", "churn_risk": "churn risk"}
BINS = 10
NAME_WIDTH = 22
Json = dict[str, Any]


def show(report: Json, console: Console) -> None:
    """Print `report`, widest things first cut to the console."""
    _head(report, console)
    for warning in report["warnings"]:
        console.print(Text(f"! {plain(warning)}", style="yellow"))
    fields = {name: figures for name, figures in report["fields"].items() if figures["n"]}
    if fields:
        console.print(_overview(fields))
        for name, figures in fields.items():
            _field(name, figures, console)
        console.print(Text("\nCalibration: probability claimed and share right (tickets)", style="bold"))
        console.print(_reliability(fields))
    _written(report["written"], console)
    _mistakes(report["mistakes"], console)
    _money(report["cost"], console)
    _hours(report["hours"], console)


def plain(text: object) -> str:
    """Return `text` without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def number(count: float) -> str:
    """Return `count` with thousands apart."""
    return f"{count:,.0f}"


def percent(share: float | None) -> str:
    """Return a share, "-" where there is none."""
    return "-" if share is None else f"{share:.0%}"


def table(*columns: str, left: Iterable[str] = ()) -> Table:
    """Return an empty table; columns are numbers but for the first and those named in `left`."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if not place or column in left else "right", no_wrap=bool(place))
    return made


def _head(report: Json, console: Console) -> None:
    tickets = report["tickets"]
    what = f"{report['since']} to {report['until']}" if report["since"] else f"file {plain(report['source'])}"
    desk = f"{plain(report['desk'])}, " if report["desk"] else ""
    console.print(Text(f"\nBacktest: {desk}{what}", style="bold"))
    kind = "closed" if report["since"] else "labelled"
    said = f"{number(tickets['closed'])} {kind} tickets, {number(tickets['answered'])} answered by "
    said += ", ".join(f"{plain(one)} ({number(count)})" for one, count in report["classifiers"].items())
    console.print(said, highlight=False)
    for reason, count in tickets["skipped"].items():
        console.print(f"{number(count)} left out: {plain(reason)}", highlight=False)
    for one in report["learned"]:
        console.print(f"{TITLES[one['field']]}: learned from this desk on {one['on']}", highlight=False)
    console.print(f"mode {report['mode']}, policy {report['policy']}; nothing was written\n", highlight=False)


def _overview(fields: Json) -> Table:
    made = table("field", "tickets", "accuracy", "macro-F1", "ECE", "most frequent", left=("most frequent",))
    for name, one in fields.items():
        most = f"{plain(one['majority']['label'])[:NAME_WIDTH]} {percent(one['majority']['share'])}"
        figures = _figure(one["accuracy"]), _figure(one["macro_f1"]), f"{one['ece']:.2f}"
        made.add_row(TITLES[name], number(one["n"]), *figures, most)
    return made


def _figure(one: Json) -> str:
    return f"{one['value']:.2f} ({one['low']:.2f}-{one['high']:.2f})"


def _field(name: str, one: Json, console: Console) -> None:
    now, target = one["now"], one["target"]
    console.print(Text(f"\n{TITLES[name]}", style="bold"))
    right = f", {percent(now['precision'])} of these right" if now["precision"] is not None else ""
    lines = [f"today: sure of {percent(now['share'])} of the tickets{right}"]
    if target["reachable"]:
        found = f"from probability {target['threshold']:.2f} on, {percent(target['share'])} of the tickets"
        lines.append(f"{percent(target['wanted'])} right when written: {found}")
    else:
        lines.append(f"{percent(target['wanted'])} right when written: no threshold promises that on these tickets")
    if one["labels_nobody_told_us"]:
        lines.append(
            f"counting the labels Tandem does not know as wrong: {percent(one['accuracy_counting_all'])} right"
        )
    lines += [f"{number(c['n']):>5} x {plain(c['people'])} read as {plain(c['tandem'])}" for c in one["confused"][:5]]
    for line in lines:
        console.print(f"  {line}", highlight=False)


def _reliability(fields: Json) -> Table:
    made = table("", *(TITLES[name] for name in fields))
    bins = {name: {round(each["from"] * BINS): each for each in one["reliability"]} for name, one in fields.items()}
    for place in sorted({number_ for each in bins.values() for number_ in each}):
        cells = []
        for each in bins.values():
            one = each.get(place)
            cells.append(f"{one['claimed']:.2f} {one['right']:.2f} ({one['n']})" if one else "")
        made.add_row(f"{place / BINS:.1f}-{(place + 1) / BINS:.1f}", *cells)
    return made


def _written(written: Json, console: Console) -> None:
    console.print(Text(f"\nWhat would have been written on {number(written['n'])} tickets", style="bold"))
    made = table("mode", "notes", "team tags", "priority tags", "groups set", "priorities set", "to people")
    for one in written["modes"]:
        cells = [_with_share(one, key) for key in ("team_tags", "priority_tags", "groups", "priorities")]
        made.add_row(one["mode"], number(one["notes"]), *cells, number(one["needs_triage"]))
    console.print(made)
    console.print("(the share that people agree with, where they said something)", style="dim", highlight=False)


def _with_share(one: Json, key: str) -> str:
    share = one["right"][key]
    return number(one[key]) if share is None else f"{number(one[key])} ({percent(share)})"


def _mistakes(mistakes: list[Json], console: Console) -> None:
    if not mistakes:
        return
    console.print(Text("\nSurest mistakes", style="bold"))
    for one in mistakes:
        sure = f"{one['probability']:.2f}" + ("" if one["decided"] else ", not sure enough")
        what = f"{TITLES[one['field']]} {plain(one['tandem'])} ({sure}), people: {plain(one['people'])}"
        console.print(f"  {plain(one['ticket'])}: {what}", highlight=False)
        if one["url"]:
            console.print(f"    {plain(one['url'])}", highlight=False, soft_wrap=True)
        if one.get("text"):
            console.print(Text(f"    {plain(one['text'])}", style="dim"))


def _money(cost: Json, console: Console) -> None:
    console.print(Text("\nLanguage model", style="bold"))
    if cost["no_answer"]:
        console.print(f"  no answer for {number(cost['no_answer'])} tickets", highlight=False)
    if not cost["asked"]:
        console.print("  no cost" if cost["no_answer"] else "  not asked: no cost", highlight=False)
        return
    tokens = f"{number(cost['tokens_in'])} tokens in, {number(cost['tokens_out'])} out"
    console.print(f"  paid for {number(cost['asked'])} tickets ({percent(cost['share'])}): {tokens}", highlight=False)
    if cost["priced"]:
        month = "" if cost["usd_per_month"] is None else f", {dollars(cost['usd_per_month'])} a month at this pace"
        console.print(f"  {dollars(cost['usd'])}{month}", highlight=False)


def _hours(hours: Json | None, console: Console) -> None:
    if hours is None:
        return
    console.print(Text("\nTime saved", style="bold"))
    shares = (
        f"{percent(hours['right'])} as people did, {percent(hours['wrong'])} otherwise, {percent(hours['left'])} left"
    )
    console.print(f"  decided {shares} to them", highlight=False)
    rule = f"{hours['minutes_per_ticket']:g} minutes a ticket (--minutes-per-ticket), a wrong one costs as much"
    if hours["hours_per_month"] is None:
        console.print(f"  {hours['hours_per_1000_tickets']:,.1f} hours per 1,000 tickets, at {rule}", highlight=False)
    else:
        pace = f"{number(hours['tickets_per_month'])} tickets a month"
        console.print(f"  {hours['hours_per_month']:,.1f} hours a month at {pace},", highlight=False)
        console.print(f"  {rule}", highlight=False)
