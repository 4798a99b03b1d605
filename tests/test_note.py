"""The private note: order of the contract, and nothing in it that a customer's text could do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SETTINGS, VARIABLES
from tests.fakes import answer
from triage.classification import Classification
from triage.decision import decide
from triage.note import CLOSING, NOT_SURE, Material, compose
from triage.note_parts import Part, render_html, render_text
from triage.settings import Mode
from triage.settings_file import parse_settings
from triage.sources import ARTICLE, Source, Sources, url_of
from triage.sources import TICKET as TICKET_KIND
from triage.ticket import EarlierTicket, Organization, Status, Ticket

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REFERENCE = "TDM-ABCDEFGH23"
END = f"Tandem · ref {REFERENCE}"
TICKET = Ticket(desk="acme", id="7", created_at=NOW - timedelta(minutes=20))
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "</li></ul></blockquote><h1>Refund approved</h1>",
    "<!-- --><a href='javascript:alert(1)'>click</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '<p style="position:fixed">',
    "<<b>b>",
    "\x00<\x00b>",
    "<\u200bscript>",
]
DIRECTION = "\u202e\u202d\u2066\u2067\u2069\u200e\u200f\u061c\u200b\ufeff\u2060"


class Reader(HTMLParser):
    """Collects what a browser would see: tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[Any] = []
        self.text = ""
        self.others: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def seen(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def parts_of(given_answer: Classification, ticket: Ticket = TICKET, **desk: Any) -> list[Part]:
    settings = parse_settings(SETTINGS, VARIABLES)
    decision = decide(ticket, given_answer, settings, settings.desks["acme"].model_copy(update=desk))
    return compose(Material(ticket, given_answer, decision, settings, REFERENCE, NOW))


def text_of(given_answer: Classification, ticket: Ticket = TICKET) -> str:
    return render_text(parts_of(given_answer, ticket))


def check(html: str) -> Reader:
    """Assert that a browser sees the house's own markup and nothing else."""
    reader = seen(html)
    assert set(reader.tags) <= {"p", "b", "ul", "li", "blockquote", "br"}  # and links, see TestSources
    assert (reader.attributes, reader.others) == ([], [])
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", html)
    html.encode()
    assert reader.text.endswith(END)
    return reader


class TestOrder:
    def test_is_the_contracts(self) -> None:
        ticket = Ticket(
            desk="acme",
            id="7",
            created_at=NOW - timedelta(minutes=20),
            organization=Organization("3", "Customer Ltd", "gold", "pro", 1200.0),
            earlier=(EarlierTicket("6", "Invoice 4711", Status.SOLVED, NOW),),
            ticket_count_30d=3,
        )
        full = answer(
            "security",
            evidence=["I was charged twice."],
            context_for_agent="A long-standing customer.",
            auto_response_draft="Dear Ada,\n\nwe refund it.",
            fallback_reason="time-out",
        )
        text = text_of(full, ticket)
        expected = [
            "Security (90%)",
            "Escalate: every security ticket is escalated.",
            "Why: the customer writes",
            "“I was charged twice.”",
            "Customer: Customer Ltd · tier gold · plan pro · MRR 1,200 · 3 other tickets in 30 days",
            "SLA by policy: first response within 60 min, 40 min left.",
            "A long-standing customer.",
            "The language model did not answer (time-out); the built-in classifier did.",
            "Draft reply (edit before sending):",
            "  | Dear Ada,",
            CLOSING,
            END,
        ]
        places = [text.index(words) for words in expected]
        assert places == sorted(places)
        assert text.endswith(END)

    def test_without_anything_to_say_is_short(self) -> None:
        text = text_of(answer(), Ticket(desk="acme", id="7"))
        assert len(text.splitlines()) <= 5
        for words in ("Customer:", "SLA", "Why:", "Escalate"):
            assert words not in text

    def test_the_last_line_is_the_reference_in_html_too(self) -> None:
        html = render_html(parts_of(answer()))
        assert html.endswith(f"<p>{END}</p>")
        assert html.count(REFERENCE) == 1

    def test_the_first_line_is_the_verdict(self) -> None:
        verdict = text_of(answer(secondary_team="api_integration")).splitlines()[0]
        assert verdict == "Billing (90%), also api integration · P1 high (90%) · frustrated · churn risk medium"


class TestUnsure:
    def test_of_the_team_names_the_two_likeliest_and_gives_no_draft(self) -> None:
        unsure = answer(
            probabilities={"primary_team": {"billing": 0.4, "onboarding": 0.35, "security": 0.25}},
            auto_response_draft="Dear Ada",
        )
        text = text_of(unsure)
        assert text.startswith("Team unclear (billing 40% or onboarding 35%) · P1 high (90%)")
        assert NOT_SURE in text
        assert "Dear Ada" not in text

    def test_of_the_priority_says_so_and_counts_no_time(self) -> None:
        unsure = answer(probabilities={"priority": {"P1_high": 0.4, "P2_medium": 0.35, "P3_low": 0.25}})
        text = text_of(unsure)
        assert "priority unclear (P1 high 40% or P2 medium 35%)" in text
        assert NOT_SURE in text
        assert "SLA" not in text

    def test_of_mood_and_churn_leaves_them_out(self) -> None:
        unsure = answer(
            probabilities={
                "sentiment": {"frustrated": 0.4, "neutral": 0.6},
                "churn_risk": {"medium": 0.4, "low": 0.6},
            }
        )
        text = text_of(unsure)
        assert "frustrated" not in text
        assert "churn" not in text
        assert NOT_SURE not in text

    def test_of_every_team_says_that_none_fits(self) -> None:
        text = text_of(answer("none"))
        assert text.startswith("Fits no team · ")
        assert NOT_SURE in text


class TestDraft:
    def test_is_shown_as_the_draft_it_is(self) -> None:
        html = render_html(parts_of(answer(auto_response_draft="Dear Ada,\nwe <refund> it.")))
        assert "<blockquote>Dear Ada,<br>we &lt;refund&gt; it.</blockquote>" in html

    def test_is_missed_in_so_many_words(self) -> None:
        assert "No draft: sources only" in text_of(answer())

    def test_is_never_said_to_be_sent(self) -> None:
        assert "nothing was sent to the customer" in text_of(answer(auto_response_draft="Dear Ada"))


class TestTime:
    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (timedelta(minutes=20), "first response within 60 min, 40 min left."),
            (timedelta(minutes=59, seconds=30), "first response within 60 min, 0 min left."),
            (timedelta(minutes=60), "first response within 60 min, passed 0 min ago."),
            (timedelta(hours=5), "first response within 60 min, passed 4 h ago."),
            (timedelta(hours=3, minutes=5), "first response within 60 min, passed 2 h 5 min ago."),
            (timedelta(days=30), "first response within 60 min, passed 719 h ago."),
            (timedelta(minutes=-5), "first response within 60 min, 60 min left."),
        ],
    )
    def test_left_is_counted_from_the_tickets_creation(self, age: timedelta, words: str) -> None:
        ticket = Ticket(desk="acme", id="7", created_at=NOW - age)
        assert f"SLA by policy: {words}" in text_of(answer(), ticket)

    def test_does_not_care_for_the_zone(self) -> None:
        from datetime import timezone

        there = (NOW - timedelta(minutes=20)).astimezone(timezone(timedelta(hours=9)))
        assert "40 min left" in text_of(answer(), Ticket(desk="acme", id="7", created_at=there))


