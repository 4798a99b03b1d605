"""What the customer said, in plain words: the one door to cleaning.

Every text that is classified, embedded or shown to a model comes from here. Nothing here raises, whatever a mail holds,
and every step is linear in its length.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from triage.clean_automatic import is_automatic
from triage.clean_html import html_to_marked_text, without_pictures
from triage.clean_html import html_to_text as _html_to_text
from triage.clean_quotes import newest_words
from triage.clean_quotes import strip_quotes as _strip_quotes
from triage.clean_signature import strip_signature as _strip_signature
from triage.language import UNDETERMINED, detect_language
from triage.ticket import Author, Message, Ticket

__all__ = [
    "MAX_MESSAGE", "MAX_TEXT", "CleanMessage", "CleanTicket", "by_machine", "clean_message", "clean_ticket",
    "detect_language", "html_to_text", "is_automatic", "strip_quotes", "strip_signature",
]  # fmt: skip

MAX_INPUT: Final = 200_000
"""Characters of a plain body that are read; what is newest stands at the top."""
MAX_MESSAGE: Final = 12_000
"""Characters of one cleaned message: about four pages, more than any model is asked to read at once."""
MAX_TEXT: Final = 40_000
"""Characters of all customer words of a ticket together."""
MAX_SUBJECT: Final = 500

_GAP: Final = "\n[…]\n"
# Ways to say something that no reader sees: control codes, zero widths, direction overrides, tag characters and the
# variation selectors beyond the emoji ones. Joiners stay: Persian and emoji need them.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_NEWLINE: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACE: Final = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INNER_SPACES: Final = re.compile(r"(?<=\S)[ \t]{2,}")
_INDENT: Final = re.compile(r"^[ \t]{9,}", re.MULTILINE)
_EMPTY_LINES: Final = re.compile(r"\n{3,}")
_FORWARD_SUBJECT: Final = re.compile(
    r"^\s*(?:fwd?|wg|tr|rv|enc|i|vb|vl|doorst|pd|vidar|İlt|转发|轉寄|転送)\s?[:：]", re.IGNORECASE
)
_kept: Final = threading.local()
_REPEATED: Final = 20  # paragraphs from this length on are told once; "Yes." may be said twice


@dataclass(frozen=True)
class CleanMessage:
    """One message of a conversation in plain words."""

    author: Author
    public: bool
    text: str
    created_at: datetime | None = None


@dataclass(frozen=True)
class CleanTicket:
    """A ticket as a reader would take it in."""

    subject: str
    latest: str
    """The newest customer message a person wrote; "" when there is none."""
    messages: tuple[CleanMessage, ...]
    """All messages, oldest first, private notes and agents' replies too."""
    text: str
    """All public customer words, oldest first, each paragraph once; automatic mail only when there is nothing else."""
    language: str
    """ISO 639-1 of the customer's words, or `und`."""
    automatic: bool
    """No person wrote any of the customer's messages."""


def html_to_text(html: str) -> str:
    """Return the visible text of `html`, quotes included; never raises."""
    return _normal(_html_to_text(_printable(without_pictures(html))))


def strip_quotes(text: str) -> str:
    """Return plain `text` without quoted replies; forwarded mail stays, and all of it when nothing else is there."""
    return _strip_quotes(_printable(text[:MAX_INPUT]))


def strip_signature(text: str) -> str:
    """Return plain `text` without signature, disclaimers and footers, or all of it when nothing else is there."""
    return _strip_signature(_printable(text[:MAX_INPUT]))


def clean_message(body: str, html: bool, *, forwarded: bool = False) -> str:
    """Return what the writer of one message said, at most MAX_MESSAGE characters; never raises.

    `forwarded`: the subject says that the mail is passed on, so a quoted mail below it is content.
    """
    body = _printable(without_pictures(body) if html else body[:MAX_INPUT])
    if html:
        # Nothing but quoted mail: then that is what we were sent, and no rule should thin it out.
        text = newest_words(html_to_marked_text(body), forwarded=forwarded) or _html_to_text(body)
    else:
        text = _strip_quotes(body, forwarded=forwarded)
    return _shortened(_normal(_strip_signature(text)), MAX_MESSAGE)


