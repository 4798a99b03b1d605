"""A fortnight of a pretend installation, for the console's pages: deliveries, runs, outcomes, votes, drafts."""

from __future__ import annotations

import json
import random
from typing import Any

from fakes import answer
from sqlalchemy import insert

from triage.draft import Draft
from triage.settings import DEFAULT_TEAMS
from triage.store import Store
from triage.store.deliveries import DEAD
from triage.store.runs import new_reference
from triage.store.tables import deliveries, effects, exchanges, feedback, outcomes, questions, runs

DAY = 86_400.0
TEAMS = ("billing", "technical_bug", "account_management", "api_integration", "security")
PRIORITIES = ("P0_critical", "P1_high", "P2_medium", "P3_low")
EVENTS = ("ticket.created", "ticket.comment_added", "ticket.tags_changed")
MODELS = (("embedded", ""), ("llm", "gpt-5-mini"))
DRAFTS: tuple[dict[str, Any] | None, ...] = (
    {"text": "Thanks for writing. The invoice is at Settings → Billing [1].", "withheld": [], "quotes": []},
    {"text": "", "withheld": ["it promises a refund that no source states"], "quotes": []},
    {"text": "", "withheld": [], "quotes": [{"kind": "article", "number": 1, "title": "Invoices", "text": "Open …"}]},
    None,
)


def fill(store: Store, now: float, count: int = 200, desk: str = "acme") -> list[int]:
    """Store `count` tickets of `desk` over the last 14 days, the newest last; return the ids of their runs."""
    dice = random.Random(7)
    rows = [_rows(dice, desk, number, now - (count - number) / count * 14 * DAY, now) for number in range(count)]
    ids: list[int] = []
    with store.engine.begin() as connection:
        for one in rows:
            connection.execute(insert(deliveries).values(one["delivery"]))
            run_id = connection.execute(insert(runs).values(one["run"])).inserted_primary_key[0]
            ids.append(run_id)
            for table in (effects, outcomes, feedback, exchanges, questions):
                for row in one[table.name]:
                    connection.execute(insert(table).values(run_id=run_id, **row))
    return ids


def _rows(dice: random.Random, desk: str, number: int, at: float, now: float) -> dict[str, Any]:
    team, priority = dice.choice(TEAMS), dice.choices(PRIORITIES, (1, 4, 8, 6))[0]
    classifier, model = MODELS[number % 3 == 0]
    sure = dice.uniform(0.4, 0.99)
    said = answer(team, sure, priority=priority, classifier=classifier, evidence=["I was charged twice for March."])
    ticket = str(70_000 + number)
    abstained = [] if sure > 0.5 else ["primary_team", "priority"]
    steps = [f"primary_team: {team} with {sure:.0%} (needs 50%)", "mode tag: a private note is written"]
    is_dead = number % 40 == 39
    cost = round(dice.uniform(0.0004, 0.004), 5) if model else 0.0
    draft = dice.choice(DRAFTS)
    run = {
        "desk": desk,
        "ticket_id": ticket,
        "occasion": "created",
        "reference": new_reference(),
        "state": "dead" if is_dead else "done",
        "attempts": 1,
        "created_at": at,
        "started_at": at,
        "finished_at": at + 2,
        "reason": "the helpdesk refused the note: a mandatory field is empty" if is_dead else "",
        "policy": "3f2a9c1b7d04",
        "classification": said.model_dump(),
        "decision": {"abstained": abstained, "note": True, "tags": ["ai_triaged", f"ai_team_{team}"], "steps": steps},
        "classifier": classifier,
        "model": model,
        "tokens_in": 1200 if model else 0,
        "tokens_out": 210 if model else 0,
        "cost_usd": cost,
        "timings": {"read": 0.41, "classify": 1.2 if model else 0.02, "knowledge": 0.05, "note": 0.62, "tags": 0.3},
        "draft": draft,
        "drafted": Draft.model_validate(draft).state if draft else "none",
        "speech": "note",
        "team": team,
        "priority": priority,
    }
    return {
        "delivery": _delivery(desk, ticket, number, at, is_dead),
        "run": run,
        "effects": [] if is_dead else _effects(team, at),
        "outcomes": []
        if is_dead or sure <= 0.5 or number % 3
        else _outcomes(dice, desk, ticket, team, priority, at, now),
        "feedback": _votes(desk, ticket, at) if number % 9 == 0 else [],
        "exchanges": [_exchange(at, model)] if model else [],
        "questions": [_question(desk, ticket, at)] if number % 15 == 0 else [],
    }


