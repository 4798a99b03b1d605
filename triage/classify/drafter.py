"""The second call to the language model: a reply drafted from what the desk knows, checked before anybody sees it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from triage.classification import Classification
from triage.classify.answer import WRONG_SHAPE, loaded
from triage.classify.api import Api
from triage.classify.asking import Asker, InvalidAnswer
from triage.classify.base import PaidModelError
from triage.classify.breaker import Breaker
from triage.classify.draft_prompt import (
    ARTICLE,
    COLLEAGUE,
    KINDS,
    MAX_OPTIONS,
    MAX_QUESTIONS,
    MAX_SENTENCES,
    MAX_TEXT,
    PLACEHOLDER,
    SYSTEM,
    schemas,
    user_prompt,
)  # fmt: skip
from triage.classify.prompt import conversation, unfenced
from triage.classify.reply import Messages
from triage.clean import CleanTicket, clean_ticket
from triage.decision import Decision
from triage.draft import MAX_FACT, MAX_FACTS, MAX_HINT, Draft, Wishes, wanted_language, worth_asking
from triage.draft_check import Answered, Facts, Given, Proposal, check
from triage.draft_quotes import no_model_draft
from triage.draft_support import Close
from triage.errors import ModelError
from triage.redact import Masks
from triage.redact_spans import EMAIL, NAME, PHONE
from triage.settings import Llm
from triage.sources import TICKET, Source, Sources
from triage.ticket import Author, Ticket

RESTORED = frozenset({NAME, EMAIL, PHONE})
"""Names are harmless; addresses and numbers of a source are looked for there by the check."""
FAILED = "the language model did not answer ({reason})"
_PLACEHOLDER = re.compile(r"\[[A-Z]{2,10}_\d{1,6}\]")

logger = logging.getLogger(__name__)


def _text(value: Any) -> str:
    return value[: 4 * MAX_TEXT] if isinstance(value, str) else ""


def _numbers(value: Any) -> list[int]:
    whole = value if isinstance(value, list) else []
    return [one for one in whole[:8] if isinstance(one, int) and not isinstance(one, bool) and 0 < one < 100]


def _some(most: int) -> Callable[[Any], list[Any]]:
    return lambda value: value[:most] if isinstance(value, list) else []


Text = Annotated[str, BeforeValidator(_text)]


class _Sentence(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: Text = ""
    sources: Annotated[list[int], BeforeValidator(_numbers)] = []


class _Question(BaseModel):
    model_config = ConfigDict(extra="ignore")

    question: Text = ""
    answer: Annotated[list[_Sentence], BeforeValidator(_some(2 * MAX_SENTENCES))] = []


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    greeting: Text = ""
    questions: Annotated[list[_Question], BeforeValidator(_some(2 * MAX_QUESTIONS))]
    closing: Text = ""
    ask_colleague: Text = ""
    options: Annotated[list[Text], BeforeValidator(_some(MAX_OPTIONS))] = []


class Drafter:
    """Drafts replies with a language model; what it cannot draft is quoted from the sources."""

    def __init__(
        self, *, base_url: str, api_key: str, model: str, settings: Llm, spent_today: Callable[[], float],
        close: Close, breaker: Breaker | None = None,
    ) -> None:  # fmt: skip
        self._asker = Asker(
            Api(base_url, api_key), model, settings, spent_today,
            purpose="draft", schemas=schemas(), logprobs=False, breaker=breaker,
        )  # fmt: skip
        self._model, self._settings, self._close = model, settings, close

    def draft(
        self, ticket: Ticket, answer: Classification, decision: Decision, sources: Sources, wishes: Wishes
    ) -> Draft:
        """Return the draft; why there is none stands in it. Raises nothing that a model or an endpoint does."""
        plain = no_model_draft(ticket, answer, decision, sources, wishes, self._close)
        clean = clean_ticket(ticket)
        if clean.automatic or not worth_asking(answer, decision, sources):
            return plain
        try:
            return self._drafted(ticket, clean, answer, sources, wishes, plain)
        except ModelError as error:
            logger.warning("ticket %s: no draft: %s", ticket.id, error)
            paid = _paid(error, self._model)
            return plain.model_copy(update={"withheld": [FAILED.format(reason=error)], "asked": True, **paid})

    def _drafted(
        self, ticket: Ticket, clean: CleanTicket, answer: Classification, sources: Sources, wishes: Wishes, plain: Draft
    ) -> Draft:
        self._asker.check_cap()
        facts = [one[:MAX_FACT] for one in wishes.facts[:MAX_FACTS]]
        masks = Masks([ticket.requester.name])
        language = wanted_language(answer.language, wishes.hint)
        messages = _messages(clean, masks, sources, facts, wishes.hint[:MAX_HINT], language)
        proposal, bill = self._asker.ask(messages, lambda reply: read(reply.text, masks))
        verdict = check(proposal, _facts_of(clean, sources, facts, language, self._close))
        return Draft(
            text=verdict.text, withheld=verdict.withheld, removed=verdict.removed, open=verdict.open,
            quotes=[] if verdict.text else plain.quotes, facts=facts if verdict.text else [],
            # One question is enough: who has answered it is not asked the next one.
            question="" if facts else verdict.question, options=[] if facts else verdict.options,
            language=language, asked=True, **bill.used(self._model, self._settings),
        )  # fmt: skip


def _messages(
    clean: CleanTicket, masks: Masks, sources: Sources, facts: Sequence[str], hint: str, language: str
) -> Messages:
    told = conversation(clean, masks, private=False)
    shown = [(number, _what(one), _masked(one, masks)) for number, one in sources.numbered()]
    shown += [(len(shown) + place, COLLEAGUE, masks.mask(fact)) for place, fact in enumerate(facts, 1)]
    asked = user_prompt(shown, told, masks.mask(hint), language)
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}]


def _what(source: Source) -> str:
    return KINDS.get(source.kind, ARTICLE)


def _masked(source: Source, masks: Masks) -> str:
    """Return what the model is shown of a source. Of another customer's ticket nothing can come back."""
    text = f"{source.title}\n{source.passage}"
    if source.kind != TICKET:
        return unfenced(masks.mask(text))
    return unfenced(_PLACEHOLDER.sub(PLACEHOLDER, Masks().mask(text)))


