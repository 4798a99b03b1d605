"""The model's answer: checked, clamped, and turned into a `Classification`; a wrong label is no answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from triage.classification import NO_TEAM, Probabilities
from triage.classify.asking import InvalidAnswer
from triage.classify.hostile import harmless
from triage.classify.prompt import DECIDED, MAX_CATEGORY, MAX_EVIDENCE, MAX_SUMMARY
from triage.classify.recalibrate import LOGPROBS, SELF_REPORT
from triage.classify.token_odds import Token, label_odds
from triage.redact import SHOWN, Masks

MAX_JSON = 100_000
SUREST = 0.99
"""No model is certain."""
NOT_JSON = "it is no JSON object"
WRONG_SHAPE = "wrong or missing: {fields}"
WRONG_LABEL = "'{field}' must be one of {labels}"

Labels = Mapping[str, Sequence[str]]


def _whole(value: Any) -> int:
    """Return a percentage from 85, "85", "85%" or 0.85; anything else is no confidence at all."""
    try:
        number = float(str(value).strip().rstrip("%")[:20])
    except ValueError:
        return 0
    if isinstance(value, float) and 0 < number < 1:
        number *= 100
    return int(min(max(number, 0), 100)) if number == number else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [item for item in value[:10] if isinstance(item, str)] if isinstance(value, list) else []


Percent = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_text)]


class Answer(BaseModel):
    """What was asked for; only the four labels are indispensable."""

    model_config = ConfigDict(extra="ignore")

    primary_team: str
    primary_team_confidence: Percent = 0
    primary_team_runner_up: Text = ""
    primary_team_runner_up_confidence: Percent = 0
    priority: str
    priority_confidence: Percent = 0
    priority_runner_up: Text = ""
    priority_runner_up_confidence: Percent = 0
    sentiment: str
    sentiment_confidence: Percent = 0
    sentiment_runner_up: Text = ""
    sentiment_runner_up_confidence: Percent = 0
    churn_risk: str
    churn_risk_confidence: Percent = 0
    churn_risk_runner_up: Text = ""
    churn_risk_runner_up_confidence: Percent = 0
    secondary_team: Text = ""
    evidence: Annotated[list[str], BeforeValidator(_texts)] = []
    summary: Text = ""
    issue_category: Text = ""
    language: Text = ""
    auto_resolution_possible: Annotated[bool, BeforeValidator(lambda value: value is True)] = False


@dataclass(frozen=True)
class Verdict:
    """A checked answer: only configured labels, only harmless text."""

    fields: dict[str, Any]
    probabilities: Probabilities
    """As the model gave them, not calibrated."""
    sources: dict[str, str]
    """Field -> LOGPROBS or SELF_REPORT."""


def parse_answer(
    content: str, labels: Labels, ticket_text: str, tokens: Sequence[Token] = (), masks: Masks | None = None
) -> Verdict:
    """Return the checked answer. Raises InvalidAnswer where it is not JSON or a label is not configured.

    `tokens`: those the answer was written in, where the endpoint gives their probabilities. `masks`: what was taken
    out of the ticket before it was asked about; `ticket_text` is the ticket as it was.
    """
    answer = _answer(content)
    chosen = {name: _label(name, getattr(answer, name), labels[name]) for name in DECIDED}
    odds = label_odds(content, tokens, {name: labels[name] for name in DECIDED})
    probabilities = {
        name: _bounded(odds[name]) if name in odds else _reported(answer, name, chosen[name], labels[name])
        for name in DECIDED
    }
    # A model that is not asked at temperature 0 draws its words: the label it holds most likely counts.
    chosen |= {name: max(labels[name], key=probabilities[name].__getitem__) for name in odds}
    second = _match(answer.secondary_team, labels["primary_team"])
    if second in (NO_TEAM, chosen["primary_team"]) or chosen["primary_team"] == NO_TEAM:
        second = None
    sources = {name: LOGPROBS if name in odds else SELF_REPORT for name in DECIDED}
    return Verdict(
        chosen | {"secondary_team": second} | _texts_of(answer, ticket_text, masks or Masks()), probabilities, sources
    )


def _bounded(spread: Mapping[str, float]) -> dict[str, float]:
    return {label: SUREST * p + (1.0 - SUREST) / len(spread) for label, p in spread.items()}


def _reported(answer: Answer, name: str, label: str, allowed: Sequence[str]) -> dict[str, float]:
    """Return the probabilities that the model wrote down itself."""
    runner_up = _match(getattr(answer, f"{name}_runner_up"), allowed)
    confidence, second = getattr(answer, f"{name}_confidence"), getattr(answer, f"{name}_runner_up_confidence")
    return _spread(allowed, (label, confidence), (runner_up, second))


def loaded(content: str) -> Any:
    """Return the JSON object in what a model wrote. Raises InvalidAnswer where there is none."""
    # Models without JSON mode like to wrap the object in a code fence or a sentence.
    start, end = content.find("{"), content.rfind("}")
    if not 0 <= start < end or len(content) > MAX_JSON:
        raise InvalidAnswer(NOT_JSON)
    try:
        return json.loads(content[start : end + 1])
    except (ValueError, RecursionError):
        raise InvalidAnswer(NOT_JSON) from None


def _answer(content: str) -> Answer:
    try:
        return Answer.model_validate(loaded(content))
    except ValidationError as error:
        fields = sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]})
        raise InvalidAnswer(WRONG_SHAPE.format(fields=", ".join(fields) or "the object")) from None


def _label(name: str, given: str, allowed: Sequence[str]) -> str:
    label = _match(given, allowed)
    if label is None:
        raise InvalidAnswer(WRONG_LABEL.format(field=name, labels=", ".join(allowed)))
    return label


def _match(given: str, allowed: Sequence[str]) -> str | None:
    """Return the configured label that `given` names: case, spaces and "P1" for "P1_high" are forgiven."""
    key = re.sub(r"[\s-]+", "_", given.strip().casefold()[:60])
    exact = {re.sub(r"-", "_", label.casefold()): label for label in allowed}
    if key in exact:
        return exact[key]
    return next((label for label in allowed if re.fullmatch(r"p\d", key) and label.casefold().startswith(key)), None)


def _spread(allowed: Sequence[str], chosen: tuple[str, int], runner_up: tuple[str | None, int]) -> dict[str, float]:
    """Return probabilities from self-reported confidences, the rest of the mass spread evenly.

    The chosen label always keeps the largest share: the model named it first.
    """
    label, even = chosen[0], 1.0 / len(allowed)
    first = min(max(chosen[1] / 100, even), SUREST)
    rest = [other for other in allowed if other != label]
    shares = dict.fromkeys(rest, (1.0 - first) / max(len(rest), 1))
    second = runner_up[0]
    if second in shares and len(rest) > 1:
        share = min(max(runner_up[1] / 100, shares[second]), 1.0 - first, first)
        shares = dict.fromkeys(rest, (1.0 - first - share) / (len(rest) - 1)) | {second: share}
    total = first + sum(shares.values())
    return {name: (first if name == label else shares[name]) / total for name in allowed}


def _texts_of(answer: Answer, ticket_text: str, masks: Masks) -> dict[str, Any]:
    language = answer.language.strip().casefold()[:2]

    def shown(text: str, longest: int) -> str:
        # Cleaned after the names are back: a name is a stranger's text too.
        return harmless(masks.restore(text[: 2 * longest], SHOWN), longest)

    return {
        "evidence": _verbatim([masks.restore(quote[: 2 * MAX_EVIDENCE]) for quote in answer.evidence], ticket_text),
        "context_for_agent": " ".join(shown(answer.summary, MAX_SUMMARY).split()),
        "issue_category": re.sub(r"\W+", "_", answer.issue_category.casefold()[:MAX_CATEGORY]).strip("_"),
        "language": language if re.fullmatch("[a-z]{2}", language) else "und",
        "auto_resolution_possible": answer.auto_resolution_possible,
    }


def _verbatim(quotes: Sequence[str], ticket_text: str) -> list[str]:
    """Return the quotes that stand in the ticket word for word; white space may differ."""
    told = " ".join(ticket_text.split())
    cut = (" ".join(quote.split())[:MAX_EVIDENCE].strip() for quote in quotes)
    return [quote for quote in dict.fromkeys(cut) if len(quote) > 2 and quote in told][:2]
