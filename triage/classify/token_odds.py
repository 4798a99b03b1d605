"""How sure the model was of each label, read from the probabilities of the tokens it wrote.

The answer's text is walked token by token. Where a field's value begins, each alternative the endpoint names is a way
the value could have begun: its probability goes to the configured labels that begin so. What fits no label is left out
and the rest is scaled to 1, for some endpoints (llama.cpp) report probabilities from before the grammar ruled out
everything but the labels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

MAX_TOKENS = 20_000
MAX_ALTERNATIVES = 20
_SPACE = " \t\n\r"


@dataclass(frozen=True)
class Token:
    """One token of the answer, and what else could have stood there: text -> probability, itself included."""

    text: bytes
    chances: Mapping[bytes, float]


@dataclass(frozen=True)
class _Step:
    """The chances at one token, cut to the part that belongs to a value."""

    chosen: str
    chances: Mapping[str, float]


def tokens_of(choice: Mapping[str, Any]) -> list[Token]:
    """Return the tokens of one choice of a chat completion, [] where there are none or they make no sense."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list) or len(content) > MAX_TOKENS:
        return []
    tokens = []
    for entry in content:
        own = _chance(entry)
        if own is None:
            return []
        top = entry.get("top_logprobs")
        others = [_chance(other) for other in (top[:MAX_ALTERNATIVES] if isinstance(top, list) else [])]
        tokens.append(Token(own[0], {own[0]: own[1]} | dict(other for other in others if other)))
    return tokens


def label_odds(
    content: str, tokens: Sequence[Token], labels: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Return field -> label -> probability for each field of `labels` that can be read; {} where tokens do not fit.

    `content` is the answer's text; each inner mapping sums to 1 over all labels of its field.
    """
    joined = b"".join(token.text for token in tokens)
    encoded = content.encode("utf-8", "replace")
    # Thinking and turn markers may stand before the answer.
    shift = joined.rfind(encoded) if encoded else -1
    if shift < 0:
        return {}
    odds = {}
    for name, (start, end) in value_spans(content).items():
        if name in labels:
            first = shift + len(content[:start].encode("utf-8", "replace"))
            last = shift + len(content[:end].encode("utf-8", "replace"))
            steps = _steps(tokens, first, last)
            if spread := _spread(steps, content[start:end], labels[name]):
                odds[name] = spread
    return odds


def value_spans(content: str) -> dict[str, tuple[int, int]]:
    """Return where the string values of the outermost JSON object stand, without their quotes; the last one counts."""
    spans: dict[str, tuple[int, int]] = {}
    at = content.find("{") + 1
    decoder = json.JSONDecoder()
    try:
        while at:
            at = _skip(content, at, _SPACE + ",")
            if content[at] != '"':
                break
            key, at = scanstring(content, at + 1)
            at = _skip(content, at, _SPACE + ":")
            value, end = decoder.raw_decode(content, at)
            spans.pop(key, None)
            if isinstance(value, str):
                spans[key] = (at + 1, end - 1)
            at = end
    except (ValueError, IndexError, RecursionError):
        return {}
    return spans


def _skip(text: str, at: int, over: str) -> int:
    while text[at] in over:
        at += 1
    return at


def _chance(entry: Any) -> tuple[bytes, float] | None:
    """Return text and probability of one entry; the bytes count where given, for a token may end inside a letter."""
    if not isinstance(entry, dict):
        return None
    text, log = entry.get("token"), entry.get("logprob")
    if not isinstance(text, str) or isinstance(log, bool) or not isinstance(log, int | float):
        return None
    try:
        log = float(log)
    except OverflowError:  # JSON's whole numbers have no end
        return None
    if math.isnan(log):
        return None
    raw = entry.get("bytes")
    whole = isinstance(raw, list) and all(type(byte) is int and 0 <= byte < 256 for byte in raw)
    return bytes(raw) if whole and raw else text.encode("utf-8", "replace"), math.exp(min(log, 0.0))


def _steps(tokens: Sequence[Token], first: int, last: int) -> list[_Step]:
    """Return the tokens over bytes `first` to `last` and the closing quote, each without what stands before."""
    steps = []
    begin = 0
    for token in tokens:
        end = begin + len(token.text)
        if end > first and begin <= last:
            ahead = token.text[: max(first - begin, 0)]
            cut = len(ahead)
            chances: dict[str, float] = {}
            for text, chance in token.chances.items():
                if text.startswith(ahead):
                    rest = text[cut:].decode("utf-8", "replace")
                    chances[rest] = chances.get(rest, 0.0) + chance
            steps.append(_Step(token.text[cut:].decode("utf-8", "replace"), chances))
        begin = end
    return steps


def _spread(steps: Sequence[_Step], value: str, labels: Sequence[str]) -> dict[str, float]:
    """Return label -> probability, following the branch that was written until one label is left."""
    spread = dict.fromkeys(labels, 0.0)
    left, mass, written = list(labels), 1.0, ""
    for step in steps:
        branch = _fitting(written + step.chosen, left)
        if not branch:
            break
        shares = _shares(step, written, left, branch)
        for label in left:
            if label not in branch:
                spread[label] += mass * shares[label]
        mass *= sum(shares[label] for label in branch)
        left, written = branch, written + step.chosen
        if len(left) == 1:
            break
    else:
        # Nothing told the rest apart: the label that was written out gets all of it.
        left = [label for label in left if _key(label) == _key(value)][:1]
    if len(left) != 1 or not steps:
        return {}
    spread[left[0]] += mass
    return spread


def _shares(step: _Step, written: str, left: Sequence[str], branch: Sequence[str]) -> dict[str, float]:
    """Return label -> share for the labels still possible before `step`; the branch that was written may share one."""
    shares = dict.fromkeys(left, 0.0)
    for text, chance in step.chances.items():
        fitting = _fitting(written + text, left) if text else []
        # What fits all of them says nothing about any.
        if fitting and (len(fitting) < len(left) or text == step.chosen):
            for label in fitting:
                shares[label] += chance / len(fitting)
    least = min(step.chances.values(), default=0.0)
    unnamed = [label for label in left if not shares[label]]
    if unnamed:
        # Less likely than the least of those named, and all of them together than what is left over.
        chosen = sum(shares[label] for label in branch)
        room = max(1.0 - sum(step.chances.values()), 0.0) / len(unnamed)
        shares |= dict.fromkeys(unnamed, min(least, room, chosen))
    total = sum(shares.values())
    return {label: share / total for label, share in shares.items()} if total else dict.fromkeys(left, 1 / len(left))


def _fitting(written: str, labels: Sequence[str]) -> list[str]:
    """Return the labels that `written` begins, or is the whole of where it goes on past the closing quote."""
    value, quote, _ = written.partition('"')
    key = _key(value)
    if not quote:
        return [label for label in labels if _key(label).startswith(key)]
    # "P1" stands for "P1_high" where a model answers without a schema.
    return [label for label in labels if _key(label) == key] or [
        label for label in labels if key and _key(label).startswith(key)
    ]


def _key(text: str) -> str:
    """Return `text` as labels are compared: case, spaces and hyphens are forgiven (see `answer.py`)."""
    return text.lstrip().casefold().replace(" ", "_").replace("-", "_")
