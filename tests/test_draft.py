"""What stands in the note where a reply is drafted, quoted, withheld or missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import answer
from tests.test_drafter import FOUND, ticket
from triage.classification import Classification
from triage.decision import Decision, decide
from triage.draft import NONE, QUOTED, READY, WITHHELD, Draft, Quote, Wishes
from triage.draft_parts import DRAFT_TITLE, NO_DRAFT, NOT_SURE, OPEN, SOURCES_ALONE, SOURCES_ONLY, draft_parts
from triage.draft_parts import READY as READY_LINE
from triage.draft_quotes import MOST_WORDS, no_model_draft, passage_for
from triage.note_parts import render_text
from triage.settings import Settings
from triage.sources import ARTICLE, TICKET, Source, Sources

ARTICLE_TEXT = """Home > Billing > Seats
Menu
You can add seats at any time.
# Add seats
Open Settings, Plan, Seats and choose how many you want. New seats can be used at once. Yearly plans are billed once.
Was this helpful?"""
REPLY = """Hi [NAME_1],
Thanks for writing to us.
You find the seats under Settings, Plan, Seats, where owners may change them.
Best regards,
[NAME_2]"""


def source(text: str, kind: str = ARTICLE, **more: Any) -> Source:
    return replace(Source(kind, "5", "Seats", "", "en", 0.7, True, text), **more)


def quoted(sources: Sources, **given: Any) -> Draft:
    said = answer(**given)
    return no_model_draft(ticket("How do I add seats?"), said, decision_of(said), sources, Wishes())


def decision_of(said: Classification) -> Decision:
    settings = Settings.model_validate({"desks": {}})
    from tests.test_drafter import _desk

    return decide(ticket(), said, settings, _desk())


class TestQuotes:
    def test_best_article_and_closest_ticket_with_their_numbers(self) -> None:
        made = quoted(Sources((source(ARTICLE_TEXT),), (source(REPLY, TICKET),)))
        assert [(one.kind, one.number) for one in made.quotes] == [(ARTICLE, 2), (TICKET, 1)]
        assert made.quotes[1].text == "You find the seats under Settings, Plan, Seats, where owners may change them."
        assert made.state == QUOTED

    def test_what_answers_and_no_navigation(self) -> None:
        text = passage_for("How do I add seats?", source(ARTICLE_TEXT))
        assert text.startswith("You can add seats at any time. Open Settings, Plan, Seats")
        for other in ("Home", "Menu", "# Add", "helpful"):
            assert other not in text

    def test_is_short(self) -> None:
        text = passage_for("seats", source("Owners can add seats to the plan whenever they like to do so. " * 40))
        assert len(text.split()) <= MOST_WORDS
        endless = passage_for("seats", source("seats and " * 500 + "."))
        assert len(endless.split()) <= 2 * MOST_WORDS + 1

    def test_the_closest_sentence_counts_where_meaning_is_known(self) -> None:
        def close(texts: Any, _: Any) -> list[float]:
            return [5.0 if "Yearly" in one else 0.0 for one in texts]

        assert passage_for("x", source(ARTICLE_TEXT), close) == "Yearly plans are billed once."

    @pytest.mark.parametrize("text", ["", "Menu\nHome\nNext >", "Hi there,\nThanks!"])
    def test_nothing_but_fragments_is_not_quoted(self, text: str) -> None:
        made = quoted(Sources((), (source(text, TICKET),)))
        assert (made.quotes, made.state) == ([], NONE)

    @pytest.mark.parametrize(
        "given",
        [{"team": "none"}, {"probabilities": {"primary_team": {"billing": 0.4, "security": 0.35, "onboarding": 0.25}}}],
    )
    def test_nothing_where_nobody_is_known_to_answer(self, given: dict[str, Any]) -> None:
        assert quoted(FOUND, **given).quotes == []


class TestParts:
    def text(self, draft: Draft, sources: Sources = FOUND, **given: Any) -> str:
        said = answer(**given)
        return render_text(draft_parts(draft, said, decision_of(said), sources))

    def test_ready_to_edit(self) -> None:
        draft = Draft(
            text="Open Settings [2].\nIt is fine [3].", open=["Rome?"], removed=["it promised"], facts=["Fine: yes"]
        )
        assert self.text(draft).splitlines() == [
            f"{READY_LINE} {DRAFT_TITLE}", "  | Open Settings [2].", "  | It is fine [3].",
            "[3] a colleague's answer: Fine: yes", OPEN, "  - “Rome?”", "Sentences were taken out of it: it promised.",
        ]  # fmt: skip
        assert draft.state == READY

    def test_sources_only(self) -> None:
        quotes = [Quote(kind=ARTICLE, number=2, title="Seats", text="Open Settings."),
                  Quote(kind=TICKET, number=1, title="Seats", text="You find it there.")]  # fmt: skip
        text = self.text(Draft(quotes=quotes))
        assert READY_LINE not in text
        assert SOURCES_ONLY.rstrip(".") in text
        assert "- [2] says: “Open Settings.”" in text
        assert "- [1] was answered: “You find it there.”" in text

    def test_withheld_says_why_in_one_line(self) -> None:
        draft = Draft(withheld=["one", "two", "three"])
        text = self.text(draft)
        assert text.splitlines()[1] == "A draft was withheld: one; two (and 1 more)."
        assert (READY_LINE in text, draft.state) == (False, WITHHELD)

    def test_nothing_at_all(self) -> None:
        assert self.text(Draft()) == f"{SOURCES_ALONE} {SOURCES_ONLY}"
        assert self.text(Draft(), Sources()) == f"{SOURCES_ALONE} {NO_DRAFT}"
        assert self.text(Draft(), team="none") == NOT_SURE

    def test_only_the_priority_unclear_still_has_its_draft(self) -> None:
        unsure = {"priority": {"P1_high": 0.4, "P2_medium": 0.35, "P3_low": 0.25}}
        assert READY_LINE in self.text(Draft(text="Open Settings [2]."), probabilities=unsure)
        assert self.text(Draft(), probabilities=unsure) == NOT_SURE
