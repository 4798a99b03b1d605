"""What of a model's draft may be shown: code, not a prompt, decides. Pure.

A sentence that breaks a rule is taken out; where too little is left, or where the model shows that it follows somebody
else, the whole draft is withheld. Each says why in one plain sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from triage.draft_rules import (
    AGENT,
    SYSTEM,
    Said,
    broken_address,
    broken_form,
    broken_link,
    broken_number,
    broken_promise,
    broken_secret,
    meant,
    sentences,
    undecorated,
    visible,
)  # fmt: skip
from triage.draft_support import Close, count, in_language, nothing_close, shared_words, supported, words
from triage.draft_words import ASKING, COURTESY, OFFERS, OPENERS
from triage.language import UNDETERMINED
from triage.summary import gives_orders

MOST_WORDS = 120
MAX_COURTESY, MAX_OFFER = 30, 15
"""Words of a sentence that may do without a source."""
MAX_GREETING, MAX_CLOSING = 12, 25
MAX_OPEN, MAX_QUESTION = 3, 160
MAX_OPTIONS, MAX_OPTION = 3, 40
MAX_SENTENCE = 500
"""Characters: what is longer is no sentence of a reply."""
ANSWERED = 0.4
"""Cosine from which a question of the ticket counts as one of the model's."""
LANGUAGE_LETTERS = 40
"""From so many on the language of a whole draft is known; of a sentence from twice as many."""
SHINGLE = 8
"""Words in a row that stand in the prompt too, from which a sentence is taken for a part of it."""
ECHO_WORDS = 5
"""Words in a row of the customer's, from which what needs no source is taken for theirs."""

NO_SOURCE = "it named no source"
WRONG_SOURCE = "it named a source that was not given"
UNSUPPORTED = "its source does not say so"
LANGUAGE = "it was not in the customer's language"
ECHO = "it repeated the customer's words"
TOO_LONG = "the draft was longer than 120 words"
NOTHING_LEFT = "no sentence of it stood the check"
TOO_LITTLE_LEFT = "more of it broke the rules than stood"
NOTHING_SAID = "the sources do not answer it"
_FATAL: Final = frozenset({SYSTEM, AGENT})
"""Whoever writes these follows another than us: the rest is not trusted either."""

_ASKING, _COURTESY = re.compile(ASKING, re.IGNORECASE), re.compile(rf"^\W*(?:{COURTESY})", re.IGNORECASE)
_OFFER: Final = re.compile(rf"^\W*(?:{OFFERS})", re.IGNORECASE)
_OPENER: Final = re.compile(rf"[¿\W]*(?:{OPENERS})(?!\w)", re.IGNORECASE)
_QUESTION: Final = re.compile(r"[?？؟]\W*$")


@dataclass(frozen=True)
class Given:
    """One source as the model was shown it."""

    text: str
    url: str = ""
    stated: bool = True
    """It speaks for the company: an article, a file, or what a person answered; not what another customer was told."""


@dataclass(frozen=True)
class Answered:
    """One question of the ticket, as the model saw it, and its sentences with the numbers of their sources."""

    question: str
    sentences: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A model's draft before anybody has looked at it; names are back in it."""

    greeting: str = ""
    answers: tuple[Answered, ...] = ()
    closing: str = ""
    question: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a draft is judged by."""

    sources: Mapping[int, Given]
    ticket: str
    """Everything public that was said, in the words of its writers."""
    asked: str = ""
    """The customer's own words since an agent last answered."""
    language: str = UNDETERMINED
    """The one the draft must be in."""
    prompt: str = ""
    """What the model was told, which must not come back."""
    close: Close = nothing_close


@dataclass
class Verdict:
    """What may be shown."""

    text: str = ""
    withheld: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    question: str = ""
    options: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    text: str
    numbers: tuple[int, ...]
    """Empty for a sentence that claims nothing."""

    @property
    def shown(self) -> str:
        marks = "".join(f" [{number}]" for number in self.numbers)
        end = re.search(r"[.!?…。！？]+$", self.text)
        return f"{self.text[: end.start()]}{marks}{end.group()}" if end else self.text + marks


