"""Turn predictions into the rows of docs/quality.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation import measures
from evaluation.baselines import majority
from evaluation.items import Item, Source
from evaluation.measures import Outcome
from triage.classification import DECIDED_FIELDS

HEADER = (
    "| set | n | field | majority | TF-IDF acc / F1 | **accuracy** | **macro-F1** | ECE | coverage at 95 % | more |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
)


@dataclass(frozen=True)
class Row:
    """One field of one source."""

    source: Source
    field: str
    outcome: Outcome
    baseline: Outcome


def rows_of(
    source: Source,
    items: Sequence[Item],
    ours: Sequence[Mapping[str, dict[str, float]]],
    baselines: Mapping[str, Sequence[dict[str, float]]],
) -> list[Row]:
    """Return a row per field that `source` speaks about; `ours` and each baseline are parallel to `items`."""
    rows = []
    for field in DECIDED_FIELDS:
        told = [place for place, item in enumerate(items) if field in item.labels]
        if told:
            chances = [ours[place][field] for place in told]
            plain = [baselines[field][place] for place in told]
            picked = [items[place] for place in told]
            rows.append(Row(source, field, _outcome(picked, field, chances), _outcome(picked, field, plain)))
    return rows


def line(row: Row) -> str:
    """Return one line of the table."""
    outcome, plain = row.outcome, row.baseline
    accuracy = measures.with_interval(outcome, measures.accuracy(outcome.right()))
    macro = measures.with_interval(outcome, measures.macro_f1(outcome))
    ones = np.ones(len(plain.truth))
    cells = [
        row.source.name, str(len(outcome.truth)), row.field, f"{majority(outcome.truth):.2f}",
        f"{plain.right().mean():.2f} / {measures.macro_f1(plain)(ones):.2f}", accuracy.text, macro.text,
        f"{measures.calibration_error(outcome):.2f}", f"{measures.coverage(outcome):.0%}",
        measures.beyond_accuracy(row.field, outcome, plain),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def _outcome(items: Sequence[Item], field: str, chances: Sequence[dict[str, float]]) -> Outcome:
    return Outcome(
        [item.labels[field] for item in items],
        chances,
        [item.group for item in items],
        [item.also_right.get(field, "") for item in items],
    )