def _facts_of(clean: CleanTicket, sources: Sources, facts: Sequence[str], language: str, close: Close) -> Facts:
    given = {number: Given(one.passage, one.url, stated=one.kind != TICKET) for number, one in sources.numbered()}
    given |= {len(given) + place: Given(fact) for place, fact in enumerate(facts, 1)}
    public = [one for one in clean.messages if one.public]
    newest: list[str] = []
    for message in reversed(public):
        if message.author is Author.AGENT:
            break
        newest.insert(0, message.text)
    told = "\n".join([clean.subject, *(one.text for one in public)])
    return Facts(given, told, "\n".join(newest), language, SYSTEM, close)


def read(content: str, masks: Masks) -> Proposal:
    """Return what the model wrote, with names back in it. Raises InvalidAnswer where it is no such object."""
    try:
        answer = _Answer.model_validate(loaded(content))
    except ValidationError as error:
        fields = sorted({str(problem["loc"][0]) for problem in error.errors() if problem["loc"]})
        raise InvalidAnswer(WRONG_SHAPE.format(fields=", ".join(fields) or "the object")) from None

    def back(text: str) -> str:
        return masks.restore(text, RESTORED)

    return Proposal(
        greeting=back(answer.greeting),
        answers=tuple(
            Answered(back(one.question), tuple((back(each.text), tuple(each.sources)) for each in one.answer))
            for one in answer.questions
        ),
        closing=back(answer.closing),
        question=back(answer.ask_colleague),
        options=tuple(map(back, answer.options)),
    )


def _paid(error: ModelError, model: str) -> dict[str, Any]:
    if not isinstance(error, PaidModelError):
        return {}
    return {
        "model": model, "tokens_in": error.tokens_in, "tokens_out": error.tokens_out, "cost_usd": error.cost_usd,
    }  # fmt: skip
