"""The clocks of one ticket, counted afresh from the ticket as it stands and from what earlier readings saw.

Pure: the same reading gives the same clocks however often and in whatever order readings come. What a ticket does not
show (when it was pending before) is carried along in `Held`. Moments are UTC seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triage.calendars import Span
from triage.settings import Settings
from triage.settings_sla import Metric
from triage.sla import Reading, Stage, Terms, priority_name, read_clock, terms_for
from triage.ticket import Author, Status, Ticket

RUNNING, PAUSED, BREACHED, MET, CANCELLED = "running", "paused", "breached", "met", "cancelled"
POLICY, HELPDESK = "policy", "helpdesk"
FOREVER = float("inf")
OVER = {Status.SOLVED, Status.CLOSED}
LOST = {Status.DELETED, Status.SPAM}
# No helpdesk's ticket is older; a date before it is a mistake that would be counted through day by day.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
# Of a long conversation only the latest rounds are kept as clocks.
ROUNDS = 10

Key = tuple[Metric, int]
"""A clock's name on its ticket: the metric, and for the next response the second in which it began (else 0)."""


@dataclass(frozen=True)
class Judged:
    """What triage was sure of; empty where it was not."""

    priority: str = ""
    team: str = ""


@dataclass(frozen=True)
class Held:
    """When the clocks stood still, as far as readings have seen it; a span without end lasts."""

    paused: tuple[Span, ...] = ()
    """Pending or on hold."""
    solved: tuple[Span, ...] = ()

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> Held:
        """Return what `as_json` made."""
        spans = {
            name: tuple((begin, FOREVER if end is None else end) for begin, end in listed)
            for name, listed in (kept or {}).items()
        }
        return cls(spans.get("paused", ()), spans.get("solved", ()))

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            name: [[begin, None if end == FOREVER else end] for begin, end in spans]
            for name, spans in (("paused", self.paused), ("solved", self.solved))
        }


@dataclass(frozen=True)
class Clock:
    """One clock."""

    metric: Metric
    cycle: int
    started_at: float
    ended_at: float | None
    state: str
    reading: Reading
    source: str = POLICY
    look_again_at: float | None = None
    """Before its stage changes: when the helpdesk will have worked its own time out."""

    @property
    def next_check_at(self) -> float | None:
        """Return when to look at it again; None for one that has ended."""
        known = [at for at in (self.reading.next_check_at, self.look_again_at) if at is not None]
        return min(known, default=None) if self.is_open else None

    @property
    def is_open(self) -> bool:
        """Say whether it has not ended."""
        return self.state in (RUNNING, PAUSED, BREACHED)


@dataclass(frozen=True)
class Picture:
    """Every clock of a ticket at one moment, and by what it was counted."""

    terms: Terms
    team: str
    tier: str
    held: Held
    clocks: tuple[Clock, ...]

    @property
    def stage(self) -> Stage:
        """Return the worst stage of the open clocks."""
        return max((clock.reading.stage for clock in self.clocks if clock.is_open), key=lambda s: s.weight, default=OK)

    @property
    def most_urgent(self) -> Clock | None:
        """Return the open clock that is worst off."""
        found = [clock for clock in self.clocks if clock.is_open]
        return max(found, key=lambda clock: (clock.reading.stage.weight, clock.reading.share), default=None)


OK = Stage.OK


def count(
    ticket: Ticket,
    settings: Settings,
    now: float,
    judged: Judged = Judged(),
    held: Held = Held(),
    own_priority: tuple[str, str] = ("", ""),
) -> Picture:
    """Return the ticket's clocks at `now`.

    `own_priority` is (the word our escalation set, the priority before it): raising a ticket's priority because of a
    breach does not shorten its targets.
    """
    word, was = own_priority
    priority = was if word and ticket.priority == word else priority_name(settings, ticket.priority, judged.priority)
    team = _team(ticket, settings) or judged.team
    tier = ticket.organization.tier
    terms = terms_for(settings, priority, tier=tier, team=team, brand=ticket.brand)
    held = _held(ticket, settings, held, now)
    clocks = [
        _clock(key, start, end, ticket, terms, held, now)
        for key, start, end in _spans(ticket, held, now)
        if key[0] in terms.targets
    ]
    return Picture(terms, team, tier, held, tuple(clocks))


