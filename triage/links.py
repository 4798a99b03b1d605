"""Signed links in a note: each says one thing about one note, needs no login, and stops working on a day. Pure.

A token is short, because it stands in the note: kind, what it says, the note's reference and the last day, signed.
Desk and ticket are not in it: the database knows the note by its reference, which is never used twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadSignature, Signer

from triage.note_parts import Link

VOTE, ANSWER = "vote", "answer"
RIGHT, WRONG_TEAM, WRONG_PRIORITY = "right", "wrong_team", "wrong_priority"
DRAFT_USED, DRAFT_UNUSABLE = "draft_used", "draft_unusable"
VERDICTS = {
    RIGHT: "Right",
    WRONG_TEAM: "Wrong team",
    WRONG_PRIORITY: "Wrong priority",
    DRAFT_USED: "Draft used",
    DRAFT_UNUSABLE: "Draft unusable",
}
"""Verdict -> how its link reads."""
ON_DRAFT = frozenset({DRAFT_USED, DRAFT_UNUSABLE})
"""The verdicts that are about the draft; the others are about the triage."""
SHORT = {RIGHT: "r", WRONG_TEAM: "t", WRONG_PRIORITY: "p", DRAFT_USED: "u", DRAFT_UNUSABLE: "x"}
LONG = {short: verdict for verdict, short in SHORT.items()}
# So that a session's or another purpose's signature is never one of ours.
SALT = b"tandem links in notes"
PATH = "/feedback/"
DAY_SECONDS = 86_400
# Longer ones are not looked at: ours have some 65 characters.
LONGEST_TOKEN = 200
BODY = re.compile(r"(?:v([rtpux])|a([0-9]))([0-9A-Z]{10})([0-9]{1,6})", re.ASCII)
REFERENCE = "TDM-"


class BadLinkError(Exception):
    """The token is none of ours, damaged, or of another installation."""


class OldLinkError(Exception):
    """The token was ours; its days are over."""


@dataclass(frozen=True)
class Claim:
    """What the holder of a link may say."""

    kind: Literal["vote", "answer"]
    reference: str
    """Of the note, `TDM-XXXXXXXXXX`."""
    value: str
    """A verdict; or the place of an option in the question, from "0" on."""
    last_day: int
    """The last whole day it works on, in days since 1970 (UTC)."""


def sign(secret_key: str, claim: Claim) -> str:
    """Return the token of `claim`, safe in an address."""
    kind = f"v{SHORT[claim.value]}" if claim.kind == VOTE else f"a{int(claim.value)}"
    body = f"{kind}{claim.reference.removeprefix(REFERENCE)}{claim.last_day}"
    return _signer(secret_key).sign(body.encode()).decode()


def read(secret_key: str, token: str, now: float) -> Claim:
    """Return what `token` claims. Raises BadLinkError or OldLinkError, neither of which says more."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise BadLinkError
    try:
        body = _signer(secret_key).unsign(token.encode()).decode()
    except (BadSignature, UnicodeDecodeError):
        raise BadLinkError from None
    found = BODY.fullmatch(body)
    if found is None:
        raise BadLinkError
    verdict, option, reference, last_day = found.groups()
    if int(last_day) < now // DAY_SECONDS:
        raise OldLinkError
    reference = REFERENCE + reference
    if verdict:
        return Claim("vote", reference, LONG[verdict], int(last_day))
    return Claim("answer", reference, option, int(last_day))


@dataclass(frozen=True)
class Links:
    """Makes the links of notes."""

    public: str
    """Our own address, without a slash at the end."""
    secret_key: str
    days: int
    """How long they work; the last day counts whole."""

    def votes(self, reference: str, now: float, *, drafted: bool) -> tuple[Link, ...]:
        """Return a link per verdict; those about the draft only where there is one."""
        shown = (verdict for verdict in VERDICTS if drafted or verdict not in ON_DRAFT)
        return tuple(
            Link(VERDICTS[verdict], self._url("vote", reference, verdict, now), secret=True) for verdict in shown
        )

    def answers(self, reference: str, options: Sequence[str], now: float) -> tuple[Link, ...]:
        """Return a link per option of the question that the note `reference` asks."""
        return tuple(
            Link(option, self._url("answer", reference, str(place), now), secret=True)
            for place, option in enumerate(options)
        )

    def _url(self, kind: Literal["vote", "answer"], reference: str, value: str, now: float) -> str:
        last_day = int(now // DAY_SECONDS) + self.days
        return self.public + PATH + sign(self.secret_key, Claim(kind, reference, value, last_day))


def _signer(secret_key: str) -> Signer:
    return Signer(secret_key, salt=SALT, sep=".", key_derivation="hmac", digest_method=hashlib.sha256)
