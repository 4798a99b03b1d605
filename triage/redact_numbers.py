"""Payment cards and bank accounts, told from other numbers by their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from triage.redact_spans import CARD, IBAN, Span
from triage.redact_words import is_reference

# Between two groups up to three signs: "4111 - 1111", two spaces out of a form.
_DIGITS: Final = re.compile(r"(?<![\w.,+])[0-9](?:[ \u00a0-]{0,3}[0-9]){11,40}(?![\w])")
# Dots are for decimals too, so with these only the way cards are printed counts.
_DOTTED: Final = re.compile(r"(?<![\w.,+])(?:[0-9]{4}(?:\.[0-9]{4}){3}|3[0-9]{3}\.[0-9]{6}\.[0-9]{5})(?![\w]|\.[0-9])")
_GROUP: Final = re.compile(r"[0-9]+")
CARD_LENGTHS: Final = range(12, 20)
# The card networks' ranges with the lengths they give out (ISO/IEC 7812 issuer identification numbers).
_NETWORK: Final = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9][0-9]|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11,16}|35[0-9]{14,17}|(?:2131|1800)[0-9]{11}"
    r"|(?:5[06-8]|6[0-9])[0-9]{10,17}"
)
_IBAN_START: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ \u00a0-]?[A-Za-z0-9]|\r?\n[A-Za-z0-9])")
# Lengths from the SWIFT IBAN registry.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def find_cards(text: str) -> Iterator[Span]:
    """Yield card numbers: whole groups of digits, of a card network's range, that pass the Luhn check."""
    for dotted in _DOTTED.finditer(text):
        if is_card(dotted.group().replace(".", "")):
            yield Span(CARD, dotted.start(), dotted.end())
    for run in _DIGITS.finditer(text):
        groups = [(group.start() + run.start(), group.group()) for group in _GROUP.finditer(run.group())]
        first = 0
        while first < len(groups):
            last = _card_end(groups, first)
            start, (end, digits) = groups[first][0], groups[last - 1]
            # A payment card is not called an order; one written in groups is a card whatever stands before it.
            if last and not (last == first + 1 and is_reference(text, start)):
                yield Span(CARD, start, end + len(digits))
            first = last or first + 1


def _card_end(groups: list[tuple[int, str]], first: int) -> int:
    """Return the index after the last group of a card number that begins with group `first`, 0 where none does."""
    digits = ""
    found = 0
    for place in range(first, len(groups)):
        digits += groups[place][1]
        if len(digits) >= CARD_LENGTHS.stop:
            break
        if len(digits) in CARD_LENGTHS and is_card(digits):
            found = place + 1
    return found


def is_card(digits: str) -> bool:
    """Say whether `digits` could be a card number: a known range and the Luhn check digit."""
    if not _NETWORK.fullmatch(digits) or len(set(digits)) == 1:
        return False
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(digit), 10)) for digit in even)) % 10 == 0


def find_ibans(text: str) -> Iterator[Span]:
    """Yield account numbers of a known country, with its length and right check digits (ISO 13616, mod 97)."""
    for start in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get(start.group()[:2].upper(), 0)
        end, found = start.start(), ""
        while end < len(text) and len(found) < length:
            character = text[end]
            if character.isascii() and character.isalnum():
                found += character
            elif not (character in " -\u00a0\r\n" and (text[end - 1].isalnum() or text[end - 1 : end + 1] == "\r\n")):
                break
            end += 1
        ends = end == len(text) or not text[end].isalnum()
        if length and len(found) == length and ends and _mod_97(found.upper()) == 1:
            yield Span(IBAN, start.start(), end)


def _mod_97(account: str) -> int:
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97
