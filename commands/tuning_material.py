"""Where training examples come from: outcomes with the tickets read again, or a file of labelled rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from commands.learn import history_of
from commands.past import patiently
from commands.rows import rows_of
from connectors.base import Connector, Past
from triage.backtest.replay import as_new
from triage.classification import Classification
from triage.classify.question import Questionnaire
from triage.classify.tuning import Example, example_of
from triage.store import Store
from triage.store.outcomes import Outcome

PIECE = 20
"""Tickets read at once: one call at Zendesk, one for each at Freshdesk."""


class Notebook:
    """The examples made so far, masked, one JSON line each, in a file that only its owner may read.

    Examples made for another prompt (other teams or priorities) are left out.
    """

    def __init__(self, path: Path, system: str) -> None:
        self._path = path
        self._prompt = hashlib.sha256(system.encode()).hexdigest()[:16]

    def read(self) -> dict[str, Example | None]:
        """Return run id -> example, None for a ticket that gives none; a torn last line is dropped."""
        found: dict[str, Example | None] = {}
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if entry["prompt"] == self._prompt:
                found[entry["run"]] = Example(**entry["example"]) if entry["example"] else None
        return found

    def add(self, examples: Mapping[str, Example | None]) -> None:
        """Write down what was made of a few runs."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        with self._path.open("a", encoding="utf-8") as file:
            for run, example in examples.items():
                entry = {"prompt": self._prompt, "run": run, "example": asdict(example) if example else None}
                file.write(json.dumps(entry) + "\n")

    def clear(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)


def from_outcomes(
    store: Store, connector: Connector, questionnaire: Questionnaire, settled: Mapping[int, Sequence[Outcome]],
    notebook: Notebook, progress: Callable[[int], None],
) -> list[Example]:  # fmt: skip
    """Return the examples of `settled` runs (run id -> outcomes); what was read before is not read again."""
    done = notebook.read()
    progress(sum(str(run) in done for run in settled))
    open_ = [run for run in settled if str(run) not in done]
    for start in range(0, len(open_), PIECE):
        piece = open_[start : start + PIECE]
        ids = list(dict.fromkeys(settled[run][0].ticket_id for run in piece))
        shown: Sequence[Past] = patiently(lambda: connector.past(ids))  # noqa: B023
        tickets = {past.ticket.id: as_new(past.ticket, 0) for past in shown}
        made: dict[str, Example | None] = {}
        for run in piece:
            ticket = tickets.get(settled[run][0].ticket_id)
            labels = {one.field: one.theirs for one in settled[run]}
            at = max(one.observed_at for one in settled[run])
            made[str(run)] = example_of(questionnaire, ticket, labels, at, _said(store, run)) if ticket else None
        notebook.add(made)
        done |= made
        progress(len(piece))
    return [example for run in settled if (example := done.get(str(run)))]


def _said(store: Store, run_id: int) -> Classification | None:
    """Return what was answered in a run, None where its details are gone."""
    run = store.runs.get(run_id)
    try:
        return Classification.model_validate(run.classification) if run and run.classification else None
    except ValidationError:
        return None


def from_file(source: Path, questionnaire: Questionnaire) -> Iterator[Example]:
    """Yield the examples of labelled rows, as `learn --file` reads them. Raises InputError naming the row."""
    history = history_of(source.name, rows_of(source))
    for place, (ticket, at) in enumerate(zip(history.tickets, history.times, strict=True)):
        labels: dict[str, Any] = {field: known[place] for field, known in history.labels.items() if known[place]}
        if example := example_of(questionnaire, ticket, labels, at):
            yield example
