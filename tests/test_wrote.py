"""What is ours on a ticket, and what a person has made theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from triage.store.effects import CONFIRMED, FAILED, FIELDS, NOTE, SENT, TAGS, Effect
from triage.ticket import Ticket
from workers.wrote import Wrote, as_if_untouched, fingerprint, wrote_of


def effect(kind: str, intent: dict[str, Any], after: dict[str, Any] | None = None, **more: Any) -> Effect:
    values: dict[str, Any] = {"state": CONFIRMED, "before": {}, "refused": {}, "note_id": ""} | more
    return Effect(
        1,
        values.pop("run_id", 1),
        kind,
        intent=intent,
        after=after or {},
        created_at=0,
        sent_at=0,
        confirmed_at=0,
        **values,
    )


def test_the_latest_value_counts_and_only_what_the_helpdesk_shows() -> None:
    found = wrote_of(
        [
            effect(
                NOTE, {"priority": "normal", "group": "Billing", "custom": {"1": "neutral"}}, {"priority": "normal"}
            ),
            effect(
                FIELDS, {"priority": "high", "custom": {"1": "frustrated"}}, {"priority": "high", "1": "frustrated"}
            ),
            effect(FIELDS, {"priority": "urgent"}, {"priority": "urgent"}, state=FAILED),
        ]
    )
    assert found == Wrote({"priority": "high"}, {"1": "frustrated"}, frozenset())


def test_tags_come_and_go() -> None:
    first = effect(TAGS, {"tags": ["a", "b", "c"]}, refused={"c": "no new tags"})
    later = effect(TAGS, {"tags": ["d"], "removed": ["a"]})
    assert wrote_of([first, later]).tags == {"b", "d"}


def test_what_this_run_may_have_written_is_ours() -> None:
    doubtful = effect(NOTE, {"priority": "high"}, state=SENT, run_id=5)
    assert wrote_of([doubtful]).values == {}
    assert wrote_of([doubtful], doubtful=4).values == {}
    assert wrote_of([doubtful], doubtful=5).values == {"priority": "high"}


def test_only_our_own_values_may_be_set_anew() -> None:
    ours = Wrote({"priority": "high", "group": "Billing"}, {"1": "neutral"})
    ticket = Ticket("acme", "7", priority="high", group_id="4", group="billing ", fields={"1": "neutral", "2": "x"})
    free = as_if_untouched(ticket, ours)
    assert (free.priority, free.group_id, free.fields) == (None, None, {"2": "x"})
    theirs = replace(ticket, priority="urgent", group="Security", fields={"1": "positive"})
    kept = as_if_untouched(theirs, ours)
    assert (kept.priority, kept.group_id, kept.fields) == ("urgent", "4", {"1": "positive"})
    # A group whose name nobody knows is left alone.
    assert as_if_untouched(replace(ticket, group=""), ours).group_id == "4"


def test_a_fingerprint_minds_words_and_not_markup() -> None:
    assert fingerprint("<p>Billing &amp; more</p><p>ref X</p>") == fingerprint(
        "<div>Billing &#38; more</div>\n<p>ref  X</p>"
    )
    assert fingerprint("<p>Billing</p>") != fingerprint("<p>Billing, I checked it</p>")