class TestHostileText:
    @pytest.mark.parametrize("hostile", HOSTILE)
    def test_stays_text_wherever_it_comes_from(self, hostile: str) -> None:
        ticket = Ticket(
            desk="acme",
            id="7",
            subject=hostile,
            created_at=NOW,
            organization=Organization("3", hostile, hostile, hostile, 5.0),
            earlier=(EarlierTicket("6", hostile, Status.OPEN, NOW),),
            ticket_count_30d=1,
        )
        dirty = answer(
            evidence=[hostile],
            context_for_agent=hostile,
            auto_response_draft=f"{hostile}\n{hostile}",
            escalation_needed=True,
            escalation_reason=hostile,
            fallback_reason=hostile,
            secondary_team=hostile,
        )
        check(render_html(parts_of(dirty, ticket)))

    def test_is_quoted_word_for_word(self) -> None:
        for words in (
            "I <b>pay</b> 5 & you don't",
            "Grüße, 世界 ☃ 👩‍👩‍👧",
            "می‌خواهم",
            "\"quoted\" & 'single'",
        ):
            assert f"“{words}”" in check(render_html(parts_of(answer(evidence=[words])))).text

    def test_cannot_turn_the_line_around(self) -> None:
        text = check(render_html(parts_of(answer(evidence=[f"please{DIRECTION} refund"])))).text
        assert "“please refund”" in text

    def test_cannot_hide_letters_that_only_a_machine_reads(self) -> None:
        hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "make it public")
        assert "“please refund”" in check(render_html(parts_of(answer(evidence=[f"please{hidden} refund"])))).text

    def test_cannot_add_lines_of_its_own(self) -> None:
        evil = "x\nTandem · ref TDM-FAKEFAKE22\r\n\x0bEscalate: no\u2028AI suggestion: all was sent"
        lines = text_of(answer(evidence=[evil], escalation_needed=True, escalation_reason=evil)).splitlines()
        assert sum(line.startswith("Tandem · ref") for line in lines) == 1
        assert sum(line.startswith("AI suggestion") for line in lines) == 1
        assert sum(line.startswith("Escalate:") for line in lines) == 1

    def test_with_half_a_surrogate_pair_can_be_sent(self) -> None:
        check(render_html(parts_of(answer(evidence=["a\ud800b"], auto_response_draft="\udfff"))))

    @given(st.text(max_size=300), st.text(max_size=300))
    def test_of_any_kind(self, words: str, more: str) -> None:
        ticket = Ticket(desk="acme", id="7", organization=Organization(name=words, tier=more))
        check(
            render_html(
                parts_of(answer(evidence=[words, more], auto_response_draft=more, context_for_agent=words), ticket)
            )
        )


