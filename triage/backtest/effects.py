"""What would have been written, what it would have cost and what time it would have saved: plain data in and out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from triage.backtest.figures import Case
from triage.classification import NO_TEAM
from triage.decision import decide
from triage.settings import Desk, Mode, Settings
from triage.ticket import Ticket

MONTH_DAYS = 365.25 / 12
MODES = (Mode.WATCH, Mode.NOTE, Mode.TAG, Mode.WRITE)
ROUTING = ("primary_team", "priority")

Json = dict[str, Any]


def modes_of(cases: Sequence[Case], settings: Settings, desk: Desk, name: str) -> list[Json]:
    """Return what each mode would have written on these tickets, and the desk as it is set ("as set")."""
    plain = [(str(mode), desk.model_copy(update={"mode": mode, "fields": {}, "teams": {}})) for mode in MODES]
    return [_mode(label, cases, settings, one, name) for label, one in [*plain, ("as set", desk)]]


def _mode(label: str, cases: Sequence[Case], settings: Settings, desk: Desk, name: str) -> Json:
    counts: Counter[str] = Counter()
    right: dict[str, list[bool]] = {key: [] for key in ("team_tags", "priority_tags", "groups", "priorities")}
    for case in cases:
        done = decide(Ticket(desk=name, id=case.ticket_id), case.answer, settings, desk)
        counts.update(
            notes=int(done.note), tags=len(done.tags), needs_triage=int(done.needs_triage), escalated=int(done.escalate)
        )
        counts.update(fields=len(done.custom))
        team, priority = (case.chosen(field, settings) == case.truth.get(field) for field in ROUTING)
        written = {
            "team_tags": (settings.team_tag(case.answer.primary_team) in done.tags, ROUTING[0], team),
            "priority_tags": (_has_priority_tag(done.tags, settings), ROUTING[1], priority),
            "groups": (done.group is not None, ROUTING[0], team),
            "priorities": (done.priority is not None, ROUTING[1], priority),
        }
        for key, (is_written, field, is_right) in written.items():
            if is_written:
                counts[key] += 1
                if case.truth.get(field):
                    right[key].append(is_right)
    keys = (
        "notes",
        "tags",
        "team_tags",
        "priority_tags",
        "groups",
        "priorities",
        "fields",
        "needs_triage",
        "escalated",
    )
    return {
        "mode": label,
        **{key: counts[key] for key in keys},
        "right": {key: _share(one) for key, one in right.items()},
    }


def _has_priority_tag(tags: Sequence[str], settings: Settings) -> bool:
    return any(tag.startswith(f"{settings.tag_prefix}priority_") for tag in tags)


def _share(right: Sequence[bool]) -> float | None:
    return round(sum(right) / len(right), 4) if right else None


def cost_of(cases: Sequence[Case], per_month: float | None) -> Json:
    """Return what the language model cost here, and what it would in a month."""
    # Paid calls only: a reached cap answers the rest without one.
    asked = [case for case in cases if case.answer.tokens_in or case.answer.tokens_out]
    usd = sum(case.answer.cost_usd for case in cases)
    tokens = [sum(getattr(case.answer, name) for case in cases) for name in ("tokens_in", "tokens_out")]
    return {
        "asked": len(asked),
        "share": round(len(asked) / len(cases), 4) if cases else 0.0,
        "no_answer": sum(bool(case.answer.fallback_reason) for case in cases),
        "tokens_in": tokens[0],
        "tokens_out": tokens[1],
        "usd": round(usd, 6),
        # Tokens without a price: the settings name none, which is not the same as free.
        "priced": bool(usd) or not asked,
        "usd_per_month": round(usd / len(cases) * per_month, 6) if cases and per_month is not None else None,
    }


def dollars(usd: float) -> str:
    """Return `usd` with cents, or with as many digits as a smaller sum needs: 12.50, 0.18, 0.0011."""
    digits = 2 if not 0 < usd < 1 else max(2, 1 - math.floor(math.log10(usd)))
    return f"USD {usd:,.{digits}f}"


def hours_of(cases: Sequence[Case], settings: Settings, minutes: float, per_month: float | None) -> Json | None:
    """Return the time saved, None where no team or priority of people is known.

    A ticket that Tandem decides as people did saves `minutes`; one that it decides otherwise costs as much, for it has
    to be put right; where it is not sure nothing changes.
    """
    known = [case for case in cases if any(case.truth.get(field) for field in ROUTING)]
    if not known:
        return None
    counts = Counter(_outcome(case, settings) for case in known)
    shares = {name: counts[name] / len(known) for name in ("right", "wrong", "left")}
    net = shares["right"] - shares["wrong"]
    return {
        "minutes_per_ticket": minutes,
        "n": len(known),
        **{name: round(share, 4) for name, share in shares.items()},
        "tickets_per_month": round(per_month, 1) if per_month is not None else None,
        "hours_per_month": round(net * per_month * minutes / 60, 1) if per_month is not None else None,
        "hours_per_1000_tickets": round(net * 1000 * minutes / 60, 1),
    }


def _outcome(case: Case, settings: Settings) -> str:
    told = [field for field in ROUTING if case.truth.get(field)]
    decided = [field for field in told if case.decided(field) and case.answer.primary_team != NO_TEAM]
    if any(case.chosen(field, settings) != case.truth[field] for field in decided):
        return "wrong"
    return "right" if len(decided) == len(told) else "left"
