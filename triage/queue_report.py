"""What came in during a period, and what needs a person: counts over runs, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from triage.classification import DECIDED_FIELDS, PRIORITIES
from triage.draft import NONE, QUOTED, READY, WITHHELD
from triage.links import DRAFT_UNUSABLE, DRAFT_USED, VERDICTS
from triage.store.feedback import Tally
from triage.store.outcomes import Agreement
from triage.store.runs import DONE, Triaged

URGENT = PRIORITIES[:2]
NOT_SURE = "not sure"
FIRST = "created"
"""The occasion of a ticket's first run."""
MODEL = "llm"
NEEDS_MODEL = frozenset({"auto_resolvable"})
"""Concerns that only a language model speaks about."""
KINDS = ("priority", "primary_team", "sentiment", "churn_risk")
# Always in this order and always shown: a nought says something too.
FIXED = {
    "priority": (*PRIORITIES, NOT_SURE),
    "sentiment": ("frustrated", "neutral", "positive", NOT_SURE),
    "churn_risk": ("high", "medium", "low", NOT_SURE),
}
Json = dict[str, Any]


def _says(field: str, *labels: str) -> Callable[[Triaged], bool]:
    return lambda run: label_of(run, field) in labels


ATTENTION: dict[str, tuple[str, Callable[[Triaged], bool]]] = {
    "urgent": ("P0 and P1", _says("priority", *URGENT)),
    "escalated": ("escalated", lambda run: bool((run.decision or {}).get("escalate"))),
    "high_churn": ("high churn risk", _says("churn_risk", "high")),
    "abstained": ("left to people: team or priority unclear", lambda run: needs_triage(run)),
    "auto_resolvable": (
        "an answer could resolve it",
        lambda run: bool((run.classification or {}).get("auto_resolution_possible")),
    ),
}


def label_of(run: Triaged, field: str) -> str:
    """Return the label of `field`, NOT_SURE where Tandem abstained."""
    abstained = (run.decision or {}).get("abstained", ())
    return NOT_SURE if field in abstained else str((run.classification or {}).get(field, NOT_SURE))


def needs_triage(run: Triaged) -> bool:
    """Say whether a person must decide team or priority."""
    return NOT_SURE in (label_of(run, "primary_team"), label_of(run, "priority"))


def by_model(run: Triaged) -> bool:
    """Say whether a language model had a part in the answer."""
    return run.classifier.startswith(MODEL)


def queue_report(now: Sequence[Triaged], before: Sequence[Triaged], tickets: int) -> Json:
    """Return counts and shares of the tickets of runs `now` and `before`, at most `tickets` ids for each concern."""
    cost = sum(run.cost_usd for run in now)
    now, before = by_ticket(now), by_ticket(before)
    told, told_before = _told(now), _told(before)
    return {
        "triaged": {"n": len(told), "before": len(told_before)},
        "states": dict(Counter(run.state for run in now)),
        "forgotten": sum(run.state == DONE and run.classification is None for run in now),
        "cost_usd": round(cost, 4),
        "by": {kind: _by(kind, told, told_before) for kind in KINDS}
        | {"classifier": _counted([run.classifier for run in told], [run.classifier for run in told_before])}
        | _drafts(told, told_before),
        # What only a model says is not "none" where none was asked.
        "by_model": sum(by_model(run) for run in told),
        "attention": {
            name: _concern(title, wanted, told, told_before, tickets) for name, (title, wanted) in ATTENTION.items()
        },
    }


def agreement_of(desks: Sequence[Mapping[str, Agreement]]) -> Json:
    """Return field -> how often people left it as Tandem had it, over all of `desks`; fields nobody closed left out."""
    found: Json = {}
    for field in DECIDED_FIELDS:
        every = [desk[field] for desk in desks if field in desk]
        if n := sum(one.n for one in every):
            agreed = sum(one.agreed for one in every)
            found[field] = {"n": n, "agreed": agreed, "share": round(agreed / n, 4)}
    return found


def feedback_of(tally: Tally) -> Json:
    """Return the votes that agents gave by the links in notes; `draft_use` is the share of drafts used, or None.

    Kept apart from the agreement: who presses a link chooses to, so its shares speak of those notes alone.
    """
    use = tally.share(DRAFT_USED, DRAFT_UNUSABLE)
    return {
        "notes": tally.notes,
        **{verdict: tally.verdicts.get(verdict, 0) for verdict in VERDICTS},
        "draft_use": None if use is None else round(use, 4),
        "reasons": tally.reasons,
    }


def by_ticket(runs: Sequence[Triaged]) -> list[Triaged]:
    """Return one run for each ticket that came in: its last one that was done, else its first.

    A later run of a ticket that came in before the period counts for nothing but its cost.
    """
    came_in: dict[tuple[str, str], Triaged] = {}
    for run in sorted(runs, key=lambda one: one.occasion != FIRST):
        key = run.desk, run.ticket_id
        if run.occasion == FIRST or (key in came_in and run.state == DONE):
            came_in[key] = run
    return list(came_in.values())


def _told(runs: Sequence[Triaged]) -> list[Triaged]:
    """Return the runs that said something, and whose words are still kept."""
    return [run for run in runs if run.state == DONE and run.classification is not None]


def _by(kind: str, now: Sequence[Triaged], before: Sequence[Triaged]) -> list[Json]:
    labels = [[label_of(run, kind) for run in runs] for runs in (now, before)]
    return _counted(labels[0], labels[1], FIXED.get(kind, ()))


def _drafts(now: Sequence[Triaged], before: Sequence[Triaged]) -> dict[str, list[Json]]:
    """Return what the drafts came to; runs of versions that drafted nothing are not counted."""
    labels = [[run.drafted for run in runs if run.drafted] for runs in (now, before)]
    return {"drafted": _counted(labels[0], labels[1], (READY, WITHHELD, QUOTED, NONE))} if any(labels) else {}


def _counted(now: Sequence[str], before: Sequence[str], fixed: Sequence[str] = ()) -> list[Json]:
    """Return a row per label: those of `fixed` in their order, the others by their number."""
    counts, earlier = Counter(now), Counter(before)
    others = sorted({*counts, *earlier} - set(fixed), key=lambda label: (label == NOT_SURE, -counts[label], label))
    return [
        {"label": label, "n": counts[label], "share": _share(counts[label], now), "before": earlier[label]}
        for label in (*fixed, *others)
    ]


def _concern(
    title: str, wanted: Callable[[Triaged], bool], now: Sequence[Triaged], before: Sequence[Triaged], most: int
) -> Json:
    found = sorted((run for run in now if wanted(run)), key=lambda run: -run.created_at)
    return {
        "title": title,
        "n": len(found),
        "share": _share(len(found), now),
        "before": sum(wanted(run) for run in before),
        "tickets": [{"desk": run.desk, "id": run.ticket_id} for run in found[:most]],
    }


def _share(count: int, all_: Sequence[Any]) -> float:
    return round(count / len(all_), 4) if all_ else 0.0