def check(proposal: Proposal, facts: Facts) -> Verdict:
    """Return what of `proposal` may be shown."""
    verdict = Verdict()
    kept, claims = [], 0
    for answer in proposal.answers:
        stood = []
        for text, numbers in (
            (one, n) for whole, n in answer.sentences for one in sentences(whole[: 4 * MAX_SENTENCE])
        ):
            told = undecorated(visible(text))
            claims += (needs_source := not claims_nothing(told))
            if problem := _problem(told, numbers, facts, needs_source=needs_source):
                verdict.removed.append(problem)
            elif told:
                stood.append(_Kept(told, tuple(dict.fromkeys(numbers)) if needs_source else ()))
        kept.append(stood)
    verdict.question, verdict.options = _for_a_person(proposal, facts)
    _assemble(proposal, kept, claims, facts, verdict)
    verdict.open = _open(proposal, kept if verdict.text else [], facts) if any(kept) or not verdict.withheld else []
    return verdict


def _assemble(proposal: Proposal, kept: list[list[_Kept]], claims: int, facts: Facts, verdict: Verdict) -> None:
    """Put the text of `verdict` together, or say why there is none."""
    standing = sum(bool(one.numbers) for each in kept for one in each)
    problems = list(dict.fromkeys(verdict.removed))
    fatal = [one for one in problems if one in _FATAL]
    if not any(answer.sentences for answer in proposal.answers):
        verdict.withheld = [NOTHING_SAID]
    elif fatal:
        verdict.withheld = fatal
    elif not any(kept) or (claims and not standing):
        verdict.withheld = [NOTHING_LEFT, *problems]
    elif claims > 2 * standing:
        verdict.withheld = [TOO_LITTLE_LEFT, *problems]
    else:
        _write(proposal, kept, facts, verdict)
    verdict.removed = [] if verdict.withheld else list(dict.fromkeys(verdict.removed))


def _write(proposal: Proposal, kept: list[list[_Kept]], facts: Facts, verdict: Verdict) -> None:
    greeting = _frame(proposal.greeting, MAX_GREETING, facts)
    closing = _frame(proposal.closing, MAX_CLOSING, facts)
    room = MOST_WORDS - count(greeting) - count(closing)
    for each in kept:
        for place, one in enumerate(each):
            room -= count(one.text)
            if room < 0:
                del each[place:]
                verdict.removed.append(TOO_LONG)
                break
    paragraphs = [" ".join(one.shown for one in each) for each in kept if each]
    text = "\n\n".join(filter(None, [greeting, *paragraphs, closing]))
    if not paragraphs:
        verdict.withheld = [TOO_LONG]
    elif not in_language(" ".join(one.text for each in kept for one in each), facts.language, LANGUAGE_LETTERS):
        verdict.withheld = [LANGUAGE]
    else:
        verdict.text = text


def _frame(text: str, most: int, facts: Facts) -> str:
    """Return greeting or closing, or nothing where it is more than that."""
    lines = [undecorated(visible(line)) for line in text[:MAX_SENTENCE].splitlines()]
    whole = "\n".join(line for line in lines if line)
    said = Said(whole, ticket=facts.ticket)
    rules = (broken_form, broken_link, broken_address, broken_promise, broken_number)
    bad = count(whole) > most or _repeats(whole, facts.ticket, ECHO_WORDS) or any(rule(said) for rule in rules)
    return "" if bad else whole


def claims_nothing(text: str, most: int = MAX_COURTESY) -> bool:
    """Say whether a sentence needs no source: it asks, thanks or is sorry, and has `most` words at most."""
    return count(text) <= most and (_asks(text) or bool(_COURTESY.search(meant(text))))


def _asks(text: str) -> bool:
    return bool(_QUESTION.search(text) or _ASKING.search(meant(text))) or offers(text)


def offers(text: str) -> bool:
    """Say whether a sentence only offers to be asked again."""
    return bool(_OFFER.search(meant(text))) and count(text) <= MAX_OFFER