def _delivery(desk: str, ticket: str, number: int, at: float, is_dead: bool) -> dict[str, Any]:
    body = json.dumps({"ticket": {"id": ticket, "description": "Hello <b>there</b>"}}).encode()
    state, reason = (DEAD, "the helpdesk refused the note: a mandatory field is empty") if is_dead else ("done", "")
    return {
        "desk": desk,
        "key": f"{desk}-{number}",
        "ticket_id": ticket,
        "event": EVENTS[number % 3],
        "occasion": "created",
        "state": state,
        "reason": reason,
        "attempts": 10 if is_dead else 1,
        "wakeups": 0,
        "received_at": at,
        "finished_at": at + 2,
        "body": body,
    }


def _effects(team: str, at: float) -> list[dict[str, Any]]:
    times = {"created_at": at, "sent_at": at, "confirmed_at": at + 1}
    group = DEFAULT_TEAMS[team].group
    note = {"before": {"priority": None, "group": None}, "after": {"priority": "high", "group": group}}
    tags = {"before": {"tags": ["vip"]}, "after": {"tags": ["vip", "ai_triaged", f"ai_team_{team}"]}}
    intent = {"priority": "high", "group": group}
    return [
        {"kind": "note", "state": "confirmed", "intent": intent, "refused": {}, "note_id": "5551", **note, **times},
        {
            "kind": "tags",
            "state": "confirmed",
            "intent": {"tags": tags["after"]["tags"]},
            "note_id": "",
            **tags,
            **times,
        },
    ]


def _outcomes(
    dice: random.Random, desk: str, ticket: str, team: str, priority: str, at: float, now: float
) -> list[dict[str, Any]]:
    found = []
    for field, ours, others in (("primary_team", team, TEAMS), ("priority", priority, PRIORITIES)):
        agreed = dice.random() < 0.86
        theirs = ours if agreed else dice.choice([one for one in others if one != ours])
        found.append(
            {
                "desk": desk,
                "ticket_id": ticket,
                "field": field,
                "ours": ours,
                "theirs": theirs,
                "agreed": agreed,
                "written": True,
                "probability": 0.8,
                "classifier": "embedded",
                "final": True,
                "observed_at": min(at + DAY, now),
            }
        )
    return found


def _votes(desk: str, ticket: str, at: float) -> list[dict[str, Any]]:
    whose = {"desk": desk, "ticket_id": ticket, "voter": "a", "created_at": at + 60}
    verdicts = (("right", "triage", ""), ("draft_used", "draft", "saved me ten minutes"))
    known = {column.name for column in feedback.c}
    votes = [{**whose, "verdict": verdict, "about": about, "reason": why} for verdict, about, why in verdicts]
    if "about" not in known:
        votes = [{name: value for name, value in votes[0].items() if name != "about"}]
    return votes


def _exchange(at: float, model: str) -> dict[str, Any]:
    sent = [
        {"role": "system", "content": "You sort tickets of a helpdesk."},
        {"role": "user", "content": "From: [EMAIL_1]\n\nI was charged twice for March. My card ends in [CARD_1]."},
    ]
    return {
        "at": at,
        "purpose": "classify",
        "host": "llm.example.com",
        "model": model,
        "sent": json.dumps(sent),
        "answer": json.dumps({"primary_team": "billing", "priority": "P1_high"}),
        "problem": "",
        "seconds": 1.18,
        "tokens_in": 1200,
        "tokens_out": 210,
        "cost_usd": 0.0021,
    }


def _question(desk: str, ticket: str, at: float) -> dict[str, Any]:
    return {
        "desk": desk,
        "ticket_id": ticket,
        "text": "Is the double charge visible in the billing system?",
        "options": ["Yes", "No"],
        "state": "answered",
        "answer": "Yes",
        "answered_by": "link",
        "created_at": at,
        "answered_at": at + 600,
    }
