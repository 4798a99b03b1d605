"""Any mail through the cleaner and the redactor: no error, bounded time and size, nothing private left."""

from __future__ import annotations

import itertools
import re
import time

from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.fuzz.shapes import ANY_TEXT, FUZZ, HOSTILE, HOSTILE_WORDS, fewer
from triage.clean import (
    MAX_INPUT,
    MAX_MESSAGE,
    MAX_SUBJECT,
    MAX_TEXT,
    clean_message,
    clean_ticket,
    html_to_text,
    is_automatic,
)
from triage.redact import KINDS, Masks, find
from triage.ticket import Author, Message, Ticket

MAIL = (
    "> quoted", ">> twice", "On Mon, 3 Jun 2024 at 10:00, Bob <bob@x.example> wrote:", "-----Original Message-----",
    "From: a@b.example\nSent: Monday\nTo: c@d.example\nSubject: Re: x", "-- \nAda", "Kind regards,\nAda",
    "##- Please type above -##",
    "Sent from my iPhone", "This message is confidential", "\n\n", "\n", "\t", "Am Montag schrieb Bob:",
    "________________", "Hi Anna,",
)  # fmt: skip
TAGS = (
    "div", "span", "p", "blockquote", "table", "tr", "td", "b", "a", "ul", "li", "style", "script", "template",
    "svg", "math", "select",
    "textarea", "title", "plaintext", "xmp", "noscript", "!--", "![CDATA[", "?xml", "html", "body", "frameset",
    "pre", "br", "img",
)  # fmt: skip
ATTRIBUTES = (
    "", " hidden", ' style="display:none"', ' style="font-size:0"', " style='", ' class="gmail_quote"',
    ' id="divRplyFwdMsg"',
    ' style="visibility:hidden"', ' type="cite"', ' href="javascript:x"',
    ' style="font-size:9999999999999999999px"', ' a="&quot;"',
)  # fmt: skip
OPENED = st.builds("<{}{}>".format, st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES))
CLOSED = st.builds("</{}>".format, st.sampled_from(TAGS))
PIECES = st.one_of(
    st.sampled_from(MAIL), st.sampled_from(HOSTILE_WORDS), OPENED, CLOSED, ANY_TEXT, st.just("words of a person")
)
BODIES = st.lists(PIECES, max_size=25).map("".join) | st.lists(PIECES, max_size=12).map("\n".join)
UNITS = st.lists(PIECES, min_size=1, max_size=3).map("".join).filter(lambda unit: 0 < len(unit) < 120)
# What a reader could not see and what no terminal or database should get.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
# Twenty times what such a text takes on an idle machine; a step that is not linear needs minutes.
SECONDS = 6.0


