"""What bulk work remembers between two starts, and how the lines of its result files read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from triage.classification import Classification
from triage.classify.endpoint import Plan
from triage.errors import ModelError, TandemError
from triage.ticket import Ticket

Body = dict[str, Any]

DAMAGED = "{state} cannot be read; delete it to start anew"
ROW_FAILED = "the model endpoint answered HTTP {status}"
NO_REASON = "no reason given"


class NoBatchesError(ModelError):
    """The endpoint has no batch API; ask live instead."""


class BulkError(TandemError):
    """The batch cannot be started or gone on with; the message says what to do."""


@dataclass
class Part:
    """One batch: tickets `first` to `first + count`."""

    first: int
    count: int
    file: str = ""
    batch: str = ""
    output: str = ""
    """Ids of the result files once the batch is over."""
    errors: str = ""
    status: str = ""


@dataclass
class State:
    """What the state file holds: no text of any ticket."""

    fingerprint: str
    plan: dict[str, Any]
    parts: list[Part] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Replace the file at once: a torn one would lose the batch."""
        draft = path.with_name(path.name + ".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> State | None:
        """Return the state, None where there is none. Raises BulkError where it is damaged."""
        if not path.exists():
            return None
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            state = cls(known["fingerprint"], known["plan"], [Part(**part) for part in known["parts"]])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BulkError(DAMAGED.format(state=path)) from None
        if not state._is_sound():
            raise BulkError(DAMAGED.format(state=path))
        return state

    @property
    def tickets(self) -> int:
        """Return how many tickets the parts hold."""
        return sum(part.count for part in self.parts)

    def _is_sound(self) -> bool:
        """Say whether everything is of its type, and the parts follow each other without a gap or a repetition.

        Answers are given to tickets by place: with a part missing they would go to others.
        """
        if type(self.fingerprint) is not str or not _is_plan(self.plan):
            return False
        first = 0
        for part in self.parts:
            words = (part.file, part.batch, part.output, part.errors, part.status)
            numbers = (part.first, part.count)
            if any(type(word) is not str for word in words) or any(type(number) is not int for number in numbers):
                return False
            if part.first != first or part.count < 1 or not (part.batch or part is self.parts[-1]):
                return False
            first += part.count
        return len({part.batch for part in self.parts}) == len(self.parts)


def _is_plan(plan: Any) -> bool:
    usual = asdict(Plan())
    return isinstance(plan, dict) and {name: type(value) for name, value in plan.items()} == {
        name: type(value) for name, value in usual.items()
    }


def result_of(line: str) -> tuple[str, Body | str] | None:
    """Return row id and body of one line of a result file; None for a line that makes no sense."""
    try:
        row = json.loads(line)
        response = row.get("response") or {}
        status, body = response.get("status_code"), response.get("body")
        name = row["custom_id"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(name, str):
        return None
    if status == 200 and isinstance(body, dict):
        return name, body
    return name, ROW_FAILED.format(status=status if isinstance(status, int) else "of no kind")


def code_of(batch: Body) -> str:
    """Return the endpoint's word for why a batch failed; its sentence may repeat what was sent."""
    try:
        code = str(batch["errors"]["data"][0]["code"])
    except (KeyError, IndexError, TypeError):
        return NO_REASON
    return code if code.replace("_", "").isalnum() and len(code) < 60 else NO_REASON


class Prepared:
    """Implements `Classifier` with answers that are known already; for these very tickets only."""

    name = "llm"

    def __init__(self, tickets: Sequence[Ticket], answers: Iterator[Classification | ModelError]) -> None:
        self._answers = {id(ticket): answer for ticket, answer in zip(tickets, answers, strict=True)}

    def classify(self, ticket: Ticket) -> Classification:
        """Return the answer kept for `ticket`. Raises ModelError where there is none."""
        answer = self._answers[id(ticket)]
        if isinstance(answer, ModelError):
            raise answer
        return answer
