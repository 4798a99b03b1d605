"""How people and machines are reached: e-mail addresses, phone numbers, IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

import phonenumbers

from triage.redact_spans import EMAIL, IP, PHONE, Span
from triage.redact_words import is_reference

_EMAIL: Final = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]{1,64}(?:@| ?[\[(] ?at ?[\])] ?)"
    r"(?:[\w-]{1,63}(?:\.| ?[\[(] ?dot ?[\])] ?)){1,8}[^\W\d_]{2,24}\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"(?<![\w.,@/=#&+-])(?:\+|\(\+?)?\d[\d ()./\u00a0\u2011-]{4,24}\d(?![\w@])")
_DATE: Final = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:[ T]+\d.*)?|(?:19|20)\d{6}|\d{4} ?[/-] ?\d{4}")
_AMOUNT: Final = re.compile(r"\d{1,3}(?:[ .]\d{3})+(?:[.,]\d{1,2})?|\d+\.\d+")
_CALLED: Final = re.compile(
    r"(?:phone|telephone|\btel\b|\btlf\b|\bcall|\bcell|mobile|\bmob\b|\bfax|whatsapp|\bsms\b|text me|dial|\bring\b"
    r"|reach me|contact number|telefon|handy|\bmobil|rufnummer|durchwahl|anruf|rückruf|erreichbar|erreichen|portable"
    r"|téléphone|appel|joindre|móvil|movil|teléfono|llam[ae]|celular|telefone|telem[óo]vel|lig(?:ar|ue)|telefono"
    r"|cellulare|bel me)"
    r"[^\n\d]{0,30}$",
    re.IGNORECASE,
)
_SAID_AFTER: Final = re.compile(
    r"^ ?[(]?(?:office|mobile|cell|fax|phone|tel|home|work|direct|büro|mobil)\b", re.IGNORECASE
)
_FAMILIAR: Final = re.compile(r"\d{3}[ .-]\d{3}[ .-]\d{4}|\d{2}([ .])\d{2}(?:\1\d{2}){3}")
"""As North Americans and the French group their digits; order numbers look like most other ways."""
REGIONS: Final = (
    "US", "GB", "DE", "FR", "ES", "PT", "BR", "AT", "CH", "IT", "NL", "BE", "SE", "DK", "NO", "FI", "PL", "IE", "MX",
    "AR", "AU", "IN", "JP",
)  # fmt: skip
CHECKED_AT_MOST: Final = 200
"""Numbers of one text that are looked at closely; from then on every candidate is masked."""
_V4: Final = re.compile(r"(?<![\w.])(?<!\w[/-])(?<![=~<>!]=)\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d|-[a-z])")
_V6: Final = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:%\w{1,15})?(?![\w:])")
_VERSION: Final = re.compile(
    r"(?:\bv|version|release|build|firmware|update|upgrade|driver|sdk|chrome|firefox|edge|safari|windows|android|ios|macos"
    r"|node|agent|client|plugin|app|section|rfc)[ /:=-]{0,3}(?:number |no\.? |is |to |v)?$",
    re.IGNORECASE,
)


def find_emails(text: str) -> Iterator[Span]:
    """Yield e-mail addresses, also spelled "name (at) host (dot) com"."""
    for found in _EMAIL.finditer(text):
        # A quote or bracket before the address belongs to the sentence.
        lead = len(found.group()) - len(found.group().lstrip("'.-"))
        yield Span(EMAIL, found.start() + lead, found.end())


def find_ips(text: str) -> Iterator[Span]:
    """Yield IP addresses other than loopback; four numbers after a word like "version" are none."""
    for pattern in (_V4, _V6):
        for found in pattern.finditer(text):
            if _is_address(found.group()) and not _VERSION.search(text[max(found.start() - 24, 0) : found.start()]):
                yield Span(IP, found.start(), found.end())


def _is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and sum(map(str.isalnum, text)) >= 4


def find_phones(text: str) -> Iterator[Span]:
    """Yield phone numbers: written internationally, named as such, or valid in one of REGIONS and grouped like one."""
    checked = 0
    for found in _NUMBER.finditer(text):
        written = found.group().rstrip(" (/.-")
        count = sum(map(str.isdigit, written))
        if not 7 <= count <= 15 or _DATE.fullmatch(written):
            continue
        if "+" not in written and is_reference(text, found.start()):
            continue
        checked += 1
        if checked > CHECKED_AT_MOST or _is_named(text, found.start(), found.end()) or _is_phone(written):
            yield Span(PHONE, found.start(), found.start() + len(written))


def _is_named(text: str, start: int, end: int) -> bool:
    return bool(_CALLED.search(text[max(start - 60, 0) : start]) or _SAID_AFTER.match(text[end : end + 12]))


def _is_phone(written: str) -> bool:
    if written.startswith(("+", "(+", "00")):
        return _valid("+" + re.sub(r"\D", "", written).removeprefix("00"), None)
    if _AMOUNT.fullmatch(written) or not (written.startswith(("0", "(")) or _FAMILIAR.fullmatch(written)):
        return False
    return any(_valid(written, region) for region in REGIONS)


def _valid(written: str, region: str | None) -> bool:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return False
    if region is None:
        return phonenumbers.is_possible_number(number)
    return phonenumbers.is_valid_number(number)