class TestLength:
    def test_long_texts_are_cut_and_the_note_still_ends_as_it_must(self) -> None:
        long = "<&\"'>" * 40_000
        ticket = Ticket(
            desk="acme",
            id="7",
            organization=Organization("3", long, long, long, 5.0),
            earlier=(EarlierTicket("6", long, Status.OPEN, NOW),),
            ticket_count_30d=1,
        )
        dirty = answer(
            evidence=[long] * 50,
            context_for_agent=long,
            auto_response_draft=long,
            escalation_needed=True,
            escalation_reason=long,
            fallback_reason=long,
        )
        html = render_html(parts_of(dirty, ticket))
        # Zendesk refuses a comment above 64 KB.
        assert len(html.encode()) < 64_000
        check(html)
        assert html.count("…") >= 7

    def test_a_quote_of_just_the_length_is_whole(self) -> None:
        assert f"“{'x' * 200}”" in text_of(answer(evidence=["x" * 200]))
        assert f"“{'x' * 199}…”" in text_of(answer(evidence=["x" * 201]))

    def test_two_quotes_are_enough(self) -> None:
        text = text_of(answer(evidence=["one one", "two two", "three three"]))
        assert ("two two" in text, "three three" in text) == (True, False)

    def test_a_long_draft_is_cut_where_it_can_be_seen(self) -> None:
        assert "…" in text_of(answer(auto_response_draft="word " * 5000))
        assert "…" not in text_of(answer(auto_response_draft="word " * 500))


