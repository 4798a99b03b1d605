"""Finds what Tandem has written, and records what of it was taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Engine,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    union,
    update,
)

from triage.store.acts import CONFIRMED as ACT_CONFIRMED
from triage.store.acts import MESSAGE
from triage.store.acts import SENT as ACT_SENT
from triage.store.effects import CONFIRMED, REPLY, SENT, TAGS, UNDONE, UPDATE
from triage.store.engine import reader_of
from triage.store.runs import RUNNING
from triage.store.tables import acts, effects, runs

EFFECT, ACT = "effect", "act"
LIVE = (SENT, CONFIRMED)
LIVE_ACTS = (ACT_SENT, ACT_CONFIRMED)


@dataclass(frozen=True)
class Choice:
    """Which writes are meant; every part that is given must fit."""

    desk: str = ""
    ticket_id: str = ""
    """Needs `desk`."""
    field: str = ""
    """With `label`: what the run said of this field."""
    label: str = ""
    since: float = 0.0
    """Written from then on."""
    policy: str = ""
    """The policy version of the run."""


@dataclass(frozen=True)
class Trace:
    """One write that may stand on a ticket: an effect of a run, or an act of the SLA."""

    source: str
    id: int
    kind: str
    state: str
    reference: str
    note_id: str
    at: float
    before: dict[str, Any]
    after: dict[str, Any]
    tags: tuple[str, ...]
    """Those it has added."""
    undo: dict[str, Any]
    """What an undo that was begun has recorded, else empty."""
    removed: tuple[str, ...] = ()
    """The tags of ours that it has taken away."""
    print: str = ""
    """The fingerprint of the note it has written; empty where none was kept."""
    earlier: str = ""
    """The text of the note it has replaced, as HTML."""


class Undone:
    """Reads and writes what undoing needs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def tickets(self, choice: Choice, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        """Return (desk, ticket id) of tickets that bear chosen writes, in order, those after `after`."""
        found = _tickets(choice).subquery()
        later = or_(found.c.desk > after[0], and_(found.c.desk == after[0], found.c.ticket_id > after[1]))
        query = select(found.c.desk, found.c.ticket_id).where(later).order_by(found.c.desk, found.c.ticket_id)
        with self._reader.connect() as connection:
            return [(row.desk, row.ticket_id) for row in connection.execute(query.limit(limit))]

    def count(self, choice: Choice) -> int:
        """Return how many tickets bear chosen writes."""
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(_tickets(choice).subquery())).scalar_one())

    def traces(self, choice: Choice, desk: str, ticket_id: str) -> list[Trace]:
        """Return the chosen writes of one ticket, oldest first."""
        runs_of = select(effects, runs.c.reference).join(runs).where(*_effects(choice))
        acts_of = select(acts).where(*_acts(choice), acts.c.desk == desk, acts.c.ticket_id == ticket_id)
        with self._reader.connect() as connection:
            of_ticket = runs_of.where(runs.c.desk == desk, runs.c.ticket_id == ticket_id)
            found = [_of_effect(dict(row)) for row in connection.execute(of_ticket).mappings()]
            found += [_of_act(dict(row)) for row in connection.execute(acts_of).mappings()]
        return sorted(found, key=lambda one: (one.at, one.id))

    def is_under_way(self, desk: str, ticket_id: str, now: float) -> bool:
        """Say whether a worker is at the ticket right now."""
        query = select(func.count()).where(
            runs.c.desk == desk, runs.c.ticket_id == ticket_id, runs.c.state == RUNNING, runs.c.lease_until > now
        )
        with self._reader.connect() as connection:
            return bool(connection.execute(query).scalar_one())

    def is_undone(self, desk: str, ticket_id: str) -> bool:
        """Say whether taking back was begun on a ticket: nothing is to be written there again by itself."""
        with self._reader.connect() as connection:
            return bool(connection.execute(ANY_OF, {"of_desk": desk, "of_ticket": ticket_id}).scalar_one())

    def begin(self, traces: list[Trace], undo: dict[str, Any]) -> dict[str, Any]:
        """Record what is about to be taken back, once; returns what holds: another's who was earlier, or `undo`."""
        with self._engine.begin() as connection:
            held: list[dict[str, Any]] = []
            for one in traces:
                table = _table(one)
                row = connection.execute(select(table.c.undo).where(table.c.id == one.id).with_for_update()).one()
                held.append(row.undo or {})
            undo = undo | {"note": next((one["note"] for one in held if one.get("note")), undo["note"])}
            for one, earlier in zip(traces, held, strict=True):
                table = _table(one)
                merged = undo | {"target": undo["target"] | (earlier.get("target") or {})}
                connection.execute(update(table).where(table.c.id == one.id).values(undo=merged))
        return undo

    def finish(self, traces: list[Trace], undo: dict[str, Any], *, done: bool) -> None:
        """Record what was taken back; `done` False keeps the state, for it still stands there."""
        with self._engine.begin() as connection:
            for one in traces:
                table = _table(one)
                # A public reply stands, whatever is done about the rest.
                state = {"state": UNDONE} if done and one.kind != REPLY else {}
                connection.execute(update(table).where(table.c.id == one.id).values(undo=undo, **state))


