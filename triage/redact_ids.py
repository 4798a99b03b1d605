"""Numbers by which states know their people; each form has its own check, so that order numbers stay readable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from triage.redact_spans import ID, Span
from triage.redact_words import is_reference

_NOT_BEFORE: Final = r"(?<![\w.,/+-])"
_NOT_AFTER: Final = r"(?![\w/]|[.,-][0-9])"
_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_CF_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip
# A number that has no check of its own counts only right after a word for it.
_NAMED: Final = re.compile(
    r"\b(?:ssn|social security(?: (?:number|no\.?|#))?|itin|passport(?: (?:number|no\.?|#))?|driver'?s? licen[sc]e"
    r"(?: (?:number|no\.?|#))?|national id(?: (?:number|no\.?|card))?|tax id|nhs number|reisepass(?:nummer)?"
    r"|pass-?nr\.?|personalausweis(?:nummer)?|ausweis(?:nummer|-nr\.?)|sozialversicherungsnummer|steuer-?id"
    r"|passeport(?: n[°o]\.?)?"
    r"|num[ée]ro de s[ée]curit[ée] sociale|pasaporte|n[úu]mero de pasaporte|passaporte|nif|contribuinte|bsn"
    r"|burgerservicenummer|pesel|codice fiscale|aadhaar|pan card)"
    r"(?: (?:number|is|ist|lautet|est|es|é|:|no\.?|nr\.?)){0,2}\s{0,3}[:=#]?\s{0,3}"
    r"(?P<id>[A-Za-z0-9][A-Za-z0-9 .-]{3,20}[A-Za-z0-9])",
    re.IGNORECASE,
)
_HAS_ID: Final = re.compile(r"^(?:[A-Za-z]{0,3}[ .-]?)?[0-9][0-9A-Za-z]*(?:[ .-][0-9][0-9A-Za-z]*){0,5}")


def _digits(text: str) -> list[int]:
    return [int(character) for character in text if character.isdigit()]


def _always(_text: str) -> bool:
    return True


def is_german_tax_id(text: str) -> bool:
    """Check an Identifikationsnummer: one digit stands two or three times among the first ten; ISO 7064 mod 11, 10."""
    digits = _digits(text)
    if len(digits) != 11 or digits[0] == 0 or len(set(digits[:10])) not in (8, 9):
        return False
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def is_french_nir(text: str) -> bool:
    """Check a numéro de sécurité sociale by its key, 97 minus the rest of 97."""
    plain = re.sub(r"\W", "", text).upper()
    # Corsica's departments 2A and 2B count as 19 and 18.
    number = plain[:13].replace("2A", "19", 1).replace("2B", "18", 1)
    return number.isdigit() and 97 - int(number) % 97 == int(plain[13:])


def is_spanish(text: str) -> bool:
    """Check a DNI or NIE by its letter."""
    plain = re.sub(r"\W", "", text).upper()
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and _DNI_LETTERS[int(number) % 23] == plain[-1]


def is_cpf(text: str) -> bool:
    """Check a Brazilian CPF by its two check digits."""
    digits = _digits(text)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    return all(
        sum(digit * weight for digit, weight in zip(digits, range(count + 1, 1, -1), strict=False)) * 10 % 11 % 10
        == digits[count]
        for count in (9, 10)
    )


def is_codice_fiscale(text: str) -> bool:
    """Check an Italian codice fiscale by its last letter."""
    plain = text.upper()
    odd = sum(_CF_ODD[character] for character in plain[0:15:2])
    even = sum(int(character, 36) - (10 if character.isalpha() else 0) for character in plain[1:15:2])
    return (odd + even) % 26 == ord(plain[15]) - ord("A")


def is_ahv(text: str) -> bool:
    """Check a Swiss AHV number, an EAN-13."""
    digits = _digits(text)
    return (sum(digits[0:12:2]) + 3 * sum(digits[1:12:2]) + digits[12]) % 10 == 0


def is_nhs(text: str) -> bool:
    """Check a British NHS number, mod 11."""
    digits = _digits(text)
    return (11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11) % 11 == (
        digits[9]
    )


_FORMS: Final[tuple[tuple[str, Callable[[str], bool]], ...]] = (
    # US social security and taxpayer numbers; 000, 666 and 00-groups are never given out (ssa.gov).
    (r"(?!000|666)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}", _always),
    # UK national insurance (gov.uk, NIM39110).
    (r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", _always),
    (r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", is_german_tax_id),
    (r"[1-478] ?[0-9]{2} ?(?:0[1-9]|[1-9][0-9]) ?(?:[0-9]{2}|2[ABab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", is_french_nir),
    (r"[XYZxyz][ -]?[0-9]{7}[ -]?[A-Za-z]|[0-9]{8}[ -]?[A-Za-z]", is_spanish),
    (r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}", is_cpf),
    (r"[A-Za-z]{6}[0-9]{2}[A-EHLMPRSTa-ehlmprst][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]", is_codice_fiscale),
    (r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", is_ahv),
    (r"[0-9]{3} [0-9]{3} [0-9]{4}", is_nhs),
)
_COMPILED: Final = [(re.compile(f"{_NOT_BEFORE}(?:{form}){_NOT_AFTER}"), check) for form, check in _FORMS]


def find_ids(text: str) -> Iterator[Span]:
    """Yield national ids: those that pass their own check, and any after a word that says what it is."""
    for form, check in _COMPILED:
        for found in form.finditer(text):
            if check(found.group()) and not is_reference(text, found.start()):
                yield Span(ID, found.start(), found.end())
    for found in _NAMED.finditer(text):
        number = _HAS_ID.match(found["id"])
        if number and sum(map(str.isdigit, number.group())) >= 5:
            yield Span(ID, found.start("id"), found.start("id") + number.end())
