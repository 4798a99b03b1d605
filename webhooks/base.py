"""What a vendor's webhook file gives back: who knocked, and what it is about. No Flask here."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# Vendors count their tickets in 64 bits.
TICKET_ID = re.compile(r"[1-9][0-9]{0,18}")
KEY_LENGTH = 200
# No database takes a half of a surrogate pair, PostgreSQL no NUL; JSON can spell both.
UNSTORABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Kind(StrEnum):
    """What an authenticated call asks for."""

    WORK = "work"
    CLOCK = "clock"
    """A change that may move the SLA clocks of a ticket that is followed."""
    ASK = "ask"
    """Somebody may have asked Tandem for something: looked at even where nobody follows the ticket."""
    IGNORE = "ignore"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Call:
    """One HTTP call as it came in; of its headers those the vendors read, names in lower case."""

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    password: str = ""
    """The password of HTTP Basic, where one was sent."""


@dataclass(frozen=True)
class Knock:
    """What a call is about: `key` is the same for every repeat of it."""

    kind: Kind
    key: str
    ticket_id: str = ""
    event: str = ""
    actor_id: str = ""
    reason: str = ""
    tags_added: tuple[str, ...] = ()


def digest(*parts: bytes | str) -> str:
    """Return a short fingerprint of `parts`, for senders that give no id."""
    joined = b"\x00".join(part.encode("utf-8", "replace") if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(joined).hexdigest()[:40]


def plain(value: object, length: int = 80) -> str:
    """Return the beginning of a text as any database can store it; an empty one for what is no text."""
    return UNSTORABLE.sub("", value[:length]) if isinstance(value, str) else ""


def key_of(kind: str, sent: str) -> str:
    """Return the delivery key for an id the sender gave; one that no column could hold is replaced by its digest."""
    key = f"{kind}:{sent}"
    return key if len(key) <= KEY_LENGTH and not UNSTORABLE.search(key) else f"{kind}:{digest(sent)}"


def same_secret(given: str, secrets: Sequence[str]) -> bool:
    """Say whether `given` is one of `secrets`, in a time that does not tell which or how nearly."""
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode("utf-8", "replace"))
    return found


def ticket_id_of(value: object) -> str:
    """Return a ticket id sent as number or text, or an empty text when it is none."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if TICKET_ID.fullmatch(text) else ""
