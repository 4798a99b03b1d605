"""The rules for one sentence of a draft: each says what is wrong with it, or nothing. Pure.

A rule looks at the sentence as a reader sees it, and as it is meant: without invisible characters, with the letters of
other widths as ASCII, so that no spelling gets around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from triage.draft_words import (
    DEEDS,
    FIRST_PERSON,
    FUTURE,
    MACHINE,
    NEGATIONS,
    NUMBER_WORDS,
    PROMISES,
    SECRETS,
    SOON,
    TIMES,
    TO_AGENTS,
    UNITS,
)  # fmt: skip

FOREIGN_LINK = "it held a link or an address that no source has"
FOREIGN_PHONE = "it held a phone number that no source has"
PLACEHOLDER = "it held a placeholder that cannot be filled in"
MARKUP = "it held markup"
HIDDEN = "it held letters that only look like others"
PROMISE = "it promised {what} that no source states"
WHEN = "it named a time that no source states"
DEED = "it said that something was done, which no source states"
NUMBER = "it named a number that neither its source nor the ticket has"
ASKED = "it asked for a password or a card"
AGENT = "it spoke to the team and not to the customer"
SYSTEM = "it spoke of the model or its instructions"

_I: Final = re.IGNORECASE
_UNSEEN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_TAG: Final = re.compile(r"<[a-z/!?]|&(?:#\d+|#x[0-9a-f]+|[a-z]{2,8});|<<+|>>+|<\|", _I)
_MARKDOWN: Final = re.compile(r"\[[^\[\]]{0,200}\]\s?\(|!\[|```|\|\s*-{3,}|^\s*\|.*\|\s*$|\[[^\[\]]{1,80}\]:\s")
_DECORATION: Final = re.compile(
    r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|(?<!\w)_{1,2}(?=\w)|(?<=\w)_{1,2}(?!\w)|`+|^\s{0,3}#{1,6}\s+|^\s{0,3}>\s?"
)
_BULLET: Final = re.compile(r"^\s*(?:[-*•‣–]|\d{1,2}[.)])\s+")
_FILLABLE: Final = re.compile(
    r"\[[^\[\]]{1,60}\]|\{\{?[^{}]{0,80}\}?\}|\{%|<(?:your|name|kunde|customer)[^<>]{0,40}>|%\(?\w*\)?s\b|\$\{|_{3,}|\bX{3,}\b"
    r"|\b(?:insert|enter|add) (?:name|date|link|amount)\b|\blorem ipsum\b|\bTBD\b|\bTODO\b",
    _I,
)
_DOTS: Final = str.maketrans(dict.fromkeys("。｡．․‧∙⋅܁܂٠", "."))
_SPELT_DOT: Final = re.compile(
    r"\s*[\[({]\s*(?:\.|dot|punkt|punto|point|ponto|punt)\s*[\])}]\s*|(?<=\w)\s+dot\s+(?=\w)", _I
)
_SPELT_AT: Final = re.compile(r"\s*[\[({]\s*(?:@|at|ät|arroba)\s*[\])}]\s*", _I)
_LINK: Final = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}:/{1,2}\S*|\bhxxps?\b\S*|(?:javascript|vbscript|data|mailto|tel|sms|file|blob):\S+|(?<![\w/])//[\w.-]+\S*"
    r"|\bwww\.\S+|[^\s@<>()]{1,64}@[^\s@<>()]{2,120}|(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.)+[^\W\d_]{2,24}(?::\d+)?(?:[/?#]\S*)?"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?\S*",
    _I,
)
_TRAILING: Final = ".,;:!?)]}>\"'»“”’"
_TLD: Final = re.compile(
    r"\.(?:com|net|org|io|co|info|biz|app|dev|ru|cn|xyz|top|de|fr|es|br|pt|uk|eu|it|nl|be|ch|at|pl|us|ca|me|site|online|shop|store|link"
    r"|click|live|support|help|page|cloud|tech|ai|gg|to|ly|cc|tv|ws|in|jp|kr|au|nz|se|no|dk|fi|ie|cz|tr|mx|ar|cl|zip|mov)(?=$|[/:?#])",
    _I,
)
_PHONE: Final = re.compile(r"(?<![\w.,/-])\+?\(?\d(?:[\s().\u00a0/-]{0,3}\d){6,14}(?![\w])")
_BETWEEN_DIGITS: Final = re.compile(r"[\s()./\u00a0-]")
_DATE: Final = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\b\d{1,2}:\d{2}\b")
_NUMBER: Final = re.compile(r"\d+(?:[.,'\u00a0\u202f ]\d{3})*(?:[.,]\d+)?")
_QUANTITY: Final = re.compile(rf"(?:\d+|{'|'.join(NUMBER_WORDS.values())})[- ]?(?:{UNITS})(?!\w)|{_DATE.pattern}", _I)
_WORD: Final = re.compile(r"[^\W\d_]+")
_TOLD = {name: re.compile(words, _I) for name, words in PROMISES.items()}
_FIRST, _FUTURE, _DEED = (re.compile(words, _I) for words in (FIRST_PERSON, FUTURE, DEEDS))
_NEGATED: Final = re.compile(NEGATIONS, _I)
_SOON: Final = re.compile(rf"(?<!\w)(?:{SOON})(?!\w)", _I)
_TIME: Final = re.compile(rf"(?<!\w)(?:{TIMES})(?!\w)", _I)
_GREETED: Final = re.compile(r"\b(?:good|guten?|schönen?|bon|bonne|buen[oa]s?|buon[ao]?|bo[ma]|goede)\b.{0,12}$", _I)
_SECRET, _AGENT, _SYSTEM = (re.compile(words, _I) for words in (SECRETS, TO_AGENTS, MACHINE))
_WORDS: Final = re.compile(r"\w+")
_WRITTEN: Final = {word: number for number, words in NUMBER_WORDS.items() for word in words.split("|")}
_COMPOUND: Final = {word for word in _WRITTEN if not word.isalpha()}
# As `re.IGNORECASE` has it.
_SAME_LETTER: Final = str.maketrans("ıİ", "ii")


@dataclass(frozen=True)
class Said:
    """One sentence, and what stands behind it."""

    text: str
    """As a reader would see it."""
    cited: str = ""
    """The texts of its sources, articles and people's answers, without links."""
    stated: str = ""
    """Of these what speaks for the company itself: not what was done for another customer."""
    ticket: str = ""
    urls: Collection[str] = ()
    """Of its sources."""


