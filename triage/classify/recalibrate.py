"""One temperature per field over a language model's probabilities: the one place where they are shrunk or sharpened.

p(label) becomes p(label) ** (1 / temperature), scaled to sum to 1: above 1 less sure, below 1 surer, and the order of
the labels never changes. A desk's own temperatures are fitted from what its agents changed and belong to one desk, one
classifier and one field; until there are any, those of DEFAULTS stand in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from triage.classification import Classification, Probabilities

LOGPROBS, SELF_REPORT = "logprobs", "self_report"
"""Where a probability came from: the model's token probabilities, or the percentage it wrote down itself."""
DEFAULTS: Mapping[str, float] = {LOGPROBS: 1.5, SELF_REPORT: 1.25}
"""Source -> temperature where none has been fitted. Tuned chat models are too sure of themselves (OpenAI, GPT-4
Technical Report, figure 8; Tian et al. 2023, "Just Ask for Calibration"), so both lean towards doubt. Guesses, not
measured on a desk."""
FLOOR = 1e-9


def apply(probabilities: Mapping[str, Mapping[str, float]], temperatures: Mapping[str, float]) -> Probabilities:
    """Return `probabilities` (field -> label -> p) with the temperature of each field; 1 where none is named."""
    return {field: _tempered(spread, temperatures.get(field, 1.0)) for field, spread in probabilities.items()}


def recalibrated(answer: Classification, temperatures: Mapping[str, float]) -> Classification:
    """Return `answer` with `temperatures` in place of those it was given with; other fields stay as they are.

    The shown probabilities are undone first, so temperatures always refer to what the classifier said.
    """
    applied = answer.temperatures
    steps = {name: t / applied.get(name, 1.0) for name, t in temperatures.items() if name in answer.probabilities}
    return answer.model_copy(
        update={
            "probabilities": apply(answer.probabilities, steps),
            "temperatures": {**applied, **{name: temperatures[name] for name in steps}},
        }
    )


def as_said(answer: Classification) -> Probabilities:
    """Return the probabilities of `answer` before any temperature: what a fit starts from."""
    return apply(answer.probabilities, {name: 1.0 / t for name, t in answer.temperatures.items()})


def _tempered(spread: Mapping[str, float], temperature: float) -> dict[str, float]:
    if temperature == 1.0 or not spread:
        return dict(spread)
    logs = {label: math.log(max(p, FLOOR)) / temperature for label, p in spread.items()}
    top = max(logs.values())
    weights = {label: math.exp(log - top) for label, log in logs.items()}
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items()}
