"""One chat completion as sent: its text, its tokens and what it used, or why it cannot be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from triage.classify.token_odds import Token, tokens_of

CHARS_PER_TOKEN = 4
UNREADABLE = "the model endpoint sent something that is no chat completion"
REFUSAL = "the model refused to answer"
CUT_OFF = "the model's answer was cut off"

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Reply:
    """What the model said; `problem` says why it cannot be used, and it is paid all the same."""

    text: str = ""
    tokens: Sequence[Token] = field(default=(), repr=False)
    tokens_in: int = 0
    tokens_out: int = 0
    problem: str = ""


def read_reply(body: Any, messages: Messages) -> Reply:
    """Return what `body`, the answer to `messages`, says; never raises."""
    try:
        choice = body["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        return Reply(problem=UNREADABLE)
    text = content if isinstance(content, str) else ""
    # An endpoint that reports no usage is estimated: the daily cap must hold there too.
    said = sum(len(each["content"]) for each in messages)
    problem = ""
    if refusal or finish == "content_filter":
        problem = REFUSAL
    elif finish == "length":
        problem = CUT_OFF
    return Reply(
        text=text,
        tokens=() if problem else tokens_of(choice),
        tokens_in=_count(body, "prompt_tokens", said),
        tokens_out=_count(body, "completion_tokens", len(text)),
        problem=problem,
    )


def _count(body: Mapping[str, Any], name: str, chars: int) -> int:
    usage = body.get("usage")
    count = usage.get(name) if isinstance(usage, Mapping) else None
    known = isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 10_000_000
    return int(count) if known and count is not None else chars // CHARS_PER_TOKEN
