"""The language model behind any OpenAI-compatible endpoint: one call per ticket.

The endpoint is trusted as little as the ticket: its answer is bounded, checked and cleaned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from triage.classification import Classification
from triage.classify.answer import InvalidAnswer, Verdict
from triage.classify.api import STATUS, Api, Refusal, Unreachable
from triage.classify.base import PaidModelError
from triage.classify.endpoint import Endpoint
from triage.classify.prompt import REPAIR
from triage.classify.question import LLM, Bill, Question, Questionnaire
from triage.classify.reply import Messages, Reply, read_reply
from triage.errors import ModelError
from triage.settings import Llm, Priority, Team
from triage.ticket import Ticket

ATTEMPTS = 3
MAX_WAIT = 5.0
"""Seconds of patience with one rate limit; a longer one is the embedded classifier's turn."""
FIRST_WAIT = 0.5
MAX_LESSONS = 7
"""Refused parameters one call may learn from before it gives up."""
REPAIR_CHARS = 4000

CAP = "daily cap of {cap:.2f} USD is reached"
QUOTA = "the model account has no credit left"
EMPTY = "the answer is empty"
INVALID = "the model's answer cannot be used: {problem}"


class _Passing(ModelError):
    """Worth another try in this call."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class _Learnt(ModelError):
    """The endpoint refused a parameter; ask again without it."""


class LlmClassifier:
    """Implements `Classifier`; raises ModelError where the model gave nothing usable."""

    name = LLM

    def __init__(
        self, *, base_url: str, api_key: str, model: str, settings: Llm, teams: Mapping[str, Team],
        priorities: Mapping[str, Priority], spent_today: Callable[[], float],
    ) -> None:  # fmt: skip
        self.model, self.settings = model, settings
        self._spent_today = spent_today
        self.questionnaire = Questionnaire(teams, priorities)
        self.api = Api(base_url, api_key)
        self.endpoint = Endpoint(self.api.base_url, self.questionnaire.schemas)

    def classify(self, ticket: Ticket) -> Classification:
        """Return the model's classification of `ticket`, at most `timeout_seconds` later."""
        cap = self.settings.daily_cap_usd
        if cap is not None and self._spent_today() >= cap:
            raise ModelError(CAP.format(cap=cap))
        question, bill = self.questionnaire.question(ticket), Bill()
        try:
            verdict = self._verdict(question, bill)
        except ModelError as error:
            if not (bill.tokens_in or bill.tokens_out):
                raise
            cost = bill.cost(self.settings)
            raise PaidModelError(str(error), bill.tokens_in, bill.tokens_out, cost) from None
        return self.questionnaire.classification(question, verdict, self.used(bill))

    def used(self, bill: Bill, share: float = 1.0) -> dict[str, Any]:
        """Return model, tokens and cost as a classification holds them."""
        cost = bill.cost(self.settings, share)
        return {
            "model": self.model, "tokens_in": bill.tokens_in, "tokens_out": bill.tokens_out, "cost_usd": cost,
        }  # fmt: skip

    def _verdict(self, question: Question, bill: Bill) -> Verdict:
        deadline = time.monotonic() + self.settings.timeout_seconds
        reply = self._complete(question.messages, deadline, bill)
        try:
            return self.questionnaire.verdict(question, reply)
        except InvalidAnswer as problem:
            messages = [
                *question.messages,
                {"role": "assistant", "content": reply.text[:REPAIR_CHARS]},
                {"role": "user", "content": REPAIR.format(problem=problem if reply.text else EMPTY)},
            ]
        try:
            return self.questionnaire.verdict(question, self._complete(messages, deadline, bill))
        except InvalidAnswer as problem:
            raise ModelError(INVALID.format(problem=problem)) from None

    def _complete(self, messages: Messages, deadline: float, bill: Bill) -> Reply:
        """Return the model's answer to `messages`, learning on the way what the endpoint can do."""
        for _ in range(MAX_LESSONS):
            try:
                reply = self._sent(messages, deadline)
            except _Learnt:
                continue
            bill.add(reply)
            if reply.problem:
                raise ModelError(reply.problem)
            return reply
        raise ModelError(STATUS.format(status=400))

    def _sent(self, messages: Messages, deadline: float) -> Reply:
        def too_late(state: RetryCallState) -> bool:
            return time.monotonic() + state.upcoming_sleep >= deadline

        retrying = Retrying(
            retry=retry_if_exception_type(_Passing),
            wait=_pause,
            stop=lambda state: stop_after_attempt(ATTEMPTS)(state) or too_late(state),
            reraise=True,
        )
        return retrying(self._send, messages, deadline)

    def _send(self, messages: Messages, deadline: float) -> Reply:
        plan = self.endpoint.plan
        arguments = self.endpoint.request(plan, self.model, messages)
        try:
            body = self.api.chat(arguments, max(deadline - time.monotonic(), 0.1))
        except Unreachable as error:
            raise _Passing(str(error)) from None
        except Refusal as refusal:
            if self.endpoint.learn(plan, refusal.status, refusal.message):
                raise _Learnt from None
            _refused(refusal)
        return read_reply(body, arguments["messages"])


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
