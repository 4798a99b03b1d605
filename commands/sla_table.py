"""How the SLA views read in the terminal, at 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from triage.sla_report import Line, OpenClock
from triage.work_list import Ranked, WorkList
from webhooks.sla_page import MISSED, SlaPage, chance, day, given_up, how, left, metric_words, percent

WIDTH = 80
BAR = 30
NAME = 22
SHOWN = 10
HEADS = ("on time", "at risk", "breached", "met", "missed", "in time")
WIDTHS = (9, 9, 9, 9, 8, 9)

Say = Callable[[str], None]


def show(page: SlaPage, say: Say) -> None:
    """Print everything."""
    found = page.report
    now = found.as_of
    where = f"desk {page.place.desk}" if page.place.desk else "all desks"
    say(f"SLA clocks of {where} · {datetime.fromtimestamp(now, UTC):%d %b %Y %H:%M} UTC")
    say(f"Open clocks: {page.sources}")
    say(f"Met and missed: since {day(found.since)}")
    say("")
    say(" " * NAME + "".join(head.rjust(width) for head, width in zip(HEADS, WIDTHS, strict=True)))
    say(_line(found.total))
    for title, lines in (("team", found.teams), ("priority", found.priorities), ("clock", found.metrics)):
        say(title)
        for line in lines:
            say(_line(line, indent="  "))
    say(MISSED)
    say("\nMet in time, by week from Monday (UTC)")
    for line in found.weeks:
        say(_week(line))
    for title, rows in (("Nearest to breach", page.nearest), ("Breached and still open", page.overdue)):
        say(f"\n{title}")
        for text in _clocks(rows[:SHOWN], now):
            say(text)
    if page.work:
        say("\nWhat to work on first: python manage.py sla work")


def show_work(work: Sequence[WorkList], now: float, say: Say) -> None:
    """Print what each team should work on first."""
    if not work:
        say("Nobody waits for an answer.")
    for one in work:
        say(_cut(f"{_words(one.team) or 'no team'} ({one.desk})", 32) + f": {how(one)}")
        for number, each in enumerate(one.first, 1):
            say(_ranked(f"{number:>4}.", each, now))
        if not one.first:
            say("      nothing here can be answered in time any more")
        if one.later:
            say(f"      {one.later:,} more can wait")
        for words, rows, _ in given_up(one):
            say(f"      {len(rows):,} {words}")
            for each in rows[:3]:
                say(_ranked("    -", each, now))
        say("")


def _line(line: Line, indent: str = "") -> str:
    share = "–" if line.attainment is None else percent(line.attainment)
    counts = (line.on_time, line.at_risk, line.breached, line.met, line.missed)
    cells = [f"{count:,}".rjust(width) for count, width in zip(counts, WIDTHS, strict=False)]
    return _cut(indent + _words(line.name), NAME).ljust(NAME) + "".join(cells) + share.rjust(WIDTHS[-1])


def _week(line: Line) -> str:
    share = line.attainment
    if share is None:
        return f"  {day(float(line.name))}      –"
    bar = "█" * round(share * BAR) + "░" * (BAR - round(share * BAR))
    return f"  {day(float(line.name))}  {percent(share):>6}  {bar}  {line.met:,} of {line.met + line.missed:,}"


def _clocks(rows: Sequence[OpenClock], now: float) -> Iterator[str]:
    if not rows:
        yield "  none"
    for row in rows:
        ticket = _cut(f"#{row.ticket_id} {row.desk}", 18)
        words = f"{metric_words(row.metric)}, {row.priority.partition('_')[0]}, {_words(row.team) or 'no team'}"
        yield _cut(f"  {left(row, now):<15}{ticket:<19}{words}", WIDTH - 10).ljust(WIDTH - 9) + row.source


def _ranked(lead: str, each: Ranked, now: float) -> str:
    clock = each.clock
    known = chance(each.probability)
    risk = f"breach {known:>4}" if known else ""
    ticket = _cut(f"#{clock.ticket_id}", 14)
    words = f"{_words(clock.priority)}{', ' if clock.tier else ''}{_words(clock.tier)}"
    return f"{lead} {ticket:<15}{left(clock, now):<16}{_cut(words, 28):<30}{risk}".rstrip()


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
