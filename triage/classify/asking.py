"""Ask a language model for one JSON object: patience, lessons about the endpoint, one repair; whoever asks.

The endpoint is trusted as little as the ticket: its answer is bounded here, and checked by the one who asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from triage.classify.api import STATUS, Api, Refusal, Unreachable
from triage.classify.base import PaidModelError
from triage.classify.breaker import Breaker
from triage.classify.endpoint import Endpoint
from triage.classify.reply import UNREADABLE, Messages, Reply, read_reply
from triage.errors import ModelError
from triage.exchange import Call, Outcome, recorder
from triage.settings import Llm

T = TypeVar("T")

ATTEMPTS = 2
MAX_WAIT = 5.0
"""Seconds of patience with one rate limit; a longer one is the embedded classifier's turn."""
FIRST_WAIT = 0.5
ABOUT_THE_TICKET = frozenset({400, 413, 422})
"""Too long, or refused by a filter: the next ticket may be answered."""
MAX_LESSONS = 7
"""Refused parameters one call may learn from before it gives up."""
REPAIR_CHARS = 4000

INTERRUPTED = "the call was broken off"
CAP = "daily cap of {cap:.2f} USD is reached"
QUOTA = "the model account has no credit left"
EMPTY = "the answer is empty"
INVALID = "the model's answer cannot be used: {problem}"
REPAIR = "That answer cannot be used: {problem}. Answer again with one JSON object as described, and nothing else."


class InvalidAnswer(ModelError):
    """The answer breaks the rules; the message says how, in words that hold nothing the model wrote."""


