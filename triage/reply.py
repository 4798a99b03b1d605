"""The public auto-reply: whether a draft may become one, and its text. Pure.

What it says comes from the draft and the desk's own articles; that it is automated and how to reach a person from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from triage.defang import defanged
from triage.draft import Draft
from triage.draft_check import claims_nothing, offers
from triage.note_parts import Link, Part
from triage.settings_speech import SpeechRules
from triage.sources import SHOWN, Source, Sources

AUTOMATED: dict[str, str] = {
    "en": "This is an automated answer: software wrote it from our help articles, and nobody has checked it. "
    "If it does not help, reply to this message and a person will read it.",
    "de": "Dies ist eine automatische Antwort: Ein Programm hat sie aus unseren Hilfeartikeln geschrieben, niemand "
    "hat sie "
    "geprüft. Wenn sie nicht hilft, antworten Sie auf diese Nachricht, dann liest sie ein Mensch.",
    "fr": "Ceci est une réponse automatique : un logiciel l'a rédigée à partir de nos articles d'aide et personne "
    "ne l'a "
    "vérifiée. Si elle ne vous aide pas, répondez à ce message et une personne le lira.",
    "es": "Esta es una respuesta automática: la ha escrito un programa a partir de nuestros artículos de ayuda y "
    "nadie la ha "
    "revisado. Si no le sirve, responda a este mensaje y lo leerá una persona.",
    "it": "Questa è una risposta automatica: l'ha scritta un programma a partire dai nostri articoli di assistenza "
    "e nessuno "
    "l'ha controllata. Se non è utile, risponda a questo messaggio e lo leggerà una persona.",
    "pt": "Esta é uma resposta automática: um programa escreveu-a a partir dos nossos artigos de ajuda e ninguém a "
    "verificou. "
    "Se não ajudar, responda a esta mensagem e uma pessoa irá lê-la.",
    "nl": "Dit is een automatisch antwoord: software schreef het op basis van onze hulpartikelen en niemand heeft het "
    "gecontroleerd. Als het niet helpt, beantwoord dan dit bericht en een mens leest het.",
}
REFERENCE_LINE = "Ref. {reference}"
LONGEST = 2500
# Of our notes and of our replies: what carries one answers us, or quotes us.
REFERENCE = re.compile(r"\bTDM-[2-9A-HJKMNP-Z]{10}\b")
NUMBER = re.compile(r"\s*\[(\d{1,2})\]")
# A sentence ends, its number may stand behind the full stop.
_SENTENCE = re.compile(r"(?<=[.!?…。！？])(?!\s*\[\d)\s+|(?<=\])\s+(?=[A-ZÀ-Þ¿¡])|\n+")
_LETTERS = re.compile(r"[^\W\d_]+")
SHORT, COURTEOUS = 6, 15
"""Words of a sentence without a number: of any, like greeting and closing, and of one that asks, thanks or is sorry."""
TAIL = 4
"""Words after a comma of such a sentence: more could be a claim that follows the thanks."""
_TURN = re.compile(
    r"[,;:–—]\s|\s-\s|\b(?:but|because|since|aber|weil|denn|mais|car|pero|porque|perché|mas|maar|want)\b", re.IGNORECASE
)
_CLAIM = re.compile(r"\d|https?:|@")
_MONEY_OR_DATE = re.compile(
    r"[€$£¥]|\b(?:usd|eur|refund|reimburs|credit|discount|voucher|compensat|waive|free of charge|guarantee|promis"
    r"|warrant"
    r"|erstatt|gutschrift|rabatt|entschädig|garantie|kostenlos|versprech|rembours|remise|dédommag|gratuit|garanti"
    r"|reembols|descuento|garantiz|compensa|rimbors|sconto|garanti|gratuit|desconto|garant|terugbetal|korting|vergoed"
    r"|today|tomorrow|within \d|heute|morgen|binnen \d|innerhalb|demain|aujourd'hui|mañana|domani|oggi|amanhã|vandaag)",
    re.IGNORECASE,
)


def good_sources(sources: Sources) -> list[Source]:
    """Return the help-centre articles with a page everybody may read that are close to the question."""
    return [one for one in sources.articles if one.close and one.url][:SHOWN]


def faults(draft: Draft, sources: Sources) -> list[str]:
    """Return why the draft cannot stand without a person, nothing where it can."""
    found = []
    if not draft.text.strip():
        found.append("there is no draft")
    if draft.withheld or draft.removed:
        found.append("a part of the draft was withheld")
    if draft.open:
        found.append("a question of the ticket is not answered")
    public = {number for number, one in sources.numbered() if one in good_sources(sources)}
    if not {int(number) for number in NUMBER.findall(draft.text)} <= public:
        found.append("the draft rests on something that is no close help article")
    if draft.question or draft.options:
        found.append("a fact only a person knows is missing")
    if draft.text.strip() and not fully_sourced(draft.text):
        found.append("not every sentence of the draft has a source")
    if defanged(draft.text) != draft.text or "<" in draft.text:
        found.append("the draft holds a link or an address")
    if _MONEY_OR_DATE.search(draft.text):
        found.append("the draft speaks of money or of a date")
    if len(draft.text) > LONGEST:
        found.append("the draft is too long")
    return found


def fully_sourced(text: str) -> bool:
    """Say whether every sentence carries a source number, but for greeting and closing."""
    sentences = [one.strip() for one in _SENTENCE.split(text) if one.strip()]
    bare = [one for one in sentences if not NUMBER.search(one)]
    if len(bare) == len(sentences):
        return False
    return all(not _CLAIM.search(one) and (_size(one) <= SHORT or _is_courteous(one)) for one in bare)


def _is_courteous(text: str) -> bool:
    """Say whether a sentence only asks, thanks or is sorry."""
    after = [_size(tail) for tail in _TURN.split(text)[1:]]
    # "If it does not help, reply to this message" is one thought.
    return claims_nothing(text, COURTEOUS) and (offers(text) or max(after, default=0) <= TAIL)


def _size(text: str) -> int:
    return len(_LETTERS.findall(text))


def languages(rules: SpeechRules) -> Mapping[str, str]:
    """Return the text that says who writes, by language."""
    return AUTOMATED | {str(language): text for language, text in rules.automated_text.items()}


def compose_reply(draft: Draft, sources: Sources, rules: SpeechRules, language: str, reference: str) -> list[Part]:
    """Return the parts of the public reply."""
    paragraphs = [line.strip() for line in NUMBER.sub("", draft.text).splitlines() if line.strip()]
    links = tuple(Link(one.title, one.url) for one in good_sources(sources))
    told = languages(rules)
    return [
        *(Part(line) for line in paragraphs),
        Part("", links),
        Part(told.get(language) or told["en"]),
        Part(REFERENCE_LINE.format(reference=reference)),
    ]
