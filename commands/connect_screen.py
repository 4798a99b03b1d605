"""What `connect` prints: tables and steps for 80 columns, the same words for people and for `--json`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from commands.screen import harmless
from connectors.setup import VOLUME_DAYS, Right, RuleSeen, State, Survey
from triage.errors import SettingsError
from triage.team_groups import Match

WIDTH = 79
SHOWN_NAMES = 12
WORDS = {State.OK: "yes", State.MISSING: "NO", State.UNSURE: "?"}
UNKNOWN = "not to be seen with this credential"
SHOW = "  python manage.py triage --desk {desk} 1234   its note for a ticket you know\n"
NEXT = {
    "off": "  python manage.py mode {desk} watch   to begin: off leaves tickets alone",
    "watch": SHOW + "  python manage.py mode {desk} note    when the console has convinced you",
}
NEXT_WRITES = "  write a ticket as a customer: its note stands there within seconds\n" + SHOW.rstrip()
NO_TERMINAL = "{what} is missing and nobody can be asked here: give {option}"


@dataclass
class Talk:
    """The conversation: says, asks, and with `yes` takes what is proposed."""

    yes: bool
    as_json: bool
    result: dict[str, Any] = field(default_factory=dict)
    """What `--json` prints at the end; never a secret."""
    step: int = 0

    @property
    def asks(self) -> bool:
        """Say whether there is somebody to ask."""
        return not self.yes and not self.as_json and sys.stdin.isatty()

    def title(self, text: str) -> None:
        """Begin a step."""
        self.step += 1
        self.say("")
        click.secho(f"{self.step}. {harmless(text)}", bold=True, err=self.as_json)

    def say(self, text: str = "", colour: str | None = None) -> None:
        """Print lines, indented below their step."""
        for line in harmless(text).split("\n"):
            click.secho(f"   {line}".rstrip() if self.step else line, fg=colour, err=self.as_json)

    def ask(
        self, what: str, option: str, default: str = "", *, hidden: bool = False, known: Sequence[str] | None = None
    ) -> str:
        """Return what is typed; where nobody can be asked, the default, else SettingsError naming the option."""
        if not self.asks:
            if default:
                return default
            raise SettingsError(NO_TERMINAL.format(what=what, option=option))
        kind = click.Choice(known) if known else None
        answer = click.prompt(
            f"   {what}",
            default=default or None,
            type=kind,
            hide_input=hidden,
            show_default=not hidden,
            show_choices=False,
        )
        return str(answer).strip()

    def may(self, question: str, *, default: bool = True) -> bool:
        """Return whether to go on; with --yes always."""
        if self.yes:
            return True
        if not self.asks:
            raise SettingsError(NO_TERMINAL.format(what="an answer", option="--yes"))
        return click.confirm(f"   {question}", default=default)


def rights_table(rights: Iterable[Right]) -> str:
    """Return what Tandem needs, whether it may, the least right it takes, and what becomes of it without."""
    rows = [("needed for", "may", "least right", "why; without it")]
    for one in rights:
        why = one.need.why if one.state is State.OK else f"{one.need.why}; {one.need.without}"
        rows.append((one.need.name, WORDS[one.state], one.need.right, why))
    return table(rows)


def rights_said(rights: Iterable[Right]) -> str:
    """Return what the helpdesk answered where it refused."""
    return "\n".join(clipped(f"{one.need.name}: {one.said}") for one in rights if one.state is not State.OK)


def survey_table(survey: Survey) -> str:
    """Return what there is on the account, in a few lines."""
    fields = None if survey.fields is None else [f"{title} ({name})" for name, title in survey.fields]
    volume = "unknown" if survey.tickets is None else f"{survey.tickets:,}"
    rows = [(f"tickets, {VOLUME_DAYS} days", volume)]
    listed = {"groups": survey.groups, "own fields": fields, "tags": survey.tags, "SLA policies": survey.sla_policies}
    for name, names in listed.items():
        rows.append((name if names is None else f"{name} ({len(names)})", UNKNOWN if names is None else _names(names)))
    return table(rows)


def matches_table(matches: Iterable[Match]) -> str:
    """Return which group each team has, and why."""
    return table([("team", "group", "why"), *((one.team, one.group or "-", one.why) for one in matches)])


def rules_table(rules: Iterable[RuleSeen]) -> str:
    """Return the rules that call us, with what is wrong."""
    rows = [(one.name, one.on, "; ".join(one.faults) or "ok") for one in rules]
    return table([("rule", "ticket is", "state"), *rows])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return columns as wide as they need to be; the last one goes on below itself where the screen ends."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)]
    indent = sum(widths) + 2 * len(widths)
    lines = []
    for row in rows:
        head = "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        first, *rest = wrapped(row[-1], max(20, WIDTH - 3 - indent))
        lines += [head + first, *(" " * indent + one for one in rest)]
    return "\n".join(lines)


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` where words allow it."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def paragraphs(text: str) -> str:
    """Return `text` wrapped for the screen, its own lines kept."""
    return "\n".join(part for line in text.split("\n") for part in wrapped(line, WIDTH - 3))


def next_steps(mode: str, desk: str) -> str:
    """Return what to do with a desk that has just been connected."""
    return NEXT.get(mode, NEXT_WRITES).format(desk=desk)


def clipped(text: str) -> str:
    """Return `text` on one line of the screen."""
    return text if len(text) <= WIDTH - 3 else text[: WIDTH - 6] + "..."


def _names(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "") or "none"
