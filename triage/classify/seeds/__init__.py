"""Load the example sentences Tandem ships: our own words, in five languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

LANGUAGES = ("en", "de", "fr", "es", "pt")


@dataclass(frozen=True)
class Seed:
    """One example sentence; `group` keeps sentences together that must not be split in cross-validation."""

    text: str
    label: str
    group: str
    category: str = ""
    priority: str = ""


@cache
def team_seeds() -> tuple[Seed, ...]:
    """Return the examples of the default teams and of "none of the teams", with category and usual priority."""
    return tuple(
        Seed(text, team, language, category, str(body.get("priority", "")))
        for team, categories in _read("teams").items()
        for category, body in categories.items()
        for language, text in _sentences(body)
    )


@cache
def field_seeds(name: str) -> tuple[Seed, ...]:
    """Return the examples in `<name>.yaml` (priority, sentiment, churn, noise, signals): label, then language."""
    return tuple(
        Seed(text, label, language) for label, body in _read(name).items() for language, text in _sentences(body)
    )


def _read(name: str) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = YAML(typ="safe").load(
        files(__name__).joinpath(f"{name}.yaml").read_text("utf-8")
    )
    return loaded


def _sentences(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for language in LANGUAGES:
        for text in body.get(language, ()):
            yield language, str(text)
