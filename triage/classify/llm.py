"""The language model behind any OpenAI-compatible endpoint; the only file that imports `openai`.

One call per ticket. The endpoint is trusted as little as the ticket: its answer is bounded, checked and cleaned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import openai
from openai.types.chat import ChatCompletion
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from triage.classification import Classification
from triage.classify.answer import InvalidAnswer, Verdict, parse_answer
from triage.classify.base import PaidModelError
from triage.classify.context import Context, context_of
from triage.classify.endpoint import SCHEMA, SCHEMA_WITH_LENGTHS, Endpoint
from triage.classify.escalation import escalated
from triage.classify.prompt import JSON_ONLY, REPAIR, answer_schema, labels_of, system_prompt, ticket_prompt
from triage.classify.wire import TooLarge, bounded_client
from triage.clean import CleanTicket, clean_ticket
from triage.errors import ModelError
from triage.settings import Llm, Priority, Team
from triage.ticket import Ticket

ATTEMPTS = 3
MAX_WAIT = 5.0
"""Seconds of patience with one rate limit; a longer one is the embedded classifier's turn."""
FIRST_WAIT = 0.5
MAX_LESSONS = 6
"""Refused parameters one call may learn from before it gives up."""
REPAIR_CHARS = 4000
CHARS_PER_TOKEN = 4

OPENAI_URL = "https://api.openai.com/v1"
NO_KEY = "none"  # the SDK wants a word; local endpoints ask for no key
CAP = "daily cap of {cap:.2f} USD is reached"
TIMEOUT = "the model did not answer in time"
UNREACHABLE = "the model endpoint cannot be reached"
TOO_LARGE = "the model endpoint sent an answer of impossible size"
UNREADABLE = "the model endpoint sent something that is no chat completion"
STATUS = "the model endpoint answered HTTP {status}"
QUOTA = "the model account has no credit left"
REFUSAL = "the model refused to answer"
CUT_OFF = "the model's answer was cut off"
EMPTY = "the answer is empty"
INVALID = "the model's answer cannot be used: {problem}"

Messages = list[dict[str, str]]