def moment(at: datetime | None, now: float) -> float | None:
    """Return the UTC seconds of `at`, no earlier than a helpdesk can be and no later than `now`."""
    return None if at is None else min(max(at.timestamp(), EARLIEST), now)


def _team(ticket: Ticket, settings: Settings) -> str:
    """Return the team whose group has the ticket."""
    wanted = ticket.group.strip().casefold()
    return next((name for name, team in settings.teams.items() if wanted and team.group.casefold() == wanted), "")


def _held(ticket: Ticket, settings: Settings, held: Held, now: float) -> Held:
    since = moment(ticket.status_since, now) or moment(ticket.updated_at, now) or now
    return Held(
        _continued(held.paused, str(ticket.status) in settings.sla.paused_by, since),
        _continued(held.solved, ticket.status in OVER, since),
    )


def _continued(spans: Sequence[Span], on: bool, since: float) -> tuple[Span, ...]:
    """Begin or end the last span where what it stands for has begun or ended since the reading before."""
    begin, end = spans[-1] if spans else (EARLIEST, EARLIEST)
    lasts = end == FOREVER
    if on and not lasts:
        return (*spans, (max(since, end), FOREVER))
    if lasts and not on:
        return (*spans[:-1], (begin, max(begin, since)))
    return tuple(spans)


def _spans(ticket: Ticket, held: Held, now: float) -> Iterator[tuple[Key, float, float | None]]:
    """Yield key, start and end (None while it lasts) of each clock."""
    opened = moment(ticket.created_at, now) or now
    solved_at = held.solved[-1][0] if ticket.status in OVER and held.solved else None
    rounds = list(_rounds(ticket, opened, now))
    if rounds and rounds[0][0] is not None:
        start, answered = rounds[0]
        assert start is not None
        yield ("first_response", 0), start, answered
    for start, answered in rounds[1:][-ROUNDS:]:
        if start is not None:
            yield ("next_response", int(start)), start, answered
    yield ("resolution", 0), opened, solved_at


def _rounds(ticket: Ticket, opened: float, now: float) -> Iterator[tuple[float | None, float | None]]:
    """Yield when the customer asked and when an agent answered, for each round of the conversation.

    The first round has no question where an agent has written first.
    """
    asked: float | None = None
    begun = False
    for message in ticket.messages:
        if not message.public or message.automatic or message.author is Author.SYSTEM:
            continue
        at = moment(message.created_at, now) or opened
        if message.author is Author.CUSTOMER:
            asked = at if asked is None else asked
        elif asked is not None:
            yield asked, max(at, asked)
            asked, begun = None, True
        elif not begun:
            yield None, at
            begun = True
    if asked is not None or not begun:
        yield (opened if asked is None else asked), None


def _clock(key: Key, start: float, end: float | None, ticket: Ticket, terms: Terms, held: Held, now: float) -> Clock:
    state, ended_at = _state(key[0], end, ticket, held, now)
    # A solved ticket waits for nobody; opened again, its clocks go on where they stopped.
    pauses = [*held.paused, *held.solved]
    reading = read_clock(start, terms.targets[key[0]], terms, now if ended_at is None else ended_at, pauses)
    if state == RUNNING and reading.stage is Stage.BREACHED:
        state = BREACHED
    elif state == RUNNING and held.paused and held.paused[-1][1] == FOREVER:
        state = PAUSED
    return Clock(*key, start, ended_at, state, reading)


def _state(metric: Metric, end: float | None, ticket: Ticket, held: Held, now: float) -> tuple[str, float | None]:
    if end is not None:
        return MET, end
    if ticket.status in LOST:
        return CANCELLED, now
    if ticket.status in OVER and metric != "resolution":
        # Nobody will answer any more, and nobody waits.
        return CANCELLED, held.solved[-1][0]
    return RUNNING, None