def visible(text: str) -> str:
    """Return `text` on one line without what no reader sees."""
    return " ".join(_UNSEEN.sub("", text).split())


def undecorated(text: str) -> str:
    """Return `text` without Markdown's signs for bold, code, headings and lists: harmless, and no part of a reply."""
    return _DECORATION.sub("", _BULLET.sub("", text)).strip()


def meant(text: str) -> str:
    """Return `text` in the characters it stands for."""
    return unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).replace("’", "'")


def broken_link(said: Said) -> str:
    """Find links, hosts, mail addresses and phone numbers that are not the source's."""
    text = _SPELT_AT.sub("@", _SPELT_DOT.sub(".", meant(said.text.translate(_DOTS))))
    for found in _LINK.finditer(text):
        link = found.group().rstrip(_TRAILING)
        if link in said.urls or not link:
            continue
        # "invoice.paid" of an article is a word; a host, a path or an address is a place to go to.
        plain = link.isascii() and not _TLD.search(link) and not re.search(r"[/:@]|^www\.|^\d+(?:\.\d+){3}", link)
        own = "@" in link and ":" not in link and link in meant(said.stated)
        if not (own or (plain and link.casefold() in meant(said.stated).casefold())):
            return FOREIGN_LINK
    known = _BETWEEN_DIGITS.sub("", meant(said.stated))
    told = _BETWEEN_DIGITS.sub("", meant(f"{said.cited}\n{said.ticket}"))
    for found in _PHONE.finditer(text):
        digits = _BETWEEN_DIGITS.sub("", found.group()).lstrip("+")
        shaped = found.group().startswith(("+", "0", "(")) or re.search(r"\d[\s)/-]+\d", found.group())
        # A long plain number may be an invoice of the ticket; what is written like a phone is the source's or foreign.
        if digits not in known and (shaped or digits not in told):
            return FOREIGN_PHONE
    return ""


def broken_form(said: Said) -> str:
    """Find markup, placeholders and letters in disguise."""
    text = meant(said.text)
    if _MARKDOWN.search(text) or _TAG.search(text):
        return MARKUP
    if _FILLABLE.search(text):
        return PLACEHOLDER
    return HIDDEN if any(map(_disguised, _WORD.findall(text))) else ""


def _disguised(word: str) -> bool:
    """Say whether a word mixes Latin letters with Cyrillic or Greek ones."""
    latin = any("a" <= one <= "z" or "A" <= one <= "Z" for one in word)
    return latin and any("\u0370" <= one <= "\u052f" for one in word)


def broken_address(said: Said) -> str:
    """Find what is said to the team, or by the model about itself."""
    text, stated = meant(said.text), meant(said.stated).casefold()
    for words, problem in ((_SYSTEM, SYSTEM), (_AGENT, AGENT)):
        # A help article may well explain how to close a ticket; another customer's ticket explains nothing.
        if any(found.group().casefold() not in stated for found in words.finditer(text)):
            return problem
    return ""


