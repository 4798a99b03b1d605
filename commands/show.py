"""Shows what was done about one ticket: what left this machine, for which host, and what came back."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from commands.rows import settings_or_defaults
from commands.shared import check_desk, database_errors
from triage.classification import DECIDED_FIELDS
from triage.draft import NONE, QUOTED, READY, WITHHELD
from triage.environment import read_environment
from triage.errors import TandemError
from triage.note_parts import clean
from triage.store import Store, open_store
from triage.store.effects import Effect
from triage.store.exchanges import Exchange
from triage.store.runs import DONE, Run

WIDTH = 80
UNKNOWN_TICKET = (
    "desk {desk} has no run of ticket {ticket}: no delivery of it was worked on; "
    "`python manage.py triage --desk {desk} {ticket}` shows what would be said of it"
)
NOTHING_SENT = "Nothing was sent to a language model: the built-in classifier answered on this machine."
FORGOTTEN = "What was sent to a language model, if anything, is past its retention."
UNRECORDED = "{model} was asked, before calls were written down."
NOTHING_WRITTEN = "Nothing was written to {host}."
MASKED = "Texts are shown as they were sent and stored: private data in them is masked."
DRAFTS = {
    READY: "ready to edit", QUOTED: "none; passages of sources were quoted", WITHHELD: "withheld: {why}",
    NONE: "none",
}  # fmt: skip
Json = dict[str, Any]


@click.command()
@click.option("--desk", required=True, help="The desk the ticket is on.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("ticket_id")
@database_errors()
def command(desk: str, ticket_id: str, as_json: bool) -> None:
    """Show what was sent where about one ticket, and what came back.

    For each run: the verdict, what was decided and written to the helpdesk,
    times and costs, and every call to a language model with its host and the
    messages exactly as they were sent. Asks nobody; private data is masked.

    \b
    Example:
      python manage.py show --desk acme 1234
      python manage.py show --desk acme 1234 --json
    """
    environment = read_environment()
    settings = settings_or_defaults(environment)
    check_desk(settings, desk, Path(environment.tandem_config))
    host = urlsplit(settings.desks[desk].url).netloc
    store = open_store(environment.database_url)
    runs = store.runs.all_of(desk, ticket_id)
    if not runs:
        raise TandemError(UNKNOWN_TICKET.format(desk=desk, ticket=ticket_id))
    told = {"desk": desk, "ticket": ticket_id, "helpdesk": host, "runs": [_told(run, store) for run in runs]}
    click.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else "\n".join(_lines(told)))


def _told(run: Run, store: Store) -> Json:
    """Return one run as plain data, without a word of the customer that is not masked."""
    said, decision, draft = run.classification or {}, run.decision or {}, run.draft or {}
    calls = store.exchanges.of_run(run.id)
    return {
        "reference": run.reference, "occasion": run.occasion, "state": run.state, "reason": run.reason,
        "created_at": _iso(run.created_at), "finished_at": _iso(run.finished_at), "attempts": run.attempts,
        "classifier": run.classifier, "model": run.model, "tokens_in": run.tokens_in, "tokens_out": run.tokens_out,
        "cost_usd": run.cost_usd, "timings": run.timings or {},
        "verdict": {
            name: {"label": said[name], "probability": said["probabilities"].get(name, {}).get(said[name])}
            for name in DECIDED_FIELDS if said
        },
        "fallback_reason": said.get("fallback_reason", ""),
        "decision": {name: value for name, value in decision.items() if name != "steps"},
        "steps": decision.get("steps", []),
        "draft": {"state": run.drafted, "withheld": draft.get("withheld", []), "removed": draft.get("removed", [])},
        "sources": run.sources or {},
        "effects": [_effect(effect) for effect in store.effects.of_run(run.id)],
        "calls": [_call(call) for call in calls],
        "nothing_sent": _nothing_sent(run, calls),
    }  # fmt: skip


def _nothing_sent(run: Run, calls: list[Exchange]) -> str:
    """Return why no call is shown, "" where there are some."""
    if calls:
        return ""
    if run.state == DONE and run.classification is None:
        return FORGOTTEN
    return UNRECORDED.format(model=run.model) if run.tokens_in else NOTHING_SENT


def _effect(one: Effect) -> Json:
    return {
        "kind": one.kind, "state": one.state, "note_id": one.note_id, "before": one.before or {},
        "after": one.after or {}, "refused": one.refused or {}, "sent_at": _iso(one.sent_at),
        "confirmed_at": _iso(one.confirmed_at),
    }  # fmt: skip


def _call(one: Exchange) -> Json:
    return {
        "purpose": one.purpose, "host": one.host, "model": one.model, "at": _iso(one.at), "seconds": one.seconds,
        "tokens_in": one.tokens_in, "tokens_out": one.tokens_out, "cost_usd": one.cost_usd, "messages": one.messages,
        "answer": one.answer, "problem": one.problem,
    }  # fmt: skip


def _iso(moment: float | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None


def _lines(told: Json) -> Iterator[str]:
    yield f"Ticket {told['ticket']} of {told['desk']} ({told['helpdesk']}): {_count(len(told['runs']), 'run')}"
    yield MASKED
    for run in told["runs"]:
        yield ""
        yield from _run_lines(run, told["helpdesk"])


def _run_lines(run: Json, host: str) -> Iterator[str]:
    yield f"== {run['reference']} · {run['occasion']} · {run['state']} {'=' * 20}"[:WIDTH]
    yield from _row("began", f"{run['created_at']}, {_count(run['attempts'], 'attempt')}" + _took(run))
    if run["reason"]:
        yield from _row("reason", run["reason"])
    if run["verdict"]:
        labels = [f"{one['label']} {one['probability'] or 0:.0%}" for one in run["verdict"].values()]
        yield from _row("verdict", " · ".join(labels))
        yield from _row("answered", f"by {run['classifier']}" + (f", {run['model']}" if run["model"] else ""))
    if run["fallback_reason"]:
        yield from _row("", f"the model did not answer: {run['fallback_reason']}")
    for place, step in enumerate(run["steps"]):
        yield from _row("" if place else "decided", f"- {step}")
    if state := run["draft"]["state"]:
        yield from _row("draft", DRAFTS.get(state, state).format(why="; ".join(run["draft"]["withheld"])))
    for reason in run["draft"]["removed"]:
        yield from _row("", f"- a sentence was taken out: {reason}")
    cost = f"USD {run['cost_usd']:.4f}, {run['tokens_in']:,} tokens in, {run['tokens_out']:,} out"
    yield from _row("cost", cost if run["tokens_in"] else "nothing")
    yield from _written(run, host)
    yield ""
    if run["nothing_sent"]:
        yield from textwrap.wrap(run["nothing_sent"], WIDTH)
    for number, call in enumerate(run["calls"], 1):
        yield from _call_lines(number, call)


def _took(run: Json) -> str:
    if not run["timings"]:
        return ""
    steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in run["timings"].items())
    return f", {sum(run['timings'].values()):.2f} s ({steps})"


def _written(run: Json, host: str) -> Iterator[str]:
    for place, one in enumerate(run["effects"]):
        after = json.dumps(one["after"], ensure_ascii=False) if one["after"] else ""
        words = [one["kind"], one["state"], f"id {one['note_id']}" if one["note_id"] else "", after]
        refused = f"refused: {json.dumps(one['refused'], ensure_ascii=False)}" if one["refused"] else ""
        yield from _row("" if place else "written", " · ".join(filter(None, [f"to {host}", *words, refused])))
    if not run["effects"]:
        yield from _row("written", NOTHING_WRITTEN.format(host=host))


def _call_lines(number: int, call: Json) -> Iterator[str]:
    yield f"-- call {number}: {call['purpose']}, sent to {call['host']} {'-' * WIDTH}"[:WIDTH]
    used = f"{call['tokens_in']:,} tokens in, {call['tokens_out']:,} out, USD {call['cost_usd']:.4f}"
    yield from textwrap.wrap(f"{call['at']} · {call['model']} · {call['seconds']:.2f} s · {used}", WIDTH)
    for message in call["messages"]:
        yield f"{message['role']}:"
        yield from _quoted(message["content"])
    if call["problem"]:
        yield from textwrap.wrap(f"problem: {clean(call['problem'])}", WIDTH)
    if call["answer"]:
        yield "answer:"
        yield from _quoted(call["answer"])


def _quoted(text: str) -> Iterator[str]:
    for line in clean(text).split("\n"):
        # Broken for the screen only: --json has every character.
        for piece in textwrap.wrap(line, WIDTH - 4, replace_whitespace=False) or [""]:
            yield f"  | {piece}".rstrip()


def _row(name: str, text: str) -> list[str]:
    behind = " " * (12 if text.startswith("- ") else 10)
    return textwrap.wrap(clean(text), WIDTH, initial_indent=f"{name:<10}", subsequent_indent=behind) or [name]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
