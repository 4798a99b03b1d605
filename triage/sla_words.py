"""What people read about SLA clocks: one line in the note of triage, the short SLA note, messages to a channel.

Pure. Holds nothing a customer wrote: a message leaves the helpdesk.
"""

from __future__ import annotations

from datetime import datetime

from triage.clocks import HELPDESK, MET, Clock, Picture
from triage.settings_sla import ALWAYS_OPEN, Metric
from triage.sla import Stage, Terms

NAMES: dict[Metric, str] = {
    "first_response": "first response",
    "next_response": "next response",
    "resolution": "resolution",
}
TITLES = {Stage.AT_RISK: "SLA at risk", Stage.BREACHED: "SLA breached", Stage.OK: "SLA back in time"}
ANSWERED_LATE, SOLVED_LATE = "SLA: answered late", "SLA: solved late"
SOURCES = {HELPDESK: "by the helpdesk's clock"}
POLICY = "by policy"


def duration(minutes: float) -> str:
    """Return minutes as people say them."""
    whole = int(minutes)
    if whole < 120:
        return f"{whole} min"
    return f"{whole // 60} h {whole % 60} min" if whole < 48 * 60 and whole % 60 else f"{whole // 60} h"


def note_line(picture: Picture) -> str:
    """Return the line of the note of triage: the answer that is due, else the solution; empty where nothing is."""
    clock = next((one for one in picture.clocks if one.is_open and one.metric != "resolution"), None)
    clock = clock or next((one for one in picture.clocks if one.is_open), None)
    if clock is None:
        return ""
    reading = clock.reading
    state = f"{duration(reading.left)} left" if reading.left > 0 else f"passed {duration(-reading.left)} ago"
    by = SOURCES.get(clock.source, POLICY)
    return f"SLA {by}: {NAMES[clock.metric]} within {duration(reading.target)}, {state}{_until(clock, picture.terms)}."


def note_title(stage: Stage, picture: Picture, since: float) -> str:
    """Return the first line of the SLA note; a clock that ended late after `since` is not called back in time."""
    ended = [one for one in picture.clocks if one.state == MET and (one.ended_at or 0.0) >= since]
    late = {one.metric for one in ended if one.reading.stage is Stage.BREACHED}
    if stage is not Stage.OK or not late:
        return TITLES[stage]
    return SOLVED_LATE if late == {"resolution"} else ANSWERED_LATE


def escalation_line(priority: str, group: str) -> str:
    """Return what Tandem changes because of a breach; empty where that is nothing."""
    parts = [f"raises the priority to {priority}"] if priority else []
    parts += [f"hands the ticket over to {group}"] if group else []
    return f"Tandem {' and '.join(parts)}." if parts else ""


def stage_lines(picture: Picture) -> list[str]:
    """Return one line for each clock, the most urgent first."""
    urgent = sorted(picture.clocks, key=lambda one: (not one.is_open, -one.reading.stage.weight, -one.reading.share))
    return [_line(clock, picture.terms) for clock in urgent if clock.is_open or clock.state == MET]


def title(stage: Stage, desk: str, ticket_id: str, picture: Picture) -> str:
    """Return the first line of a message."""
    clock = picture.most_urgent
    left = f", {_left(clock)}" if clock else ""
    return f"{TITLES[stage]}: ticket {ticket_id} ({desk}){left}"


def message(picture: Picture, url: str) -> str:
    """Return the text of a message: clocks, who it is about, the ticket's link."""
    facts = [picture.terms.priority.replace("_", " ")]
    facts += [f"tier {picture.tier[:40]}"] if picture.tier else []
    facts += [f"team {picture.team.replace('_', ' ')}"] if picture.team else []
    lines = [_line(clock, picture.terms) for clock in picture.clocks if clock.is_open]
    return "\n".join([*lines, " · ".join(facts), url])


def _line(clock: Clock, terms: Terms) -> str:
    name, reading = NAMES[clock.metric].capitalize(), clock.reading
    of = f"of {duration(reading.target)}, {SOURCES.get(clock.source, POLICY)}"
    if clock.state == MET:
        late = f", {duration(-reading.left)} late" if reading.stage is Stage.BREACHED else ""
        return f"{name}: done after {duration(reading.age)} {of}{late}"
    return f"{name}: {_left(clock)} {of}{_until(clock, terms)}"


def _left(clock: Clock) -> str:
    reading = clock.reading
    if reading.left <= 0:
        return f"{duration(-reading.left)} over"
    paused = " (paused)" if reading.due_at is None else ""
    return f"{duration(reading.left)} left{paused}"


def _until(clock: Clock, terms: Terms) -> str:
    """Return the moment of the breach where business hours make it hard to see."""
    due_at = clock.reading.due_at
    if due_at is None or terms.calendar_name == ALWAYS_OPEN or clock.reading.left <= 0:
        return ""
    return f" (until {datetime.fromtimestamp(due_at, terms.calendar.zone):%a %d %b %H:%M %Z})"