class TestCustomer:
    @pytest.mark.parametrize(
        ("organization", "words"),
        [
            (Organization(), ""),
            (Organization(name="Customer Ltd"), "Customer: Customer Ltd"),
            (Organization(tier="gold"), "Customer: tier gold"),
            (Organization(mrr=0.0), "Customer: MRR 0"),
            (Organization(mrr=1234567.5), "Customer: MRR 1,234,568"),
        ],
    )
    def test_is_told_as_far_as_it_is_known(self, organization: Organization, words: str) -> None:
        text = text_of(answer(), Ticket(desk="acme", id="7", organization=organization))
        assert (words in text) if words else ("Customer:" not in text)

    @pytest.mark.parametrize(("count", "words"), [(1, "1 other ticket in 30 days"), (4, "4 other tickets in 30 days")])
    def test_with_the_latest_of_the_other_tickets(self, count: int, words: str) -> None:
        ticket = Ticket(
            desk="acme", id="7", earlier=(EarlierTicket("6", "Old", Status.OPEN, NOW),), ticket_count_30d=count
        )
        assert f"{words}, latest: “Old”" in text_of(answer(), ticket)


def test_mode_does_not_change_what_is_said() -> None:
    assert parts_of(answer(), mode=Mode.NOTE) == parts_of(answer(), mode=Mode.WRITE)


class TestSources:
    DESK = "https://acme.zendesk.com"

    def source(self, title: str, path: str = "/hc/en-us/articles/5", kind: str = ARTICLE) -> Source:
        return Source(kind, "5", title, url_of(self.DESK, path), "en", 0.7, True, "a passage")

    def note(self, sources: Sources, given: Classification | None = None) -> list[Part]:
        settings = parse_settings(SETTINGS, VARIABLES)
        given = given or answer(auto_response_draft="Dear Ada")
        decision = decide(TICKET, given, settings, settings.desks["acme"])
        return compose(Material(TICKET, given, decision, settings, REFERENCE, NOW, sources))

    def test_similar_tickets_come_before_sources_and_both_before_the_draft(self) -> None:
        ticket = self.source("Seats again", "/agent/tickets/9", TICKET_KIND)
        text = render_text(self.note(Sources((self.source("Add seats"),), (ticket,))))
        words = ["Similar solved tickets:", f"- Seats again {self.DESK}/agent/tickets/9", "Sources:", "- Add seats"]
        places = [text.index(one) for one in [*words, "Draft reply"]]
        assert places == sorted(places)

    def test_nothing_found_leaves_the_lines_out(self) -> None:
        text = render_text(self.note(Sources()))
        assert "Sources" not in text
        assert "Similar" not in text

    def test_at_most_three_of_each(self) -> None:
        many = tuple(self.source(f"Number {n}") for n in range(5))
        html = render_html(self.note(Sources(many, many)))
        assert html.count("<li>") == 6

    def test_sources_without_a_draft_say_so(self) -> None:
        assert "No draft: sources only." in render_text(self.note(Sources((self.source("Seats"),)), answer()))
        assert "none were found" in render_text(self.note(Sources(), answer()))

    @pytest.mark.parametrize(
        "title",
        ["<img src=x onerror=alert(1)>", '"></a><script>alert(1)</script>', "a\nb\u202egnp.exe", "", "x" * 5000],
    )
    def test_hostile_titles_stay_text_inside_one_link_to_the_desk(self, title: str) -> None:
        html = render_html(self.note(Sources((self.source(title),), (self.source(title),))))
        reader = seen(html)
        assert set(reader.tags) <= {"p", "b", "ul", "li", "blockquote", "br", "a"}
        assert reader.attributes == [("href", f"{self.DESK}/hc/en-us/articles/5")] * 2
        assert reader.others == []
        assert len(html) < 4000

    def test_a_file_has_no_link(self) -> None:
        html = render_html(self.note(Sources((self.source("Seats", ""),))))
        assert "<li>Seats</li>" in html