def broken_secret(said: Said) -> str:
    """Find a secret that is asked for; only for sentences that ask."""
    return ASKED if _SECRET.search(meant(said.text)) and not negated(said.text) else ""


def broken_promise(said: Said) -> str:
    """Find what only the company can promise and no article or person states."""
    text, stated = meant(said.text), meant(said.stated)
    ours = bool(_FIRST.search(text))
    for what, words in _TOLD.items():
        if words.search(text) and not any(
            words.search(one) and (negated(text) or not negated(one)) and (not ours or _FIRST.search(one))
            for one in sentences(stated)
        ):
            return PROMISE.format(what=what)
    for found in _TIME.finditer(text):
        if not _GREETED.search(text[: found.start()]) and found.group().casefold() not in stated.casefold():
            return WHEN
    if _DEED.search(text) and not _DEED.search(stated):
        return DEED
    if ours or _FUTURE.search(text):
        return _late(text, stated)
    return ""


def _late(text: str, stated: str) -> str:
    """Find a duration or a date in a sentence about what will be, which no source states."""
    known = numbers(stated)
    late = any(strange(found.group(), known) for found in _QUANTITY.finditer(text))
    return WHEN if late or (_SOON.search(text) and not _SOON.search(stated)) else ""


def broken_number(said: Said) -> str:
    """Find a number, written in digits or in words, that stands neither in the source nor in the ticket."""
    text = said.text
    for url in said.urls:
        text = text.replace(url, " ")
    return NUMBER if strange(text, numbers(said.cited) | numbers(said.ticket)) else ""


def numbers(text: str) -> set[str]:
    """Return the numbers of `text` in one spelling: "1,200.00", "1.200,00" and "1200" are the same."""
    return _wanted(meant(text)) | {part.lstrip("0") or "0" for part in re.findall(r"\d+", meant(text))}


def strange(text: str, known: Collection[str]) -> set[str]:
    """Return the numbers of `text` that are not among the `known` ones; of a date or a time each part counts."""
    return _wanted(_DATE.sub(lambda date: " ; ".join(re.findall(r"\d+", date.group())), meant(text))) - set(known)


def _wanted(text: str) -> set[str]:
    found = {_plain_number(one) for one in _NUMBER.findall(text)}
    # Word by word, not pattern by pattern: a whole ticket is read for each sentence of a draft.
    plain = text.translate(_SAME_LETTER).lower()
    found |= {_WRITTEN[word] for word in set(_WORDS.findall(plain)) & _WRITTEN.keys()}
    return found | {_WRITTEN[one] for one in _COMPOUND if one in plain and re.search(rf"(?<!\w){one}(?!\w)", plain)}


def _plain_number(text: str) -> str:
    whole = re.sub(r"[ '\u00a0\u202f](?=\d{3})", "", text)
    last = max(whole.rfind("."), whole.rfind(","))
    if last >= 0 and len(whole) - last - 1 != 3:
        head, tail = re.sub(r"[.,]", "", whole[:last]), whole[last + 1 :].rstrip("0")
        return f"{head.lstrip('0') or '0'}.{tail}" if tail else head.lstrip("0") or "0"
    return re.sub(r"[.,]", "", whole).lstrip("0") or "0"


def negated(text: str) -> bool:
    """Say whether a sentence denies something."""
    return bool(_NEGATED.search(meant(text)))


def denials(text: str) -> int:
    """Return how often a sentence denies something."""
    return len(_NEGATED.findall(meant(text)))


_ABBREVIATIONS: Final = "Dr Mr Ms St Nr nr No no ca Sr bzw inkl zzgl etc usw ggf vgl max min Inc Ltd Abs Art vs ex"
"""Before a full stop they end no sentence."""
_END: Final = re.compile(
    r"(?<=[^\W\d_]{2}[.!?…])[\"'”»)]{0,3}"
    + "".join(rf"(?<!\b{word}\.)" for word in _ABBREVIATIONS.split())
    + r"\s+(?=[^\Wa-zß-öø-ÿ_])|(?:(?<=[)\]%][.!?…])|(?<=\d{3}\.))\s+(?=[^\Wa-zß-öø-ÿ_\d])|(?<=\w[!?])\s+"
    # Between Latin letters such a stop is a dot in disguise.
    r"|(?<=[。！？])(?!(?<=[A-Za-z0-9]。)[A-Za-z0-9])|\n+"
)


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`; abbreviations like "z. B." end none."""
    return [one.strip() for one in _END.split(text) if one.strip()]