class _Passing(ModelError):
    """Worth another try in this call."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class _Learnt(ModelError):
    """The endpoint refused a parameter; ask again without it."""


@dataclass
class Bill:
    """What one question has used so far."""

    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, reply: Reply) -> None:
        """Count one answer."""
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out

    def cost(self, prices: Llm, share: float = 1.0) -> float:
        """Return US dollars; `share` is the part of the price that is asked (bulk work costs less)."""
        asked = self.tokens_in * prices.usd_per_million_input + self.tokens_out * prices.usd_per_million_output
        return share * asked / 1e6

    def used(self, model: str, prices: Llm, share: float = 1.0) -> dict[str, Any]:
        """Return model, tokens and cost as classifications and drafts hold them."""
        cost = self.cost(prices, share)
        return {"model": model, "tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "cost_usd": cost}


class Asker:
    """Asks one model one kind of question; `purpose` says which, `schemas` what its answers look like.

    `breaker` says when the endpoint is not worth asking; who works through a file asks about every ticket all the same.
    """

    def __init__(
        self, api: Api, model: str, settings: Llm, spent_today: Callable[[], float], *, purpose: str,
        schemas: Mapping[int, dict[str, Any]], logprobs: bool, breaker: Breaker | None = None,
    ) -> None:  # fmt: skip
        self.api, self.model, self.settings = api, model, settings
        self.endpoint = Endpoint(api.base_url, schemas, logprobs=logprobs)
        self._spent_today = spent_today
        self._purpose = purpose
        self._breaker = breaker
        self._host = urlsplit(api.base_url).netloc.rpartition("@")[2]

    def check_cap(self) -> None:
        """Raise ModelError where today's money is spent."""
        cap = self.settings.daily_cap_usd
        if cap is not None and self._spent_today() >= cap:
            raise ModelError(CAP.format(cap=cap))

    def ask(self, messages: Messages, read: Callable[[Reply], T]) -> tuple[T, Bill]:
        """Return what `read` makes of the answer, and what it took, at most `timeout_seconds` later.

        `read` raises InvalidAnswer for what cannot be used; the model is then asked once more. Raises ModelError, and
        PaidModelError where it has to be paid all the same.
        """
        if self._breaker:
            self._breaker.check()
        bill = Bill()
        try:
            return self._answer(messages, read, bill), bill
        except ModelError as error:
            if not (bill.tokens_in or bill.tokens_out):
                raise
            cost = bill.cost(self.settings)
            raise PaidModelError(str(error), bill.tokens_in, bill.tokens_out, cost) from None

    def _answer(self, messages: Messages, read: Callable[[Reply], T], bill: Bill) -> T:
        deadline = time.monotonic() + self.settings.timeout_seconds
        reply = self._complete(messages, deadline, bill, self._purpose)
        try:
            return read(reply)
        except InvalidAnswer as problem:
            told = REPAIR.format(problem=problem if reply.text else EMPTY)
        messages = [
            *messages,
            {"role": "assistant", "content": reply.text[:REPAIR_CHARS]},
            {"role": "user", "content": told},
        ]
        try:
            return read(self._complete(messages, deadline, bill, f"{self._purpose} repair"))
        except InvalidAnswer as problem:
            raise ModelError(INVALID.format(problem=problem)) from None

    def _complete(self, messages: Messages, deadline: float, bill: Bill, purpose: str) -> Reply:
        """Return the model's answer to `messages`, learning on the way what the endpoint can do."""
        for _ in range(MAX_LESSONS):
            try:
                reply = self._patiently(messages, deadline, purpose)
            except _Learnt:
                continue
            bill.add(reply)
            if reply.problem:
                raise ModelError(reply.problem)
            return reply
        raise ModelError(STATUS.format(status=400))

    def _patiently(self, messages: Messages, deadline: float, purpose: str) -> Reply:
        def too_late(state: RetryCallState) -> bool:
            return time.monotonic() + state.upcoming_sleep >= deadline

        retrying = Retrying(
            retry=retry_if_exception_type(_Passing),
            wait=_pause,
            stop=lambda state: stop_after_attempt(ATTEMPTS)(state) or too_late(state),
            reraise=True,
        )
        return retrying(self._send, messages, deadline, purpose)

    def _send(self, messages: Messages, deadline: float, purpose: str) -> Reply:
        plan = self.endpoint.plan
        arguments = self.endpoint.request(plan, self.model, messages)
        try:
            reply = self._recorded(arguments, max(deadline - time.monotonic(), 0.1), purpose)
        except Refusal as refusal:
            if self.endpoint.learn(plan, refusal.status, refusal.message):
                raise _Learnt from None
            if refusal.status not in ABOUT_THE_TICKET:
                self._failed(str(refusal), _seconds(refusal.retry_after))
            elif self._breaker:
                self._breaker.succeeded()
            _refused(refusal)
        except ModelError as error:
            self._failed(str(error))
            if isinstance(error, Unreachable):
                raise _Passing(str(error)) from None
            raise
        if reply.problem == UNREADABLE:
            self._failed(UNREADABLE)
        elif self._breaker:
            self._breaker.succeeded()
        return reply

    def _failed(self, reason: str, after: float | None = None) -> None:
        if self._breaker:
            self._breaker.failed(reason, after)

    def _recorded(self, arguments: dict[str, Any], seconds: float, purpose: str) -> Reply:
        """Return the answer to one call, which is written down before it leaves and after it came back."""
        messages, notes = arguments["messages"], recorder()
        number = notes.sent(Call(purpose, self._host, self.model, messages)) if notes else 0
        start = time.perf_counter()
        outcome = Outcome(problem=INTERRUPTED)
        try:
            reply = read_reply(self.api.chat(arguments, seconds), messages)
            cost = Bill(reply.tokens_in, reply.tokens_out).cost(self.settings)
            outcome = Outcome(reply.text, reply.problem, 0.0, reply.tokens_in, reply.tokens_out, cost)
            return reply
        except ModelError as error:
            outcome = Outcome(problem=str(error))
            raise
        finally:
            if notes:
                notes.came(number, replace(outcome, seconds=time.perf_counter() - start))


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next try: what the endpoint asked for, else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Passing) and error.after is not None:
        return error.after
    return float(FIRST_WAIT * 2 ** (state.attempt_number - 1))


def _refused(refusal: Refusal) -> NoReturn:
    """Raise what an error status means."""
    if refusal.status == 429 and refusal.code == "insufficient_quota":
        raise ModelError(QUOTA) from None
    if refusal.status in (408, 409, 429) or refusal.status >= 500:
        after = _seconds(refusal.retry_after)
        if after is None or after <= MAX_WAIT:
            raise _Passing(str(refusal), after) from None
    raise ModelError(str(refusal)) from None


def _seconds(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e6 else None
