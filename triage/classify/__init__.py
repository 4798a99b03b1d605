"""Who answers a ticket: `build_classifier` puts the parts together; nothing heavy is imported before it is called."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from triage.classification import Classification
from triage.classify.base import Classifier
from triage.classify.breaker import Breaker
from triage.classify.cascade import Ask, Cascade
from triage.decision import Decision
from triage.draft import Draft, Wishes
from triage.draft_quotes import no_model_draft
from triage.errors import SettingsError, TandemError
from triage.settings import Settings
from triage.sources import Sources
from triage.ticket import Ticket

if TYPE_CHECKING:
    from triage.classify.bulk import Bulk
    from triage.classify.encoder import Encoder
    from triage.classify.llm import LlmClassifier

log = logging.getLogger(__name__)

Which = Literal["auto", "embedded", "llm", "cascade"]

Draftsman = Callable[[Ticket, Classification, Decision, Sources, Wishes], Draft]

NO_MODEL = (
    "the classifier '{which}' asks a language model: set OPENAI_API_KEY, or OPENAI_BASE_URL for your own endpoint"
)


@cache
def shared_encoder() -> Encoder:
    """Return the process's one encoder: its weights take 150 MB, and its cache serves every classifier."""
    encoder: Encoder = import_module("triage.classify.encoder").UseEncoder()
    return encoder


def language_model(classifier: Classifier) -> LlmClassifier | None:
    """Return the language model that `classifier` asks, None where it asks none."""
    model = classifier.llm if isinstance(classifier, Cascade) else None
    return cast("LlmClassifier | None", model)


def with_learned(base: Classifier, models: Mapping[str, bytes], settings: Settings, desk: str) -> Classifier:
    """Return `base` with the learned models (field -> stored bytes) of `desk` over its embedded classifier.

    A model this version cannot read is left out and logged: the field is then answered as if nothing was learned.
    """
    heads = {}
    for field, stored in models.items():
        try:
            encoder = shared_encoder()
            heads[field] = import_module("triage.classify.head").LearnedHead.from_bytes(
                stored, encoder.model_id, encoder.dim
            )
        except TandemError as error:
            log.error("desk %s, %s: %s", desk, field, error)
    if not heads:
        return base

    def learned(own: Classifier) -> Classifier:
        made: Classifier = import_module("triage.classify.learned").LearnedClassifier(
            own, heads, shared_encoder(), settings.teams, settings.target_precision_of(desk)
        )
        return made

    # A cascade judges what was learned, so that stands below it.
    return base.over(learned, heads) if isinstance(base, Cascade) else learned(base)


def build_llm(
    settings: Settings,
    *,
    openai_base_url: str,
    openai_api_key: str,
    openai_model: str,
    spent_today: Callable[[], float],
    breaker: Breaker | None = None,
) -> LlmClassifier:
    """Return the language model alone. Raises SettingsError where none is set."""
    if not (openai_base_url or openai_api_key):
        raise SettingsError(NO_MODEL.format(which="llm"))
    made: LlmClassifier = import_module("triage.classify.llm").LlmClassifier(
        base_url=openai_base_url, api_key=openai_api_key, model=openai_model, settings=settings.llm,
        teams=settings.teams, priorities=settings.priorities, spent_today=spent_today, breaker=breaker,
    )  # fmt: skip
    return made


def build_drafter(
    settings: Settings,
    *,
    openai_base_url: str,
    openai_api_key: str,
    openai_model: str,
    spent_today: Callable[[], float],
    breaker: Breaker | None = None,
) -> Draftsman:
    """Return who drafts replies: the language model where one is set and may be asked, else quotations."""
    wanted = settings.llm.ask != "never" and settings.llm.draft == "always"
    close = partial(import_module("triage.classify.encoder").closest, shared_encoder())
    if not (wanted and (openai_base_url or openai_api_key)):
        return partial(no_model_draft, close=close)
    drafter = import_module("triage.classify.drafter").Drafter(
        base_url=openai_base_url, api_key=openai_api_key, model=openai_model, settings=settings.llm,
        spent_today=spent_today, close=close, breaker=breaker,
    )  # fmt: skip
    drafting: Draftsman = drafter.draft
    return drafting


def build_bulk(llm: LlmClassifier, tickets: Sequence[Ticket], state: Path, say: Callable[[str], None]) -> Bulk:
    """Return bulk work over `tickets`; `state` is the file by which it goes on after an interruption."""
    made: Bulk = import_module("triage.classify.bulk").Bulk(llm, tickets, state, say)
    return made


def build_classifier(
    settings: Settings,
    *,
    openai_base_url: str,
    openai_api_key: str,
    openai_model: str,
    spent_today: Callable[[], float],
    which: Which = "auto",
    llm: Classifier | None = None,
    breaker: Breaker | None = None,
) -> Classifier:
    """Return the classifier `which` names; `auto` is the cascade where a key or a base URL is set, else embedded.

    `llm` stands in for the language model of the settings, for answers that are known already.

    Raises SettingsError where a model is asked for and none is set. `spent_today` returns US dollars.
    """
    has_model = bool(openai_base_url or openai_api_key)
    if which in ("llm", "cascade") and not has_model:
        raise SettingsError(NO_MODEL.format(which=which))

    # Imported here, not above: the vectors' weights and the SDK cost a second and 200 MB that `doctor`, `migrate` and
    # every other command would pay for nothing.
    def embedded() -> Classifier:
        made: Classifier = import_module("triage.classify.embedded").EmbeddedClassifier(
            settings.teams, settings.priorities, shared_encoder()
        )
        return made

    if which == "embedded" or not has_model:
        return embedded()
    # Asked for by name, the model is asked always, or where the embedded one is unsure; what it cannot answer, the
    # embedded one does, and the answer says so: a long batch never ends because of one ticket.
    asked_for: dict[str, Ask] = {"llm": "always", "cascade": "unsure"}
    ask = asked_for.get(which, settings.llm.ask)
    if ask == "never":
        return Cascade(embedded(), None, ask, settings)
    model = llm or build_llm(
        settings, openai_base_url=openai_base_url, openai_api_key=openai_api_key, openai_model=openai_model,
        spent_today=spent_today, breaker=breaker,
    )  # fmt: skip
    return Cascade(embedded(), model, ask, settings)
