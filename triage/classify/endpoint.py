"""What one OpenAI-compatible endpoint can do, learnt from what it refuses and kept for the process's life."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from triage.classify.prompt import JSON_ONLY

SCHEMA_WITH_LENGTHS, SCHEMA, JSON_OBJECT, PROMPT_ONLY = range(4)
"""How the answer's form is enforced, strongest first. OpenAI's strict mode may refuse string lengths."""
REFUSALS = frozenset({400, 404, 422, 500, 501})
"""llama-cpp-python answers 500 to a JSON schema; others 400, 404 or 422."""
FORMAT_WORDS = ("response_format", "json_schema", "json_object", "structured output", "schema", "grammar")
NO_LOGPROBS = 403
"""OpenAI answers so where a model gives no log-probabilities."""
HOSTED = ("api.openai.com", ".openai.azure.com", ".services.ai.azure.com")
LOCAL_TOKENS = 1000
REASONING_TOKENS = 4000
"""Reasoning models spend output tokens before the first word of the answer."""
ANSWER_NAME = "answer"
ALTERNATIVES = 5
"""Tokens asked for beside each one written: endpoints give at most 5 to 20, and the answer stays below MAX_ANSWER."""


@dataclass(frozen=True)
class Plan:
    """How the endpoint is asked."""

    form: int = SCHEMA_WITH_LENGTHS
    limit_key: str = "max_tokens"
    temperature: bool = True
    logprobs: bool = True


class Endpoint:
    """Turns a plan into request arguments, and a refusal into the next plan."""

    def __init__(self, base_url: str, schemas: Mapping[int, dict[str, Any]], *, logprobs: bool = True) -> None:
        host = urlsplit(base_url).hostname or HOSTED[0]
        hosted = any(host == name or host.endswith(name) for name in HOSTED)
        # The hosted reasoning models know neither max_tokens nor temperature; local servers know both.
        plan = Plan(limit_key="max_completion_tokens", temperature=False) if hosted else Plan()
        self.plan = replace(plan, logprobs=logprobs)
        self._schemas = schemas

    def request(self, plan: Plan, model: str, messages: list[dict[str, str]]) -> dict[str, Any]:
        """Return the whole request: `messages` (the first one is the system's) asked as `plan` says."""
        if plan.form not in self._schemas:
            told = messages[0]["content"] + JSON_ONLY.format(schema=json.dumps(self._schemas[SCHEMA]))
            messages = [messages[0] | {"content": told}, *messages[1:]]
        return {"model": model, "messages": messages, **self._arguments(plan)}

    def _arguments(self, plan: Plan) -> dict[str, Any]:
        limit = LOCAL_TOKENS if plan.limit_key == "max_tokens" else REASONING_TOKENS
        arguments: dict[str, Any] = {plan.limit_key: limit}
        if plan.temperature:
            arguments["temperature"] = 0
        if plan.logprobs:
            arguments |= {"logprobs": True, "top_logprobs": ALTERNATIVES}
        if plan.form in self._schemas:
            schema = {"name": ANSWER_NAME, "schema": self._schemas[plan.form], "strict": True}
            arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif plan.form == JSON_OBJECT:
            arguments["response_format"] = {"type": "json_object"}
        return arguments

    def learn(self, plan: Plan, status: int, message: str) -> bool:
        """Take over a better plan after `plan` was refused; False where the refusal is about something else."""
        text = message.casefold()
        about_logprobs = plan.logprobs and "logprobs" in text
        if status not in REFUSALS and not (status == NO_LOGPROBS and about_logprobs):
            return False
        if self.plan != plan:  # another thread has learnt it meanwhile
            return True
        if about_logprobs:
            self.plan = replace(plan, logprobs=False)
        elif "max_tokens" in text and plan.limit_key == "max_tokens":
            self.plan = replace(plan, limit_key="max_completion_tokens")
        elif "temperature" in text and plan.temperature:
            self.plan = replace(plan, temperature=False)
        elif "max_completion_tokens" in text and plan.limit_key != "max_tokens":
            self.plan = replace(plan, limit_key="max_tokens")
        elif plan.form != PROMPT_ONLY and any(word in text for word in FORMAT_WORDS):
            self.plan = replace(plan, form=plan.form + 1)
        else:
            return False
        return True
