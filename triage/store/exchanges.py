"""What was sent to a language model and what came back, call by call: masked, as it left the house."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from sqlalchemy import Engine, bindparam, delete, insert, select, update

from triage.exchange import Call, Outcome
from triage.store.engine import reader_of
from triage.store.tables import exchanges

NO_ANSWER_YET = "sent; nothing is known of an answer"
MAX_ANSWER = 20_000
"""Characters of an answer that are kept; an honest one has 3,000."""
BATCH = 1000
NEW = insert(exchanges).returning(exchanges.c.id)
THIS = update(exchanges).where(exchanges.c.id == bindparam("this"))


@dataclass(frozen=True)
class Exchange:
    """One row."""

    id: int
    run_id: int
    at: float
    purpose: str
    host: str
    model: str
    sent: str
    """The messages as JSON."""
    answer: str
    problem: str
    seconds: float
    tokens_in: int
    tokens_out: int
    cost_usd: float

    @property
    def messages(self) -> list[dict[str, str]]:
        """Return the messages."""
        messages: list[dict[str, str]] = json.loads(self.sent)
        return messages


class Exchanges:
    """Reads and writes the calls."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def of(self, run_id: int) -> RunRecorder:
        """Return the recorder of one run."""
        return RunRecorder(self._engine, run_id)

    def of_run(self, run_id: int) -> list[Exchange]:
        """Return the calls of a run, oldest first."""
        query = select(exchanges).where(exchanges.c.run_id == run_id).order_by(exchanges.c.id)
        with self._reader.connect() as connection:
            return [Exchange(**row) for row in connection.execute(query).mappings()]

    def drop(self, before: float) -> int:
        """Delete up to BATCH calls made before then; returns how many."""
        old = select(exchanges.c.id).where(exchanges.c.at < before).limit(BATCH)
        with self._engine.begin() as connection:
            return int(connection.execute(delete(exchanges).where(exchanges.c.id.in_(old))).rowcount)


class RunRecorder:
    """Implements `Recorder` for one run."""

    def __init__(self, engine: Engine, run_id: int) -> None:
        self._engine = engine
        self._run_id = run_id

    def sent(self, call: Call) -> int:
        """Write the call down before it leaves."""
        row = {
            "run_id": self._run_id, "at": time.time(), "purpose": call.purpose[:20], "host": call.host[:255],
            "model": call.model[:120], "sent": _storable(json.dumps(call.messages, ensure_ascii=False)),
            "answer": "", "problem": NO_ANSWER_YET, "seconds": 0.0, "tokens_in": 0, "tokens_out": 0, "cost_usd": 0.0,
        }  # fmt: skip
        with self._engine.begin() as connection:
            return int(connection.execute(NEW, row).scalar_one())

    def came(self, number: int, outcome: Outcome) -> None:
        """Add what came of it."""
        row = {
            "answer": _storable(outcome.answer[:MAX_ANSWER]), "problem": outcome.problem,
            "seconds": round(outcome.seconds, 3), "tokens_in": outcome.tokens_in, "tokens_out": outcome.tokens_out,
            "cost_usd": outcome.cost_usd,
        }  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(THIS, row | {"this": number})


def _storable(text: str) -> str:
    """Return `text` without what PostgreSQL refuses: zero bytes and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
