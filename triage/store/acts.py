"""Acts: what is done about a ticket's SLA stage, each recorded before it is done and at most once per episode."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, select, update

from triage.store.engine import reader_of
from triage.store.marks import EVERY_DESK
from triage.store.tables import acts

PLANNED, SENT, CONFIRMED, FAILED, DROPPED = "planned", "sent", "confirmed", "failed", "dropped"
NOTE, FIELDS, TAGS, MESSAGE = "note", "fields", "tags", "message"
REASON_LENGTH = 500


@dataclass(frozen=True)
class Act:
    """One act; `state` sent means that only the other side knows whether it took effect."""

    id: int
    desk: str
    ticket_id: str
    episode: int
    stage: str
    kind: str
    channel: str
    state: str
    reference: str
    note_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    refused: dict[str, str] | None
    attempts: int
    try_at: float | None
    reason: str
    created_at: float
    sent_at: float | None
    confirmed_at: float | None


COLUMNS = [acts.c[name] for name in Act.__dataclass_fields__]


class Acts:
    """Reads and writes acts; `save` of `Clocks` plans them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def claim_due(
        self,
        now: float,
        limit: int,
        lease_until: float,
        *,
        messages: bool,
        ticket: tuple[str, str] | None = None,
        channel: str = "",
        held: Collection[str] = (),
    ) -> list[Act]:
        """Return acts whose time has come, each counted as tried and pushed ahead to `lease_until`.

        Messages or everything else; of one `ticket` (desk, id) or `channel` where it is given; none of `held` desks.
        """
        if EVERY_DESK in held:
            return []
        due = select(acts.c.id).where(acts.c.try_at <= now, (acts.c.kind == MESSAGE) == messages)
        if ticket:
            due = due.where(acts.c.desk == ticket[0], acts.c.ticket_id == ticket[1])
        if channel:
            due = due.where(acts.c.channel == channel)
        if held:
            due = due.where(acts.c.desk.notin_(held))
        due = due.order_by(acts.c.try_at, acts.c.id).limit(limit).with_for_update(skip_locked=True)
        with self._engine.begin() as connection:
            ids = list(connection.execute(due).scalars())
            if not ids:
                return []
            mine = acts.c.id.in_(ids)
            # As they were before: who takes an act over must know whether it may have been done.
            rows = connection.execute(select(*COLUMNS).where(mine).order_by(acts.c.id)).mappings().all()
            connection.execute(update(acts).where(mine).values(try_at=lease_until, attempts=acts.c.attempts + 1))
        return [replace(Act(**row), attempts=row["attempts"] + 1) for row in rows]

    def channels_due(self, now: float) -> list[str]:
        """Return the channels that have a message whose time has come."""
        query = select(acts.c.channel).where(acts.c.try_at <= now, acts.c.kind == MESSAGE).distinct()
        with self._reader.connect() as connection:
            return sorted(connection.execute(query).scalars())

    def sent(self, act: Act, now: float, lease_until: float, before: dict[str, Any] | None = None) -> bool:
        """Record that the act is about to be done, and `before` where it is given; False when another worker has it."""
        held = acts.c.id == act.id, acts.c.attempts == act.attempts, acts.c.try_at.isnot(None)
        values = {"state": SENT, "sent_at": now, "try_at": lease_until} | ({"before": before} if before else {})
        with self._engine.begin() as connection:
            return connection.execute(update(acts).where(*held).values(values)).rowcount == 1

    def confirm(self, act: Act, now: float, **values: Any) -> None:
        """Record that the act was done, with `before`, `after`, `refused`, `note_id` where there are such."""
        self._close(act, state=CONFIRMED, confirmed_at=now, **values)

    def fail(self, act: Act, reason: str) -> None:
        """Record that the act cannot be done."""
        self._close(act, state=FAILED, reason=reason[:REASON_LENGTH])

    def drop(self, act: Act, reason: str) -> None:
        """Record that the act is not needed any more."""
        self._close(act, state=DROPPED, reason=reason[:REASON_LENGTH])

    def postpone(self, act: Act, until: float, reason: str, *, uncount: bool = False, not_sent: bool = False) -> None:
        """Try the act again at `until`; `uncount` gives the attempt back, `not_sent` says that nothing was done."""
        attempts = act.attempts - 1 if uncount else act.attempts
        # Else as the database has it: `act` may be from before it was sent.
        state = {"state": PLANNED} if not_sent else {}
        self._update(act, try_at=until, reason=reason[:REASON_LENGTH], attempts=attempts, **state)

    def of_ticket(self, desk: str, ticket_id: str) -> list[Act]:
        """Return every act on a ticket, oldest first."""
        query = select(*COLUMNS).where(acts.c.desk == desk, acts.c.ticket_id == ticket_id).order_by(acts.c.id)
        with self._reader.connect() as connection:
            return [Act(**row) for row in connection.execute(query).mappings()]

    def _close(self, act: Act, **values: Any) -> None:
        self._update(act, try_at=None, **values)

    def _update(self, act: Act, **values: Any) -> None:
        with self._engine.begin() as connection:
            # Who was held up beyond its claim has no say any more: another worker has the act, or has closed it.
            held = acts.c.id == act.id, acts.c.attempts == act.attempts, acts.c.try_at.isnot(None)
            connection.execute(update(acts).where(*held).values(values))