def clean_ticket(ticket: Ticket) -> CleanTicket:
    """Return `ticket` with every message cleaned, and the customer's words put together; never raises.

    Half a dozen parts of one triage ask for it, so each thread keeps the ticket it had last.
    """
    kept: tuple[tuple[object, ...], CleanTicket] | None = getattr(_kept, "last", None)
    # Everything the answer is made of: the tags, the group and the rest may have changed.
    read = ticket.subject, ticket.messages, ticket.requester
    if kept is None or kept[0] != read:
        kept = _kept.last = read, _clean_ticket(ticket)
    return kept[1]


def _clean_ticket(ticket: Ticket) -> CleanTicket:
    subject = _subject(ticket)
    passed_on = bool(_FORWARD_SUBJECT.match(subject))
    messages = tuple(
        CleanMessage(
            message.author,
            message.public,
            clean_message(message.body, message.html, forwarded=passed_on and position == 0),
            message.created_at,
        )
        for position, message in enumerate(ticket.messages)
    )
    said = [
        (clean.text, _is_machine(ticket, subject, message, clean.text))
        for message, clean in zip(ticket.messages, messages, strict=True)
        if message.author is Author.CUSTOMER and message.public
    ]
    by_people = [text for text, machine in said if not machine]
    words = by_people or [text for text, _ in said]
    text = _shortened(_once("\n\n".join(words)), MAX_TEXT)
    language = detect_language(text)
    return CleanTicket(
        subject=subject,
        latest=next((text for text in reversed(words) if text), ""),
        messages=messages,
        text=text,
        language=detect_language(f"{subject}\n{text}") if language == UNDETERMINED else language,
        automatic=bool(said) and not by_people,
    )


def by_machine(ticket: Ticket, message: Message) -> bool:
    """Say whether no person wrote this later message of `ticket`; never raises."""
    # Its own subject is not kept by a helpdesk; an answer it is.
    subject = f"Re: {_subject(ticket)}"
    return _is_machine(ticket, subject, message, clean_message(message.body, message.html))


def _subject(ticket: Ticket) -> str:
    return " ".join(_printable(ticket.subject[: 2 * MAX_SUBJECT]).split())[:MAX_SUBJECT]


def _is_machine(ticket: Ticket, subject: str, message: Message, text: str) -> bool:
    # The address is known for the requester only; a copied colleague's message is judged by its words.
    ours = message.author_id in ("", ticket.requester.id)
    return is_automatic(subject, text, ticket.requester.email if ours else "", message.automatic)


def _printable(text: str) -> str:
    """Return `text` in characters that can be seen and encoded, lines ended by a line feed."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _SPACE.sub(" ", _NEWLINE.sub("\n", _UNSEEN.sub("", text)))


def _normal(text: str) -> str:
    lines = [line.rstrip() for line in _INNER_SPACES.sub(" ", text).split("\n")]
    return _EMPTY_LINES.sub("\n\n", _INDENT.sub("        ", "\n".join(lines))).strip("\n").rstrip()


def _once(text: str) -> str:
    """Return `text` with each longer paragraph told once, the first time."""
    seen: set[str] = set()
    kept = []
    for paragraph in text.split("\n\n"):
        key = " ".join(paragraph.lower().split())
        if key and not (len(key) >= _REPEATED and key in seen):
            kept.append(paragraph)
        seen.add(key)
    return "\n\n".join(kept)


def _shortened(text: str, limit: int) -> str:
    """Return `text` within `limit` characters: its start, and a quarter of its end, where long mails ask."""
    if len(text) <= limit:
        return text
    tail = limit // 4
    return text[: limit - tail - len(_GAP)] + _GAP + text[-tail:]
