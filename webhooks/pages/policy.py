"""The policy in force in words, and what another one would have done last week."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, request
from werkzeug.exceptions import BadRequest

from triage.controlled import FIELDS
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.days import RUNS, day_of
from triage.store.runs import DONE
from triage.switching import MEANING
from triage.what_if import MOST_RUNS, Comparison, Past, changed_settings, compare
from webhooks import rules as rules_words
from webhooks.frame import Console

PERIOD_SECONDS = 7 * 86_400.0


@dataclass(frozen=True)
class Rule:
    """What holds for one field of a desk."""

    field: str
    mode: Mode
    threshold: float
    mapped: str
    """The helpdesk's field that mode write fills."""


@dataclass(frozen=True)
class Policy:
    """What holds for a desk."""

    name: str
    mode: Mode
    target: float | None
    rules: list[Rule]
    teams: dict[str, Mode]
    speech: list[str]
    """Who may speak, in sentences."""


def policy_of(settings: Settings, name: str) -> Policy:
    """Return what holds for a desk."""
    desk, thresholds = settings.desks[name], settings.thresholds_of(name)
    rules = [
        Rule(one, desk.fields.get(one, desk.mode), getattr(thresholds, one), str(desk.mapped_fields.get(one, "")))
        for one in FIELDS
    ]
    return Policy(
        name,
        desk.mode,
        settings.target_precision_of(name),
        rules,
        dict(desk.teams),
        rules_words.speech(settings.speech_of(desk)),
    )


def what_if(store: Store, settings: Settings, name: str, given: Mapping[str, str], now: float) -> Comparison:
    """Return what the policy of the form would have done in the last week. Raises BadRequest for no such policy."""
    known = policy_of(settings, name)
    try:
        mode = Mode(given.get("mode", known.mode))
        modes = {rule.field: Mode(given.get(f"mode-{rule.field}") or mode) for rule in known.rules}
        percents = {rule.field: float(given.get(f"least-{rule.field}") or rule.threshold * 100) for rule in known.rules}
        thresholds = {field: percent / 100 for field, percent in percents.items()}
        other = changed_settings(settings, name, mode, modes, thresholds)
    except ValueError:
        raise BadRequest from None
    moved = {rule.field for rule in known.rules if abs(thresholds[rule.field] - rule.threshold) > 0.0005}
    return compare(past_of(store, name, now), settings, other, name, moved)


def past_of(store: Store, name: str, now: float) -> list[Past]:
    """Return the runs of the last week with what people made of them."""
    runs = [run for run in store.browse.sample(name, now - PERIOD_SECONDS, MOST_RUNS) if run.classification]
    seen = store.outcomes.of_runs([run.id for run in runs])
    return [
        Past(
            run.ticket_id,
            run.reference,
            run.classification or {},
            (run.decision or {}).get("steps", []),
            {one.field: one.agreed for one in seen.get(run.id, [])},
        )
        for run in runs
    ]


def done_in_period(store: Store, name: str, now: float) -> int:
    """Return how many runs the period has, as the worker counted them; its first day is counted whole."""
    counts = store.days.total(RUNS, day_of(now - PERIOD_SECONDS), day_of(now), name)
    return sum(one.count for one in counts if one.key == DONE)


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def policy() -> str:
        now, settings = time.time(), console.settings
        desk = console.desk_asked_for()
        given = {name: one for name, one in request.args.items() if one}
        asked = bool(desk) and "mode" in given
        return console.show(
            "policy",
            now,
            policies=[policy_of(settings, name) for name in sorted(settings.desks) if desk in ("", name)],
            desks=sorted(settings.desks),
            desk=desk,
            given=given,
            found=what_if(console.store, settings, desk, given, now) if asked else None,
            settings=settings,
            version=settings.policy_version(),
            modes=list(Mode),
            meaning=MEANING,
            most=MOST_RUNS,
            living=rules_words.living(settings.living),
            questions=rules_words.questions(settings),
            of=done_in_period(console.store, desk, now) if asked else 0,
        )

    console.page(routes, "policy", "policy", policy, label="Policy")
