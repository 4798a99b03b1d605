"""Hostile words in every field a note is made of: only our markup, only our links, one reference, at the end."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st
from test_note import seen

from tests.desks import SETTINGS, VARIABLES
from tests.fakes import answer
from tests.fuzz.shapes import ANY_TEXT, FUZZ, HOSTILE, fewer
from triage.ask import Ask
from triage.changes import News
from triage.classification import Classification
from triage.decision import decide
from triage.defang import defanged, unclosed
from triage.draft import Draft, Quote
from triage.draft_parts import NOT_SURE, NOTHING, READY, SOURCES_ALONE
from triage.links import Links
from triage.note import LINES_BEFORE_DRAFT, Material, compose
from triage.note_parts import CONTROL, Link, Part, clean, lines_of, named, quoted, render_html, render_text, short
from triage.settings_file import parse_settings
from triage.sources import ARTICLE, FILE, TICKET, Source, Sources, url_of
from triage.speech import NOTE, REPLY, SAFE, Speech
from triage.ticket import (
    Author,
    Background,
    ClockState,
    EarlierTicket,
    HelpdeskClock,
    Message,
    Organization,
    Rating,
    Requester,
    Status,
    Ticket,
)  # fmt: skip

REFERENCE = "TDM-ABCDEFGH23"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
DESK = "https://acme.zendesk.com"
PUBLIC = "https://tandem.example.com"
HOSTS = {"acme.zendesk.com", "tandem.example.com"}
ALLOWED = {"p", "b", "ul", "li", "a", "blockquote", "br"}
# As both helpdesks make links of what agents write.
CLICKABLE = re.compile(r"\w+://\S|\bwww\.\w|\S@\w[\w-]*\.\w|(?:javascript|data|mailto|tel):\S", re.IGNORECASE)
CONFIGURED = parse_settings(SETTINGS, VARIABLES)
MAKER = Links(PUBLIC, "k" * 40, 30)

WORDS = HOSTILE | ANY_TEXT
MAYBE = st.none() | WORDS
FEW = st.lists(WORDS, max_size=3)
TIMES = st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
DAYS = st.none() | st.dates(date(2000, 1, 1), date(2040, 1, 1))
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 10**15).map(float)
EARLIER = st.lists(
    st.builds(EarlierTicket, WORDS, WORDS, st.sampled_from(Status), st.just(NOW), FEW.map(tuple)), max_size=4
).map(tuple)
MESSAGES = st.lists(
    st.builds(
        Message, st.just("1"), st.sampled_from(Author), WORDS, st.booleans(), st.booleans(), WORDS, TIMES,
        st.booleans(), FEW.map(tuple),
    ),
    max_size=3,
).map(tuple)  # fmt: skip
CLOCKS = st.lists(
    st.builds(
        HelpdeskClock, st.sampled_from(["first_response", "resolution"]), st.sampled_from(ClockState), TIMES, TIMES
    ),
    max_size=2,
).map(tuple)
TICKETS = st.builds(
    Ticket, st.just("acme"), WORDS, WORDS, st.sampled_from(Status), MAYBE, MAYBE, MAYBE,
    FEW.map(tuple), st.dictionaries(WORDS, WORDS, max_size=2), WORDS, TIMES, TIMES, WORDS, st.booleans(), WORDS,
    st.builds(Requester, WORDS, WORDS, WORDS, TIMES),
    st.builds(Organization, WORDS, WORDS, WORDS, WORDS, NUMBERS, TIMES, DAYS),
    MESSAGES, EARLIER, st.integers(0, 9), WORDS, WORDS, TIMES, CLOCKS,
    st.builds(
        Background, st.none() | st.integers(0, 99), EARLIER, st.none() | st.builds(Rating, WORDS, WORDS, TIMES),
        st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
    ),
)  # fmt: skip
ANSWERS = st.builds(
    lambda team, sure, evidence, words: answer(
        team, sure, evidence=evidence, context_for_agent=words, fallback_reason=words, issue_category=words,
        language=words[:2], escalation_needed=bool(words), escalation_reason=words, model=words,
        secondary_team=words or None,
    ),
    st.sampled_from(["billing", "security", "none"]), st.sampled_from([0.4, 0.9]), FEW, WORDS,
)  # fmt: skip
SOURCES = st.lists(
    st.builds(
        lambda kind, title, path, passage: Source(kind, "5", title, url_of(DESK, path), "en", 0.7, True, passage),
        st.sampled_from([ARTICLE, FILE, TICKET]),
        WORDS,
        WORDS | st.sampled_from(["/hc/5", "//evil.example/x", "/a/../..", "/a?b", "@evil.example", "\\evil"]),
        WORDS,
    ),
    max_size=5,
).map(
    lambda found: Sources(
        tuple(one for one in found if one.kind != TICKET), tuple(one for one in found if one.kind == TICKET)
    )
)
DRAFTS = st.builds(
    lambda text, quotes, told, question, options: Draft(
        text=text, quotes=[Quote(kind=ARTICLE, number=n, title=one, text=one) for n, one in enumerate(quotes, 1)],
        withheld=told, removed=told, open=told, facts=told, question=question, options=options, asked=True, model="m",
    ),
    WORDS | st.just(""), FEW, FEW, WORDS, FEW,
)  # fmt: skip
ASKS = st.none() | st.builds(
    lambda text, options, used: Ask(text, MAKER.answers(REFERENCE, options[:9], NOW.timestamp()), tuple(used)),
    WORDS,
    FEW,
    FEW,
)
SPEECH = st.none() | st.builds(
    lambda level, reasons, words, sent: Speech(level, [f"rule: {one}" for one in reasons], words, words[:2], sent),
    st.sampled_from([NOTE, SAFE, REPLY]), FEW, WORDS, st.booleans(),
)  # fmt: skip
NEWS = st.none() | st.builds(lambda title, lines: News(title, tuple(lines)), WORDS, FEW)


def material_of(
    ticket: Ticket,
    said: Classification,
    sources: Sources,
    draft: Draft,
    ask: Ask | None,
    news: News | None,
    speech: Speech | None,
) -> Material:
    """Return what a worker hands to the note."""
    decision = decide(ticket, said, CONFIGURED, CONFIGURED.desks["acme"])
    votes = MAKER.votes(REFERENCE, NOW.timestamp(), drafted=bool(draft.text))
    moods = {one.id: "frustrated" for one in ticket.background.before}
    return Material(ticket, said, decision, CONFIGURED, REFERENCE, NOW, sources, draft, moods, ask, votes, news, speech)


@fewer(3)
@given(TICKETS, ANSWERS, SOURCES, DRAFTS, ASKS, NEWS, SPEECH)
def test_any_material_makes_a_note_of_ours(
    ticket: Ticket,
    said: Classification,
    sources: Sources,
    draft: Draft,
    ask: Ask | None,
    news: News | None,
    speech: Speech | None,
) -> None:
    parts = compose(material_of(ticket, said, sources, draft, ask, news, speech))
    html = render_html(parts)
    assert not CONTROL.search(html)
    assert len(html.encode()) < 60_000
    reader = seen(html)
    assert set(reader.tags) <= ALLOWED
    assert reader.others == []
    assert {name for name, _ in reader.attributes} <= {"href"}
    assert all(urlsplit(url).scheme == "https" and urlsplit(url).hostname in HOSTS for _, url in reader.attributes)
    assert not CLICKABLE.search(reader.text), CLICKABLE.search(reader.text)
    assert "{{" not in html and "{%" not in html
    assert html.count("<p>Tandem · ref ") == 1
    assert reader.text.endswith(f"Tandem · ref {REFERENCE}")
    check_text(render_text(parts))


def check_text(text: str) -> None:
    lines = text.splitlines()
    assert lines[-1] == f"Tandem · ref {REFERENCE}"
    assert [line for line in lines if line.startswith("Tandem · ref")] == lines[-1:]
    # A link's address lets its holder act: it is not printed.
    assert "/feedback/" not in text
    assert not CONTROL.search(text)


@fewer(3)
@given(TICKETS, ANSWERS, SOURCES, ASKS, NEWS)
def test_the_draft_begins_where_an_agent_looks_for_it(
    ticket: Ticket, said: Classification, sources: Sources, ask: Ask | None, news: News | None
) -> None:
    parts = compose(material_of(ticket, said, sources, Draft(text="zanzibar"), ask, news, None))
    place = next(
        n for n, part in enumerate(parts) if {part.label, part.line} & {READY, SOURCES_ALONE, NOTHING, NOT_SURE}
    )
    assert sum(map(lines_of, parts[:place])) <= LINES_BEFORE_DRAFT
    html = render_html(parts[:place])
    assert html.count("<p>") + html.count("<li>") <= LINES_BEFORE_DRAFT


@FUZZ
@given(WORDS, st.integers(1, 200))
@example("a\u2028b", 100)
@example("x” y “z", 100)
def test_words_of_others_stay_on_one_line_and_in_their_quotation(words: str, length: int) -> None:
    for shown in (short(words, length), quoted(words, length), named(words, length)):
        assert len(shown) <= length + 2
        assert len(shown.splitlines()) <= 1
        assert not CONTROL.search(shown)
    assert quoted(words, length).count("”") == 1
    assert not re.search("[“”„‟«»]", unclosed(words))
    assert defanged(defanged(clean(words))) == defanged(clean(words))
    assert not CLICKABLE.search(defanged(clean(words)))


@FUZZ
@given(
    st.lists(
        st.builds(Link, WORDS, st.sampled_from([f"{DESK}/hc/5", f"{PUBLIC}/feedback/x"]), st.booleans()), max_size=4
    )
)
def test_a_link_keeps_its_address_whatever_it_is_called(links: list[Any]) -> None:
    reader = seen(render_html([Part("x", tuple(links), links=tuple(links))]))
    assert [url for _, url in reader.attributes] == 2 * [link.url for link in links] or not links
    assert reader.others == []
