"""Who answers a ticket: `build_classifier` puts the parts together; nothing heavy is imported before it is called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Literal

from triage.classify.base import Classifier
from triage.errors import SettingsError
from triage.settings import Settings

Which = Literal["auto", "embedded", "llm", "cascade"]

NO_MODEL = (
    "the classifier '{which}' asks a language model: set OPENAI_API_KEY, or OPENAI_BASE_URL for your own endpoint"
)


def build_classifier(
    settings: Settings,
    *,
    openai_base_url: str,
    openai_api_key: str,
    openai_model: str,
    spent_today: Callable[[], float],
    which: Which = "auto",
) -> Classifier:
    """Return the classifier `which` names; `auto` is the cascade where a key or a base URL is set, else embedded.

    Raises SettingsError where a model is asked for and none is set. `spent_today` returns US dollars.
    """
    has_model = bool(openai_base_url or openai_api_key)
    if which in ("llm", "cascade") and not has_model:
        raise SettingsError(NO_MODEL.format(which=which))

    # Imported here, not above: the vectors' weights and the SDK cost a second and 200 MB that `doctor`, `migrate` and
    # every other command would pay for nothing.
    def embedded() -> Classifier:
        made: Classifier = import_module("triage.classify.embedded").EmbeddedClassifier(
            settings.teams, settings.priorities
        )
        return made

    def llm() -> Classifier:
        made: Classifier = import_module("triage.classify.llm").LlmClassifier(
            base_url=openai_base_url, api_key=openai_api_key, model=openai_model, settings=settings.llm,
            teams=settings.teams, priorities=settings.priorities, spent_today=spent_today,
        )  # fmt: skip
        return made

    if which == "llm":
        return llm()
    if which == "embedded" or not has_model:
        return embedded()
    ask = settings.llm.ask
    model = import_module("triage.classify.cascade").Cascade
    cascade: Classifier = model(embedded(), llm() if ask != "never" else None, ask, settings.thresholds)
    return cascade
