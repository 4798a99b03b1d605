"""Whether the language model answers, and in which form: learnt from one small question of our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from triage.classify import language_model
from triage.classify.endpoint import JSON_OBJECT, PROMPT_ONLY, Plan
from triage.errors import ModelError
from triage.ticket import Author, Message, Ticket
from workers.health import Finding, State

if TYPE_CHECKING:
    from workers.runtime import Runtime

CHECK = "check OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL"
FORMS = {JSON_OBJECT: "answers as a JSON object, without a schema", PROMPT_ONLY: "takes no response_format"}
BY_SCHEMA = "answers by our JSON schema"
SLOPPY = "use an endpoint or a model with structured output: more answers are then of use"


def look(runtime: Runtime) -> Iterator[Finding]:
    """Yield who classifies and who drafts, and which form of answer the endpoint takes."""
    model = language_model(runtime.classifier)
    ticket = Ticket(desk="", id="1", subject="Doctor", messages=(Message("1", Author.CUSTOMER, "I cannot log in"),))
    problem = ""
    try:
        # The model itself: where it is asked about unsure tickets only, a sure one would prove nothing.
        answer = (model or runtime.classifier).classify(ticket)
        yield Finding("classifier", State.OK, answer.model or answer.classifier)
        if model:
            yield form(model.endpoint.plan, odds="logprobs" in answer.probability_sources.values())
    except ModelError as error:
        problem = str(error)
        yield Finding("classifier", State.WARNING, f"embedded answers: {problem}", CHECK)
    yield drafter(runtime, bool(problem))


def form(plan: Plan, *, odds: bool) -> Finding:
    """Return how answers of the endpoint are held to a form; `odds` says whether one came with log-probabilities."""
    said = f"{FORMS.get(plan.form, BY_SCHEMA)}, {'with' if odds else 'without'} log-probabilities"
    state = State.WARNING if plan.form == PROMPT_ONLY else State.OK
    return Finding("model's answers", state, said, SLOPPY if state is State.WARNING else "")


def drafter(runtime: Runtime, is_away: bool) -> Finding:
    """Return who drafts; the drafter's endpoint is the classifier's, so it is not asked a second time."""
    llm, environment = runtime.settings.llm, runtime.environment
    if not environment.has_model:
        return Finding("drafts", State.OK, "quoted from the sources: no language model is set")
    if llm.ask == "never" or llm.draft != "always":
        return Finding("drafts", State.OK, "quoted from the sources, as llm.ask and llm.draft say")
    if is_away:
        return Finding("drafts", State.WARNING, f"{environment.openai_model} does not answer: passages instead", CHECK)
    return Finding("drafts", State.OK, f"by {environment.openai_model}")
