"""Where training examples come from: outcomes with the tickets read again, or a file of labelled rows."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from commands.past import patiently
from commands.rows import InputError, history_of, rows_of
from commands.tuning_state import plain
from connectors.base import Connector, Past
from triage.backtest.replay import as_new
from triage.classification import Classification
from triage.classify.question import Questionnaire
from triage.classify.tuning import LEAST_EXAMPLES, Example, dropped, example_of
from triage.store import Store
from triage.store.outcomes import Outcome

NAMED, LONGEST_NAME = 5, 40
WIDTH_OF_ERRORS = 72
VANISHED = (
    "{file}: no label of '{field}' is one of the settings': it has {labels}, they have {known}. "
    "Add them to the settings (teams, for primary_team), rename them in the file, or leave the column out"
)
TOO_FEW = (
    "{count} usable examples are too few: the vendor refuses fewer than {least}. Let Tandem watch more tickets until "
    "they are solved, look further back with --since, or give labelled rows with --file"
)
BAD_LINE = "{file} line {line}: no training example; make the file with `finetune export`"
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


def from_file(source: Path, questionnaire: Questionnaire) -> tuple[list[Example], dict[str, Counter[str]]]:
    """Return the examples of labelled rows, as `learn --file` reads them, and the labels that were dropped.

    Raises InputError naming the row that is wrong, or the field of which no label is one of the settings'.
    """
    history = history_of(source.name, rows_of(source))
    given = [
        {field: known[place] for field, known in history.labels.items() if known[place]}
        for place in range(len(history.tickets))
    ]
    strange = dropped(questionnaire, given)
    for field, counted in strange.items():
        if counted.total() == sum(map(bool, history.labels[field])):
            known = ", ".join(questionnaire.labels[field])
            raise InputError(
                wrapped(VANISHED.format(file=source.name, field=field, labels=named(counted), known=known))
            )
    made = [
        example_of(questionnaire, ticket, labels, at)
        for ticket, labels, at in zip(history.tickets, given, history.times, strict=True)
    ]
    return [example for example in made if example], strange


def named(counted: Counter[str]) -> str:
    """Return the most frequent labels with their number, plain for a terminal."""
    shown = ", ".join(f"{plain(label)[:LONGEST_NAME]} ({count})" for label, count in counted.most_common(NAMED))
    return shown if len(counted) <= NAMED else f"{shown} and {len(counted) - NAMED} more"


def examples_in(file: Path) -> int:
    """Return how many examples `file` has. Raises InputError where a line is none or there are too few."""
    count = 0
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            roles = [message["role"] for message in json.loads(line)["messages"]]
        except (ValueError, KeyError, TypeError):
            roles = []
        if roles != ["system", "user", "assistant"]:
            raise InputError(BAD_LINE.format(file=file.name, line=number))
        count += 1
    check_enough(count)
    return count


def check_enough(count: int) -> None:
    """Raise InputError where the vendor would refuse so few examples."""
    if count < LEAST_EXAMPLES:
        raise InputError(wrapped(TOO_FEW.format(count=count, least=LEAST_EXAMPLES)))


def wrapped(error: str) -> str:
    """Return `error` in lines that fit a terminal behind the word that goes before it."""
    return textwrap.fill(error, WIDTH_OF_ERRORS, break_on_hyphens=False)