def _problem(text: str, numbers: Sequence[int], facts: Facts, *, needs_source: bool) -> str:
    """Return what is wrong with one sentence, "" where nothing is."""
    given = [facts.sources[number] for number in numbers if number in facts.sources]
    said = Said(
        text,
        cited="\n".join(one.text for one in given),
        stated="\n".join(one.text for one in given if one.stated),
        ticket=facts.ticket,
        urls=[one.url for one in given if one.url],
    )
    if len(text) > MAX_SENTENCE or _repeats(text, facts.prompt):
        return SYSTEM if _repeats(text, facts.prompt) else TOO_LONG
    for rule in (broken_address, broken_form, broken_link, broken_promise):
        if problem := rule(said):
            return problem
    if not in_language(text, facts.language, 2 * LANGUAGE_LETTERS):
        return LANGUAGE
    echoes = _repeats(text, facts.ticket, ECHO_WORDS)
    # What was once told to another customer is no reason to say it after this one.
    if echoes and not (needs_source and any(one.stated for one in given)):
        return ECHO
    if not needs_source:
        return broken_number(said) or (broken_secret(said) if _asks(text) else "")
    if not numbers:
        return NO_SOURCE
    if len(given) != len(numbers):
        return WRONG_SOURCE
    # What is in the customer's words and near to a source in meaning alone is theirs, and not the source's.
    close = nothing_close if echoes else facts.close
    return broken_number(said) or ("" if supported(text, [one.text for one in given], close) else UNSUPPORTED)


def _repeats(text: str, there: str, length: int = SHINGLE) -> bool:
    """Say whether a stretch of `length` words of `text` stands `there` word for word."""
    told = words(text)
    shown = f" {' '.join(words(there))} "
    return any(f" {' '.join(told[at : at + length])} " in shown for at in range(len(told) - length + 1))


def _open(proposal: Proposal, kept: Sequence[Sequence[_Kept]], facts: Facts) -> list[str]:
    """Return the questions that stay open: those of the model without an answer, those of the ticket it left out."""
    answered = [answer for answer, stood in zip(proposal.answers, kept, strict=False) if stood]
    left = [answer for answer in proposal.answers if answer not in answered]
    found = [_plain_question(answer.question, facts) for answer in left]
    asked = [one for one in sentences(facts.asked) if _QUESTION.search(one) and count(one) > 2]
    known = [answer.question for answer in proposal.answers] + [one.text for stood in kept for one in stood]
    near = facts.close(asked, known) if asked and known else [0.0] * len(asked)
    for question, closeness in zip(asked, near, strict=True):
        if closeness < ANSWERED and not any(shared_words(question, one) >= ANSWERED for one in known):
            found.append(_plain_question(question, facts))
    return list(dict.fromkeys(filter(None, found)))[:MAX_OPEN]


def _plain_question(text: str, facts: Facts) -> str:
    """Return a question fit to be shown to an agent, or nothing."""
    whole = undecorated(visible(text))
    said = Said(whole, ticket=facts.ticket)
    bad = any(rule(said) for rule in (broken_form, broken_link, broken_address))
    return "" if bad or _repeats(whole, facts.prompt) else _short(whole, MAX_QUESTION)


def _for_a_person(proposal: Proposal, facts: Facts) -> tuple[str, list[str]]:
    """Return the question to a person and what may be answered, both empty where it is none."""
    question = _plain_question(proposal.question, facts)
    said = Said(question, ticket=f"{facts.ticket}\n" + "\n".join(one.text for one in facts.sources.values()))
    # "Your refund is approved?" tells, and does not ask.
    tells = len(sentences(question)) != 1 or (broken_promise(said) and not _OPENER.match(question))
    echoes = _repeats(question, facts.ticket, ECHO_WORDS)
    if not _QUESTION.search(question) or tells or echoes or gives_orders(question):
        return "", []
    if broken_number(said) or broken_secret(said):
        return "", []
    options = [_plain_question(one, facts) for one in proposal.options if not _repeats(one, facts.ticket, ECHO_WORDS)]
    # An answer becomes a fact of the next draft: what it promises or counts must come from the person alone.
    options = [one for one in options if not (broken_promise(rest := replace(said, text=one)) or broken_number(rest))]
    return question, [one for one in dict.fromkeys(options) if 0 < len(one) <= MAX_OPTION][:MAX_OPTIONS]


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
