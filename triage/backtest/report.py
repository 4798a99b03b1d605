"""The whole report of a backtest as plain data: what `--json` writes, and what terminal and page show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triage.backtest.effects import MONTH_DAYS, ROUTING, cost_of, hours_of, modes_of
from triage.backtest.figures import LEAST_UNSEEN, PRECISION, Case, Scored, cases_of, figures_of, mistakes
from triage.settings import Desk, Settings
from triage.store.backtests import Looked
from triage.store.models import StoredModel

DAY_SECONDS = 86_400.0
LEAST_DAYS = 7.0
"""A forecast per month from less would be a guess."""
FLATTERS = (
    "{field}: the running model has learned from nearly all of these tickets ({learned} of {n}), so its figures "
    "flatter; it learned on {day}: look again when {least} newer tickets are closed, or see what `learn` printed"
)
LEFT_OUT = "{field}: {learned} tickets the running model has learned from (on {day}) are not scored"
OLDER = "{field}: its model was learned on {day} from tickets of the same time: newer tickets may be harder"
NO_TEAM_HAS = (
    "{share:.0%} of the tickets ended in groups that no team stands for ({names}): set `group` of a team, "
    "or run `learn`"
)
NO_PEOPLE = "no closed ticket has a group or a priority that people set, so nothing can be compared"
OURS = "{count} tickets have a value that Tandem itself wrote; that value is not taken for what people think"
FEW = "{field}: {n} tickets are too few for firm figures; mind the intervals"
FEW_TICKETS = 100
NO_PRICE = "the model's tokens have no price: set llm.usd_per_million_input and _output"
FELL_BACK = "the language model gave no answer for {count} tickets; the built-in classifier answered"
NAMES_SHOWN = 3

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What is reported on: the settings in force, the period (UTC seconds), and what the reader assumed."""

    desk_name: str
    desk: Desk
    settings: Settings
    since: float | None
    until: float | None
    in_period: int
    minutes_per_ticket: float
    policy: str
    """Fingerprint of settings, lessons and model."""
    source: str
    """"helpdesk" or the file's name."""
    ours: int = 0
    """Tickets with a value that Tandem itself wrote."""


def report_of(looked: Sequence[Looked], models: Sequence[StoredModel], asked: Asked, now: float) -> Json:
    """Return the report; times are ISO texts."""
    settings = asked.settings
    cases = cases_of(looked, settings, asked.desk, asked.desk_name)
    target = settings.target_precision_of(asked.desk_name) or PRECISION
    scored, figures = figures_of(cases, settings, target)
    fair = [case for case in cases if not case.seen & set(ROUTING)]
    fair = fair if len(fair) >= LEAST_UNSEEN else cases
    per_month = _per_month(asked, cases)
    cost = cost_of(cases, per_month)
    return {
        "desk": asked.desk_name,
        "source": asked.source,
        "made_at": _day(now, whole=True),
        "policy": asked.policy,
        "mode": str(asked.desk.mode),
        "since": _day(asked.since),
        "until": _day(asked.until),
        "tickets": {
            "closed": asked.in_period,
            "answered": len(cases),
            "skipped": dict(Counter(one.reason for one in looked if one.answer is None).most_common()),
        },
        "classifiers": dict(Counter(case.answer.classifier for case in cases).most_common()),
        "learned": [{"field": one.field, "on": _day(one.created_at)} for one in models],
        "warnings": _warnings(scored, figures, models, asked, cost, len(cases)),
        "fields": figures,
        "written": {"n": len(fair), "modes": modes_of(fair, settings, asked.desk, asked.desk_name)},
        "mistakes": mistakes(scored),
        "cost": cost,
        "hours": hours_of(fair, settings, asked.minutes_per_ticket, per_month),
    }


def _per_month(asked: Asked, cases: Sequence[Case]) -> float | None:
    """Return the closed tickets of a usual month, None where too short a time is known."""
    since, until = asked.since, asked.until
    if since is None or until is None:
        times = [case.created_at for case in cases if case.created_at is not None]
        if len(times) < len(cases) or not times:
            return None
        since, until = min(times), max(times)
    days = (until - since) / DAY_SECONDS
    return asked.in_period / days * MONTH_DAYS if days >= LEAST_DAYS else None


def _warnings(
    scored: Sequence[Scored], figures: Json, models: Sequence[StoredModel], asked: Asked, cost: Json, answered: int
) -> list[str]:
    learned = {model.field: _day(model.created_at) or "" for model in models}
    said = [] if any(one.truth for one in scored) else [NO_PEOPLE] if answered else []
    for one in scored:
        day = learned.get(one.field, "")
        if one.flatters:
            n = len(one.truth)
            said.append(FLATTERS.format(field=one.field, learned=one.learned_from, n=n, day=day, least=LEAST_UNSEEN))
        elif one.learned_from:
            said.append(LEFT_OUT.format(field=one.field, learned=one.learned_from, day=day))
        if not one.flatters and one.field in learned and _any_older(one, models):
            said.append(OLDER.format(field=one.field, day=day))
        if 0 < len(one.truth) < FEW_TICKETS:
            said.append(FEW.format(field=one.field, n=len(one.truth)))
        if one.field == "primary_team" and one.unknown:
            n = figures[one.field]["n"]
            names = ", ".join(list(one.unknown)[:NAMES_SHOWN]) + (", …" if len(one.unknown) > NAMES_SHOWN else "")
            missing = sum(one.unknown.values())
            said.append(NO_TEAM_HAS.format(share=missing / (n + missing), names=names))
    if asked.ours:
        said.append(OURS.format(count=asked.ours))
    if not cost["priced"]:
        said.append(NO_PRICE)
    if cost["no_answer"]:
        said.append(FELL_BACK.format(count=cost["no_answer"]))
    return said


def _any_older(one: Scored, models: Sequence[StoredModel]) -> bool:
    learned_at = next(model.created_at for model in models if model.field == one.field)
    return any(case.created_at is not None and case.created_at < learned_at for case in one.cases)


def _day(moment: float | None, *, whole: bool = False) -> str | None:
    """Return the UTC day, with the time where `whole`."""
    if moment is None:
        return None
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z") if whole else text[:10]