def _is_begun(table: Table) -> ColumnElement[bool]:
    # By the text: what was written as "no value" may be JSON's own word for it.
    return or_(table.c.state == UNDONE, cast(table.c.undo, Text).like("{%"))


def _any_of() -> Select[tuple[bool]]:
    """Return the question whether anything on a ticket was taken back, asked for every ticket and made once."""
    desk: BindParameter[str] = bindparam("of_desk")
    ticket: BindParameter[str] = bindparam("of_ticket")
    of_runs = select(effects.c.id).join(runs).where(runs.c.desk == desk, runs.c.ticket_id == ticket)
    of_acts = select(acts.c.id).where(acts.c.desk == desk, acts.c.ticket_id == ticket)
    return select(or_(of_runs.where(_is_begun(effects)).exists(), of_acts.where(_is_begun(acts)).exists()))


ANY_OF = _any_of()


def _table(one: Trace) -> Table:
    return effects if one.source == EFFECT else acts


def _effects(choice: Choice) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [effects.c.state.in_(LIVE)]
    if choice.desk:
        where.append(runs.c.desk == choice.desk)
    if choice.ticket_id:
        where.append(runs.c.ticket_id == choice.ticket_id)
    if choice.label:
        where.append(runs.c.classification[choice.field].as_string() == choice.label)
    if choice.since:
        where.append(func.coalesce(effects.c.confirmed_at, effects.c.sent_at) >= choice.since)
    if choice.policy:
        where.append(runs.c.policy == choice.policy)
    return where


def _acts(choice: Choice) -> list[ColumnElement[bool]]:
    """Return the acts that go with a choice: the SLA's own of the time or the ticket, or those after a chosen run."""
    where: list[ColumnElement[bool]] = [acts.c.state.in_(LIVE_ACTS), acts.c.kind != MESSAGE]
    if choice.desk:
        where.append(acts.c.desk == choice.desk)
    if choice.ticket_id:
        where.append(acts.c.ticket_id == choice.ticket_id)
    if choice.since:
        where.append(func.coalesce(acts.c.confirmed_at, acts.c.sent_at) >= choice.since)
    if choice.label or choice.policy:
        mine = select(runs.c.id).join(effects).where(*_effects(choice))
        mine = mine.where(runs.c.desk == acts.c.desk, runs.c.ticket_id == acts.c.ticket_id)
        where.append(mine.where(runs.c.created_at <= acts.c.created_at).exists())
    return where


def _tickets(choice: Choice) -> Any:
    by_run: Select[Any] = select(runs.c.desk, runs.c.ticket_id).join(effects).where(*_effects(choice))
    # A reply that went to the customer is told of beside what goes back; by itself it is nothing to take back.
    by_run = by_run.where(effects.c.kind != REPLY)
    by_act: Select[Any] = select(acts.c.desk, acts.c.ticket_id).where(*_acts(choice))
    return union(by_run, by_act)


def _of_effect(row: dict[str, Any]) -> Trace:
    intent, before, after = row["intent"], row["before"] or {}, row["after"] or {}
    more: dict[str, Any] = {"print": intent.get("print", "")}
    if row["kind"] == UPDATE:
        # The words of a note are no value of the ticket, and it bears the reference of the run that began it.
        more |= {"earlier": before.get("note", ""), "reference": intent.get("reference", row["reference"])}
        more |= {"note_id": row["note_id"] or intent.get("note_id", ""), "before": {}, "after": {}}
    if row["kind"] == TAGS:
        # What a second attempt finds on the ticket is what the first has added.
        there = {str(tag).casefold() for tag in intent.get("there", before.get("tags", []))}
        added = [tag for tag in intent.get("tags", []) if tag not in (row["refused"] or {})]
        more["tags"] = tuple(tag for tag in added if tag.casefold() not in there)
        # The tag that asked for the run was an agent's: put back, it would ask again.
        served = set(intent.get("served", []))
        more["removed"] = tuple(tag for tag in intent.get("removed", []) if tag not in served)
    return replace(_trace(EFFECT, row, before, after), **more)


def _of_act(row: dict[str, Any]) -> Trace:
    before, after = row["before"] or {}, row["after"] or {}
    there = {str(tag).casefold() for tag in before.get("tags", [])}
    added = tuple(tag for tag in after.get("tags", []) if tag.casefold() not in there)
    return replace(_trace(ACT, row, before, after), tags=added)


def _trace(source: str, row: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> Trace:
    return Trace(
        source=source,
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        reference=row["reference"],
        note_id=row["note_id"],
        at=row["confirmed_at"] or row["sent_at"] or 0.0,
        before={name: value for name, value in before.items() if name != "tags"},
        after={name: value for name, value in after.items() if name != "tags"},
        tags=(),
        undo=row["undo"] or {},
    )
