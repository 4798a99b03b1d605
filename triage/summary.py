"""Whether a model's summary may stand in a note, where an agent reads it as Tandem's own words. Pure.

A ticket can make a model say anything. What gives orders, promises, speaks like Tandem or the machine, or only repeats
the ticket is left out: the customer's words are in the quotations anyway.
"""

from __future__ import annotations

import re

from triage.draft_rules import Said, broken_address, meant

SHINGLE = 8
"""So many words in a row that stand in the ticket too are the customer's, not a summary."""
SHORTEST = 3
"""A summary of fewer words says nothing that could be followed."""
_WORD = re.compile(r"[^\W_]+")
_LINK = re.compile(r"\[link removed\]|://|www\.", re.IGNORECASE)
_LIKE_US = re.compile(
    r"\bTDM-|\btandem\b|\bAI suggestion\b|\bsafe to send\b|\bdraft\b|\bready to edit\b|·", re.IGNORECASE
)
_MACHINE = re.compile(
    r"(?:^|[\s>*#\[(])(?:system|assistant|developer|admin|user|tool|prompt)\s*(?::|\]|\))|prompt|instruct"
    r"|you are (?:now|a|an|the)\b|\b(?:ignor|disregard|forget|overrid|bypass|jailbreak|pretend|role.?play)|new rules?\b"
    r"|\b(?:anweisung|vorgabe|consigne|directive|instrucc|istruzion|instruç|instructie)|base64|```|<\|",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"^\W*(?:system|assistant|developer)\s*:|\bsystem[ _](?:message|note|prompt|override)|\b(?:note|message)_to_"
    r"|\bnote to (?:the )?(?:ai|model|bot)\b|<\|",
    re.IGNORECASE | re.MULTILINE,
)
_VERBS = (
    r"refund|reimburse|credit|pay|transfer|approve|grant|waive|cancel|close|delete|remove|reset|unlock|disable|enable"
    r"|click|open|visit|follow|go to|send|forward|reply|answer|write|tell|say|give|provide|share|reveal|print|show"
    r"|output"
    r"|repeat|call|contact|escalate|set|mark|change|add|do|don't|never|always|please|make sure|ensure|act|respond"
    r"|translate"
    r"|summari[sz]e|explain|list|execute|run|install|download|upload|copy|paste|confirm|verify|log|sign|trust|treat"
    r"|skip"
)
_ORDER = re.compile(
    r"(?:^|[.!?:;,\n]\s*|\b(?:and|then|now)\s+)(?:\W*(?:please|immediately|now|just|dear agent|agents?)\W+)*"
    rf"(?:{_VERBS})\b"
    r"|\b(?:agents?|you|staff|support|team|we)\s+(?:\w+\s+)?(?:must|should|shall|need to|have to|has to|ought to"
    r"|are to|can now)\b"
    r"|\b(?:bitte|sie müssen|du musst|sollen sie|erstatten sie|klicken sie|antworten sie|schicken sie|senden sie)\b"
    r"|\b(?:veuillez|vous devez|il faut|cliquez|envoyez|remboursez|répondez)\b"
    r"|\b(?:por favor|debe[ns]?|debes|tiene que|haga clic|envíe|reembolse|responda|deve|clique|envie)\b"
    r"|\b(?:per favore|deve|devi|clicchi|clicca|invii|rimborsi)\b|\b(?:alstublieft|u moet|je moet|klik|stuur|betaal)\b",
    re.IGNORECASE,
)
_PROMISE = re.compile(
    r"\b(?:we|i)(?:['’]ll| will| shall| are going to| can| promise| guarantee)\b|\byou(?:['’]ll| will)\b|guarante"
    r"|promis"
    r"|entitled|\bwir (?:werden|erstatten|garantieren)|garanti|\bnous (?:allons|vous)\b|prometemos|garant|verspr|zusich"
    r"|\b(?:has|have|was|were|been|is|are|will be) (?:fully |already )?(?:refunded|approved|granted|credited|waived"
    r"|authori[sz]ed|verified)",
    re.IGNORECASE,
)
_REASONS = (
    (_LINK, "brings a link along"),
    (_LIKE_US, "speaks like Tandem"),
    (_MACHINE, "speaks of instructions"),
    (_ORDER, "gives an order"),
    (_PROMISE, "promises"),
)


def fit_summary(summary: str, told: str) -> str:
    """Return `summary`, or an empty text where it may not stand; `told` is all that the ticket says."""
    return "" if fault(summary, told) else summary


def fault(summary: str, told: str) -> str:
    """Return what is wrong with a summary, an empty text where nothing is."""
    words, read = _words(summary), meant(summary)
    if len(words) < SHORTEST:
        return "says nothing"
    length = min(SHINGLE, len(words))
    there = f" {' '.join(_words(told))} "
    if any(f" {' '.join(words[at : at + length])} " in there for at in range(len(words) - length + 1)):
        return "repeats the ticket"
    if why := next((why for pattern, why in _REASONS if pattern.search(read)), ""):
        return why
    # What no draft may say to a customer of the model or to the team.
    return broken_address(Said(summary))


def speaks_to_software(text: str) -> bool:
    """Say whether a text of a ticket is meant for a model or for the team's eyes rather than for a person who helps."""
    return bool(_ROLE.search(meant(text)) or broken_address(Said(text)))


def gives_orders(text: str) -> bool:
    """Say whether `text` tells its reader what to do."""
    return bool(_ORDER.search(meant(text)))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
