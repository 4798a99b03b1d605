"""Names of people: the known ones, those a text gives away (greeting, closing, "my name is"), and common given names.

No model reads the text: a rare name in the middle of a sentence, with nothing around it that says so, is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from triage.clean_words import REGARDS, THANKS
from triage.redact_given import GIVEN
from triage.redact_spans import NAME, Span
from triage.redact_words import NO_NAMES, ORDINARY

_WORD: Final = r"[^\W\d_]{1,40}(?:['’-][^\W\d_]{1,40}){0,3}\.?"
_SMALL: Final = r"(?:(?:de|del|della|di|da|do|dos|das|du|la|le|van|von|der|den|ten|ter|zu|zum|bin|al|el|y|e|O['’]) )"
_GAP: Final = r"[ \u00a0]"
_FULL: Final = rf"{_WORD}(?:{_GAP}{_SMALL}{{0,2}}{_WORD}){{0,3}}"
_TITLE: Final = (
    r"(?:Mrs?|Ms|Miss|Mx|Dr|Prof|Sir|Herrn?|Frau|Mme|Mlle|Monsieur|Madame|Sr|Sra|Srta|Señora?|Don|Doña|Senhora?|Dona"
    r"|Signora?|Sig|Dhr|Mevr|Mevrouw|Meneer)"
)
_HELLO: Final = (
    r"hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|greetings|hallo|guten (?:tag|morgen|abend)|moin|servus"
    r"|liebe[rs]?|sehr geehrte[rs]?|werte[rs]?|bonjour|bonsoir|salut|cher|chère|chers|hola|buen[oa]s(?: días| tardes)?"
    r"|estimad[oa]s?|querid[oa]s?|olá|ola|oi|bom dia|boa (?:tarde|noite)|prezad[oa]s?|car[oa]s?|ciao|gentile|beste"
    r"|geachte|hej|hei"
)
_GREETING: Final = re.compile(
    rf"^[> \t]{{0,8}}(?:{_HELLO})[ ,\u00a0]{{1,3}}(?:(?:{_TITLE})\.?[ \u00a0]{{1,2}}){{0,2}}(?P<name>{_FULL}?)"
    rf"(?=[ \t]{{0,3}}(?:[,;:!.…–-]|$)|[ \t]+(?:from|von|de|here|and|und|et|y|e)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_CLOSING: Final = re.compile(
    rf"^[ \t]{{0,8}}(?:{REGARDS}|{THANKS})[ \t]{{0,3}}[,.!;–-]{{0,2}}[ \t]{{0,3}}(?:\n[ \t]{{0,8}}){{0,3}}"
    rf"(?:[-–/~*][ \t]{{0,2}})?(?=(?P<name>{_FULL})[ \t]{{0,3}}[,.!|(]?[ \t]{{0,3}}$)",
    re.IGNORECASE | re.MULTILINE,
)
_DASHED: Final = re.compile(rf"^[ \t]{{0,4}}[-–—/~][ \t]{{0,2}}(?P<name>{_FULL})[ \t]{{0,3}}\Z", re.MULTILINE)
_TITLED: Final = re.compile(rf"(?<!\w)(?:{_TITLE})(?:\. ?| )(?:(?:{_TITLE})(?:\. ?| )){{0,2}}(?P<name>{_FULL})")
# What says plainly that a name follows, and what often does.
_SURE: Final = (
    r"(?:my|the|his|her|full|first|last|middle|maiden|family|sur|nick|customer|contact|account holder|holder) ?"
    r"name(?:'s| is| was|:)|i am called|calls? me"
    r"|mein name (?:ist|lautet)|ich hei(?:ß|ss)e|je m['’]appelle|mon nom est|me llamo|mi nombre es|me chamo|chamo-me"
    r"|meu nome é|mi chiamo|il mio nome è|mijn naam is|ik heet"
    r"|(?:name|contact(?: person)?|attn|attention|customer|requester|kunde"
    r"|ansprechpartner(?:in)?|nom|nombre|nome|cliente"
    r"|from|von|de|signed|gezeichnet|i\. ?a\.|i\. ?v\.)[ \t]{0,3}:"
)
_LIKELY: Final = (
    r"this is|i am|i['’]m|it['’]s|here is|ich bin|hier ist|hier schreibt|je suis|c['’]est|soy|sou|sono|ik ben"
    r"|(?:my|our|your|the|a|mein(?:e[rnm]?)?|unser(?:e[rnm]?)?|ihr(?:e[rnm]?)?|mon|ma|notre|votre|mi|nuestr[oa]|meu|minha)"
    r" (?:colleague|co-worker|manager|boss|assistant|partner|husband|wife|son|daughter|kollegen?|kollegin|chef(?:in)?"
    r"|mann|sohn|tochter|mitarbeiter(?:in|s)?|collègue|mari|femme|fils|fille|colega|jefe|jefa|marido|esposa|hij[oa])"
    r"|(?:spoke|talked|speaking|chatted|met|gesprochen|telefoniert|parlé|hablé|falei) (?:with|to|mit|avec|con|com)"
)
_INTRODUCED: Final = re.compile(
    rf"(?<!\w)(?:(?P<sure>{_SURE})|(?:{_LIKELY}))[ \t\u00a0,:]{{1,4}}(?P<name>{_FULL})", re.IGNORECASE
)
_MAIL_NAME: Final = re.compile(rf"(?<![\w'’.-])(?P<name>{_FULL})[ \t]{{0,2}}[<(](?=[\w.+%'-]{{1,64}}@)")
_DESK: Final = re.compile(
    r"team|support|servi[cç]|kunde|dienst|abteilung|helpdesk|atendimento|atenci[óo]n", re.IGNORECASE
)
"""Whom people greet where they know no name."""
_CAPITAL: Final = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]{0,40}(?:['’-][^\W\d_]{1,40}){0,3}(?!\w)"
_CAPITALS: Final = re.compile(
    rf"(?<![\w'’.@/-]){_CAPITAL}(?:{_GAP}(?:[A-Z]\.{_GAP}){{0,2}}{_SMALL}{{0,2}}{_CAPITAL}){{0,3}}"
)
_PARTS: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_POSSESSIVE: Final = re.compile(r"['’]s?$")
_INITIAL: Final = re.compile(rf"(?<![\w'’.@/-])(?P<first>{_CAPITAL}){_GAP}[A-ZÀ-Þ]\.{_GAP}(?P<last>{_CAPITAL})")
"""Anna K. Meier."""
_ENDINGS: Final = (
    r"sson|ström|qvist|dóttir|owski|ewski|owska|ewska|iński|ińska|[oe]vić|[oe]vic|ová|wicz|enko|chuk|lainen|kainen"
    r"|ielsen|ansen|escu|shvili|dze|oğlu|opoulos|akis|idis|yan|nyi|huber|meier|mayer|meyer|müller"
)
_SURNAME: Final = re.compile(
    rf"(?<![\w'’.@/-])(?P<first>{_CAPITAL}){_GAP}(?:{_SMALL}){{0,2}}[A-ZÀ-ÞČĎŘŠŽŁŚŹŻ][^\W\d_]{{2,40}}(?:{_ENDINGS})(?!\w)"
)
"""Hedvig Arvidsson: endings that hardly any other word has."""
_LIST: Final = re.compile(
    rf"{_CAPITAL}(?:(?:, ?| (?:and|und|et|y|e|en|&) |, (?:and|und|et|y|e|en) ){_CAPITAL}){{1,20}}"
)
LEAST_LISTED: Final = 2
LEAST: Final = 3
"""Letters a part of a name has at least to be looked for on its own."""
MAX_KNOWN: Final = 200


Hints = dict[str, list[Span]]
"""Text -> where it gives names away: looked for once, though each text is read twice."""


def gather_names(texts: Iterable[str], hints: Hints | None = None) -> list[str]:
    """Return the names that `texts` give away, each once; what was found is added to `hints`."""
    found: dict[str, None] = {}
    for text in texts:
        spans = list(_hinted(text))
        if hints is not None:
            hints[text] = spans
        for span in spans:
            found[text[span.start : span.end]] = None
    return list(found)[:MAX_KNOWN]


def find_names(text: str, known: Iterable[str] = (), hints: Hints | None = None) -> Iterator[Span]:
    """Yield where the `known` names, their parts and the names that `text` gives away stand."""
    seen = hints.get(text) if hints else None
    hinted = list(_hinted(text)) if seen is None else seen
    yield from hinted
    given = list(dict.fromkeys(text[span.start : span.end] for span in hinted))[:MAX_KNOWN]
    yield from _places(text, _index([*known, *given]))


def _hinted(text: str) -> Iterator[Span]:
    addressed = (_MAIL_NAME,) if "@" in text else ()
    for pattern in (_GREETING, _CLOSING, _DASHED, _TITLED, *addressed):
        for found in pattern.finditer(text):
            # "hi john," and "thanks, ana" are written small; a titled name is not.
            yield from _named(found, 1, small=pattern in (_GREETING, _CLOSING))
    yield from _given(text)
    yield from _built(text)
    yield from _listed(text)
    for found in _INTRODUCED.finditer(text):
        yield from _named(found, 1 if found["sure"] else 2, small=False)


def _given(text: str) -> Iterator[Span]:
    """Yield common given names, with the names that follow them on the same line."""
    for found in _CAPITALS.finditer(text):
        words = list(_PARTS.finditer(found.group()))
        first = next((place for place, word in enumerate(words) if _bare(word.group()) in GIVEN), None)
        if first is None:
            continue
        last = first
        while last + 1 < len(words) and words[last + 1].group().casefold() not in NO_NAMES:
            last += 1
        yield Span(NAME, found.start() + words[first].start(), found.start() + words[last].end())


def _bare(word: str) -> str:
    """Return a word as lists hold it: "Amanda's" is Amanda."""
    return _POSSESSIVE.sub("", word.casefold())


def _built(text: str) -> Iterator[Span]:
    """Yield names that their build gives away: an initial in the middle, or a surname by its ending."""
    for found in _INITIAL.finditer(text):
        if not {found["first"].casefold(), found["last"].casefold()} & NO_NAMES:
            yield Span(NAME, found.start(), found.end())
    for found in _SURNAME.finditer(text):
        if found["first"].casefold() not in NO_NAMES | ORDINARY:
            yield Span(NAME, found.start(), found.end())


def _listed(text: str) -> Iterator[Span]:
    """Yield the single words of a list like "Ana, Efimiya and Tom", two of which at least are common given names."""
    for found in _LIST.finditer(text):
        words = list(_PARTS.finditer(found.group()))
        names = [word for word in words if word.group()[:1].isupper()]
        if sum(_bare(word.group()) in GIVEN for word in names) < LEAST_LISTED:
            continue
        for word in names:
            if word.group().casefold() not in NO_NAMES:
                yield Span(NAME, found.start() + word.start(), found.start() + word.end())


def _named(found: re.Match[str], least: int, *, small: bool) -> Iterator[Span]:
    """Yield the leading words of the match that can be a name, if there are at least so many."""
    start = end = found.start("name")
    count = 0
    small = small and " " not in found["name"]
    for word in re.finditer(r"\S+", found["name"]):
        bare = word.group().rstrip(".")
        if _is_particle(bare) and count:
            continue
        capital = bare[:1].isupper() and not (
            len(bare) > 4 and bare.isupper() and found["name"] != found["name"].upper()
        )
        if (
            bare.casefold() in NO_NAMES
            or _DESK.search(bare)
            or not (capital or (small and bare.casefold() not in ORDINARY))
        ):
            break
        end = found.start("name") + word.start() + len(bare)
        count += 1
    if count >= least and end - start > 1:
        yield Span(NAME, start, end)


def _is_particle(word: str) -> bool:
    return bool(re.fullmatch(_SMALL, word + " ", re.IGNORECASE))


def _index(names: Iterable[str]) -> Mapping[str, list[list[str]]]:
    """Return first word (case folded) -> the names that begin with it, as words, longest first; parts are names too."""
    index: dict[str, list[list[str]]] = {}
    for name in list(dict.fromkeys(names))[:MAX_KNOWN]:
        words = [word for word in _PARTS.findall(name) if word.casefold() not in NO_NAMES]
        parts = [[word] for word in words if len(word) >= LEAST]
        for each in ([words] if len(words) > 1 else []) + parts:
            known = index.setdefault(each[0].casefold(), [])
            if each not in known:
                known.append(each)
    for known in index.values():
        known.sort(key=len, reverse=True)
    return index


def _places(text: str, index: Mapping[str, list[list[str]]]) -> Iterator[Span]:
    if not index:
        return
    words = list(_PARTS.finditer(text))
    for place, word in enumerate(words):
        for name in index.get(word.group().casefold(), ()):
            here = words[place : place + len(name)]
            if len(name) == 1 and not _stands_for(word.group(), name[0]):
                continue
            if [one.group().casefold() for one in here] == [one.casefold() for one in name]:
                yield Span(NAME, word.start(), here[-1].end())
                break


def _stands_for(word: str, name: str) -> bool:
    """Say whether a single `word` is the part `name` of a name and not the ordinary word."""
    if name.casefold() in ORDINARY:
        return word == name and word[:1].isupper()
    return True