class TestCleaner:
    @FUZZ
    @given(BODIES, st.booleans(), st.booleans())
    def test_any_mail_becomes_words_that_can_be_shown(self, body: str, html: bool, forwarded: bool) -> None:
        for text in (clean_message(body, html, forwarded=forwarded), html_to_text(body)):
            assert not UNSEEN.search(text)
        assert len(clean_message(body, html, forwarded=forwarded)) <= MAX_MESSAGE
        # Nothing is made up: what comes out is not longer than what went in, but for lines put between blocks.
        assert len(clean_message(body, False)) <= len(body) + 20

    @FUZZ
    @given(st.lists(st.tuples(BODIES, st.booleans(), st.sampled_from(Author), st.booleans()), max_size=4), HOSTILE)
    def test_any_ticket(self, said: list[tuple[str, bool, Author, bool]], subject: str) -> None:
        messages = tuple(
            Message(str(number), author, body, html=html, public=public)
            for number, (body, html, author, public) in enumerate(said)
        )
        clean = clean_ticket(Ticket("acme", "7", subject=subject, messages=messages))
        assert len(clean.messages) == len(messages)
        assert len(clean.text) <= MAX_TEXT
        assert len(clean.subject) <= MAX_SUBJECT
        assert "\n" not in clean.subject
        assert not UNSEEN.search(clean.text + clean.subject + clean.latest)
        private = [
            one.body for one in messages if not one.public and len(one.body) > 30 and one.author is Author.CUSTOMER
        ]
        assert all(
            body not in clean.text for body in private if body not in [one.body for one in messages if one.public]
        )

    @fewer(4)
    @given(UNITS, st.booleans())
    @example("<b><div>", True)
    @example("<table><tr><td>", True)
    @example("</p>", True)
    @example("a@", False)
    def test_time_grows_no_faster_than_the_mail(self, unit: str, html: bool) -> None:
        body = (unit * (MAX_INPUT // len(unit) + 1))[:MAX_INPUT]
        started = time.process_time()
        text = clean_message(body, html)
        is_automatic(body[:1_000], text, body[:200])
        assert time.process_time() - started < SECONDS
        assert len(text) <= MAX_MESSAGE

    @FUZZ
    @given(st.data())
    def test_what_is_hidden_stays_hidden(self, data: st.DataObject) -> None:
        html = data.draw(trees(depth=3))
        assume("shown" in html)
        text = html_to_text(f"<div>first shown</div>{html}")
        assert "zanzibar" not in text
        assert "zanzibar" not in clean_message(f"<div>first shown</div>{html}", html=True)
        assert "first shown" in text


HIDING = (
    '<div style="display:none">{}</div>', "<span hidden>{}</span>", '<div style="DISPLAY : none !important">{}</div>',
    '<span style="visibility:hidden">{}</span>', '<span style="font-size:0">{}</span>', "<script>{}</script>",
    "<style>{}</style>",
    "<template>{}</template>", "<!-- {} -->", '<div style="opacity:0">{}</div>',
    '<span style="font-size:0.5px">{}</span>',
    '<div style="color:transparent">{}</div>', '<div style="max-height:0;overflow:hidden">{}</div>',
    '<div style="text-indent:-9999px">{}</div>',
    '<div style="mso-hide:all">{}</div>', '<div style="position:absolute;left:-10000px">{}</div>',
    "<select><option>{}</option></select>",
    "<textarea>{}</textarea>", '<span style="color:rgba(0,0,0,0)">{}</span>',
    '<div style="display:/* x */none">{}</div>',
)  # fmt: skip
AROUND = (
    "<div>{}</div>",
    "<span>{}</span>",
    "<b>{}</b>",
    "<blockquote>{}</blockquote>",
    "<div dir=ltr>{}</div>",
    "<i>{}</i>",
    "<center>{}</center>",
)


@st.composite
def trees(draw: st.DrawFn, depth: int) -> str:
    """Return well-formed HTML in which `zanzibar` stands only where no reader sees it."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["text", "hidden", "around"] if depth else ["text", "hidden"]))
        if kind == "text":
            parts.append(draw(st.sampled_from(["shown words ", "A &lt;b&gt; shown.", "shown<br>"])))
        elif kind == "hidden":
            parts.append(
                draw(st.sampled_from(HIDING)).format(
                    draw(st.sampled_from(["zanzibar", "<b>zanzibar</b>", "x zanzibar"]))
                )
            )
        else:
            parts.append(draw(st.sampled_from(AROUND)).format(draw(trees(depth=depth - 1))))
    return "".join(parts)


def with_check_digit(digits: str) -> str:
    """Return `digits` and the Luhn digit that makes them a card number."""
    doubled = sum(sum(divmod(2 * int(one), 10)) for one in digits[::-1][::2])
    return digits + str(-(doubled + sum(map(int, digits[::-1][1::2]))) % 10)


CARDS = st.builds(
    lambda network, rest: with_check_digit(network + rest[: 15 - len(network)]),
    st.sampled_from(["4", "51", "55", "2221", "6011", "62"]),
    st.text("0123456789", min_size=15, max_size=15).filter(lambda digits: len(set(digits)) > 3),
)
SEPARATORS = st.sampled_from(
    ["", " ", "-", "\u00a0", "\u2009", "\u202f", "\u2011", "\u2013", "\u2212", " - ", "  ", "--"]
)
EMAILS = st.from_regex(
    r"[a-z][a-z0-9.+_-]{0,10}[a-z0-9]@[a-z][a-z0-9-]{0,8}[a-z0-9]\.(com|de|co\.uk|example)", fullmatch=True
)
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
KEYS = st.builds(
    "{}{}".format,
    st.sampled_from(["sk-", "sk_live_", "ghp_", "glpat-", "xoxb-", "whsec_", "hf_", "npm_"]),
    st.text(LETTERS, min_size=36, max_size=40),
)
# No digits and no words that say what a number is: those are judged by their own rules and tests.
BEFORE = st.sampled_from(
    [
        "",
        "my card is ",
        "(",
        "“",
        "number: ",
        "Zahlung mit ",
        "pay by\n",
        "x ",
        "¿",
        "→ ",
        "«",
        "| ",
        "to: ",
        "<b>",
        "カード ",
    ]
)
AFTER = st.sampled_from(["", ".", ", thanks", ")", "”", "\nregards", " today", "?", "!", " |", "»", ";", "</b>", "。"])


def grouped(digits: str, separator: str, places: list[int]) -> str:
    """Return `digits` with `separator` between groups that end at `places`."""
    cuts = sorted({0, len(digits), *(place % len(digits) for place in places)})
    return separator.join(digits[start:end] for start, end in itertools.pairwise(cuts))


class TestRedactor:
    @FUZZ
    @given(CARDS, SEPARATORS, st.lists(st.integers(1, 15), max_size=4) | st.just([4, 8, 12]), BEFORE, AFTER)
    def test_no_card_number_survives(
        self, card: str, separator: str, places: list[int], before: str, after: str
    ) -> None:
        shown = Masks().mask(f"{before}{grouped(card, separator, places)}{after}")
        left = re.sub(r"\D", "", re.sub(r"\[[A-Z]+_\d+\]", "", shown))
        assert len(left) <= 4, shown

    @FUZZ
    @given(EMAILS, BEFORE, AFTER)
    def test_no_address_survives(self, address: str, before: str, after: str) -> None:
        shown = Masks().mask(f"{before}{address}{after}")
        assert "@" not in shown
        assert (
            address.partition("@")[0] not in shown.replace(before, "").replace(after, "")
            or len(address.partition("@")[0]) < 4
        )

    @FUZZ
    @given(KEYS, BEFORE, AFTER)
    def test_no_key_survives(self, key: str, before: str, after: str) -> None:
        shown = Masks().mask(f"{before}{key}{after}")
        assert key[-12:] not in shown

    @FUZZ
    @given(st.lists(st.one_of(BODIES, CARDS, EMAILS, KEYS, HOSTILE, st.just("[CARD_1] [NAME_2]")), max_size=6), HOSTILE)
    def test_every_text_comes_back_as_it_was(self, parts: list[str], name: str) -> None:
        masks = Masks([name])
        texts = [" ".join(parts), *parts]
        assert [masks.restore(masked) for masked in masks.mask_all(texts)] == texts

    @FUZZ
    @given(st.lists(st.one_of(BODIES, CARDS, EMAILS, KEYS, ANY_TEXT), max_size=6).map(" ".join), HOSTILE)
    def test_finds_are_inside_the_text_and_apart(self, text: str, name: str) -> None:
        spans = find(text, [name])
        assert all(0 <= span.start < span.end <= len(text) and span.kind in KINDS for span in spans)
        assert all(one.end <= other.start for one, other in itertools.pairwise(spans))

    @fewer(4)
    @given(st.lists(st.one_of(PIECES, CARDS, EMAILS, KEYS), min_size=1, max_size=2).map(" ".join).filter(bool))
    def test_time_grows_no_faster_than_the_text(self, unit: str) -> None:
        # What a model may be shown of one ticket is 40,000 characters.
        text = (unit * (MAX_TEXT // len(unit) + 1))[:MAX_TEXT]
        started = time.process_time()
        find(text, ["Peter Pan"])
        assert time.process_time() - started < SECONDS