class _Passing(ModelError):
    """Worth another try in this call."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class _Learnt(ModelError):
    """The endpoint refused a parameter; ask again without it."""


@dataclass
class _Bill:
    """What one classification has used so far."""

    tokens_in: int = 0
    tokens_out: int = 0


class LlmClassifier:
    """Implements `Classifier`; raises ModelError where the model gave nothing usable."""

    name = "llm"

    def __init__(
        self, *, base_url: str, api_key: str, model: str, settings: Llm, teams: Mapping[str, Team],
        priorities: Mapping[str, Priority], spent_today: Callable[[], float],
    ) -> None:  # fmt: skip
        base_url = base_url or OPENAI_URL
        self._model, self._settings, self._teams = model, settings, dict(teams)
        self._labels = labels_of(teams, priorities)
        self._system = system_prompt(teams, priorities)
        self._spent_today = spent_today
        schemas = {
            SCHEMA_WITH_LENGTHS: answer_schema(teams, priorities, with_lengths=True),
            SCHEMA: answer_schema(teams, priorities, with_lengths=False),
        }
        self._endpoint = Endpoint(base_url, schemas)
        self._client = openai.OpenAI(
            base_url=base_url, api_key=api_key or NO_KEY, max_retries=0, http_client=bounded_client(base_url)
        )

    def classify(self, ticket: Ticket) -> Classification:
        """Return the model's classification of `ticket`, at most `timeout_seconds` later."""
        cap = self._settings.daily_cap_usd
        if cap is not None and self._spent_today() >= cap:
            raise ModelError(CAP.format(cap=cap))
        clean = clean_ticket(ticket)
        context, bill = context_of(ticket, clean), _Bill()
        try:
            verdict = self._verdict(clean, context, bill)
        except ModelError as error:
            if not (bill.tokens_in or bill.tokens_out):
                raise
            raise PaidModelError(str(error), bill.tokens_in, bill.tokens_out, self._cost(bill)) from None
        return self._classification(verdict, clean, context, bill)

    def _verdict(self, clean: CleanTicket, context: Context, bill: _Bill) -> Verdict:
        deadline = time.monotonic() + self._settings.timeout_seconds
        messages = [
            {"role": "system", "content": self._system},
            {"role": "user", "content": ticket_prompt(clean, context)},
        ]
        told = f"{clean.subject}\n{clean.text}"
        content = self._complete(messages, deadline, bill)
        try:
            return parse_answer(content, self._labels, told)
        except InvalidAnswer as problem:
            messages += [
                {"role": "assistant", "content": content[:REPAIR_CHARS]},
                {"role": "user", "content": REPAIR.format(problem=problem if content else EMPTY)},
            ]
        try:
            return parse_answer(self._complete(messages, deadline, bill), self._labels, told)
        except InvalidAnswer as problem:
            raise ModelError(INVALID.format(problem=problem)) from None

    def _complete(self, messages: Messages, deadline: float, bill: _Bill) -> str:
        """Return the text of the model's answer to `messages`, learning on the way what the endpoint can do."""
        for _ in range(MAX_LESSONS):
            try:
                completion = self._sent(messages, deadline)
            except _Learnt:
                continue
            return _read(completion, messages, bill)
        raise ModelError(STATUS.format(status=400))

    def _sent(self, messages: Messages, deadline: float) -> ChatCompletion:
        def too_late(state: RetryCallState) -> bool:
            return time.monotonic() + state.upcoming_sleep >= deadline

        retrying = Retrying(
            retry=retry_if_exception_type(_Passing),
            wait=_pause,
            stop=lambda state: stop_after_attempt(ATTEMPTS)(state) or too_late(state),
            reraise=True,
        )
        return retrying(self._send, messages, deadline)

    def _send(self, messages: Messages, deadline: float) -> ChatCompletion:
        plan = self._endpoint.plan
        if schema := self._endpoint.schema_text(plan):
            system = messages[0] | {"content": messages[0]["content"] + JSON_ONLY.format(schema=schema)}
            messages = [system, *messages[1:]]
        # The SDK's overloads want literal arguments; these depend on the endpoint.
        create: Callable[..., Any] = self._client.chat.completions.create
        try:
            completion = create(
                model=self._model,
                messages=messages,
                timeout=max(deadline - time.monotonic(), 0.1),
                **self._endpoint.arguments(plan),
            )
        except openai.APITimeoutError:
            raise ModelError(TIMEOUT) from None
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, TooLarge):
                raise ModelError(TOO_LARGE) from None
            raise _Passing(UNREACHABLE) from None
        except openai.APIStatusError as error:
            if self._endpoint.learn(plan, error.status_code, str(error.message)):
                raise _Learnt from None
            _refused(error)
        except (openai.OpenAIError, TooLarge, ValueError, RecursionError):
            raise ModelError(UNREADABLE) from None
        if not isinstance(completion, ChatCompletion):
            raise ModelError(UNREADABLE)
        return completion

    def _classification(self, verdict: Verdict, clean: CleanTicket, context: Context, bill: _Bill) -> Classification:
        known = {} if clean.language == "und" else {"language": clean.language}
        used = {"tokens_in": bill.tokens_in, "tokens_out": bill.tokens_out, "cost_usd": self._cost(bill)}
        answer = Classification.model_validate(
            verdict.fields
            | known
            | used
            | {"probabilities": verdict.probabilities, "classifier": self.name, "model": self._model}
        )
        return escalated(answer, self._teams, context)

    def _cost(self, bill: _Bill) -> float:
        prices = self._settings.usd_per_million_input, self._settings.usd_per_million_output
        return (bill.tokens_in * prices[0] + bill.tokens_out * prices[1]) / 1e6


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next try: what the endpoint asked for, else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Passing) and error.after is not None:
        return error.after
    return float(FIRST_WAIT * 2 ** (state.attempt_number - 1))


def _refused(error: openai.APIStatusError) -> NoReturn:
    """Raise what an error status means. Messages name the status alone: bodies repeat the ticket or the key."""
    status = error.status_code
    reason = STATUS.format(status=status)
    if status == 429 and getattr(error, "code", None) == "insufficient_quota":
        raise ModelError(QUOTA) from None
    if status in (408, 409, 429) or status >= 500:
        after = _seconds(error.response.headers.get("retry-after", ""))
        if after is None or after <= MAX_WAIT:
            raise _Passing(reason, after) from None
    raise ModelError(reason) from None


def _seconds(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e6 else None


def _read(completion: ChatCompletion, messages: Messages, bill: _Bill) -> str:
    """Return the answer's text and add its tokens to `bill`; the SDK checks nothing of what it parsed."""
    try:
        choice = completion.choices[0]
        content, refusal, finish = choice.message.content, choice.message.refusal, choice.finish_reason
    except (AttributeError, IndexError, TypeError):
        raise ModelError(UNREADABLE) from None
    text = content if isinstance(content, str) else ""
    # An endpoint that reports no usage is estimated: the daily cap must hold there too.
    said = sum(len(message["content"]) for message in messages)
    bill.tokens_in += _count(completion, "prompt_tokens", said)
    bill.tokens_out += _count(completion, "completion_tokens", len(text))
    if refusal or finish == "content_filter":
        raise ModelError(REFUSAL)
    if finish == "length":
        raise ModelError(CUT_OFF)
    return text


def _count(completion: ChatCompletion, name: str, chars: int) -> int:
    count = getattr(completion.usage, name, None)
    return count if isinstance(count, int) and 0 <= count < 10_000_000 else chars // CHARS_PER_TOKEN
