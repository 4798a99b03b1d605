"""What a later run of a ticket finds otherwise than the runs before it, in plain sentences. Pure.

A field Tandem is not sure of keeps the label that stands: a doubt takes nothing back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from triage.classification import CHURN_RISKS, NO_TEAM, PRIORITIES, Classification
from triage.clean import clean_message
from triage.decision import FIELDS, Decision, tag_of
from triage.note_parts import quoted, short
from triage.ticket import Message

Labels = Mapping[str, str]
"""Field -> the label that stands; without a key where Tandem was never sure."""
QUOTE_LENGTH = 160
NAMES = {"primary_team": "Team", "priority": "Priority", "sentiment": "Sentiment", "churn_risk": "Churn risk"}
UNCLEAR = "unclear"
NEEDS_TRIAGE, ESCALATE = "needs_triage", "escalate"
A_PERSONS = "{field}: a person has changed our tag, left alone"


@dataclass(frozen=True)
class Change:
    """One field that is judged otherwise."""

    field: str
    line: str
    matters: bool
    """Whether an agent should hear of it at once."""


@dataclass(frozen=True)
class News:
    """What an updated note says of the update itself."""

    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retag:
    """Tags to add and to take away."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


def stand(before: Labels, answer: Classification, decision: Decision) -> dict[str, str]:
    """Return the labels that stand after a run that gave `answer`."""
    return {**before, **{name: str(getattr(answer, name)) for name in FIELDS if name not in decision.abstained}}


def changes(before: Labels, after: Labels, escalated: bool, decision: Decision, said: str) -> list[Change]:
    """Return what is judged otherwise; `said` is what the customer wrote, quoted where it fits, `escalated` before."""
    found: list[Change] = []
    for name in FIELDS:
        old, new = before.get(name, ""), after.get(name, "")
        if new != old:
            words = f"{NAMES[name]} {_word(name, old)} → {_word(name, new)}"
            # Once is enough: the same words stand for everything that follows.
            because = f": customer writes {quoted(said)}" if said and not found else ""
            found.append(Change(name, words + because, _matters(name, old, new)))
    if decision.escalate and not escalated:
        reason = short(decision.escalation_reason).rstrip(".")
        found.append(Change("escalation", f"Escalate: {reason}", matters=True))
    return found


def path(steps: Sequence[Labels]) -> str:
    """Return the way a ticket's mood went, like `neutral → frustrated`; empty where it did not move."""
    moods = [labels["sentiment"] for labels in steps if "sentiment" in labels]
    moved = [mood for place, mood in enumerate(moods) if place == 0 or mood != moods[place - 1]]
    return " → ".join(moved) if len(moved) > 1 else ""


def quote(said: Sequence[Message], evidence: Sequence[str]) -> str:
    """Return the sentence of the new messages that speaks most for the answer, else how the newest one begins."""
    texts = [clean_message(one.body, one.html) for one in said]
    flat = " ".join(" ".join(texts).split())
    for sentence in evidence:
        if " ".join(sentence.split()) in flat:
            return short(sentence, QUOTE_LENGTH)
    return short(texts[-1], QUOTE_LENGTH) if texts else ""


def retag(
    decision: Decision,
    answer: Classification,
    after: Labels,
    present: Collection[str],
    ours: Collection[str],
    prefix: str,
) -> Retag:
    """Return which tags follow from a later verdict; only tags in `ours` are ever taken away.

    `present` are the ticket's tags, `ours` those Tandem has added before. Where a person has removed or joined ours,
    the field is theirs.
    """
    add, remove, steps = [], [], []
    for name in FIELDS:
        wanted = tag_of(name, str(getattr(answer, name)), prefix)
        if wanted not in decision.tags:
            continue  # unsure, not allowed, or a label of the desk's own: what stands stays
        mine = {tag for tag in ours if _is_of(name, tag, prefix)}
        standing = {tag for tag in present if _is_of(name, tag, prefix)}
        if mine - standing or standing - mine - {wanted}:
            steps.append(A_PERSONS.format(field=name))
        elif wanted:
            add += [wanted] if wanted not in standing else []
            remove += sorted(standing & mine - {wanted})
    needed = prefix + NEEDS_TRIAGE
    settled = {"primary_team", "priority"} <= after.keys() and after["primary_team"] != NO_TEAM
    rest = [tag for tag in decision.tags if not any(_is_of(name, tag, prefix) for name in FIELDS)]
    add += [tag for tag in rest if tag not in ours and tag not in present and not (tag == needed and settled)]
    if settled and needed in ours and needed in present:
        remove.append(needed)
    return Retag(tuple(add), tuple(remove), tuple(steps))


def _is_of(name: str, tag: str, prefix: str) -> bool:
    kind = {"primary_team": "team_", "priority": "priority_", "sentiment": "sentiment_", "churn_risk": "churn_"}[name]
    return tag.startswith(prefix + kind)


def _matters(name: str, old: str, new: str) -> bool:
    if name == "sentiment":
        return new == "frustrated"
    if name == "churn_risk":
        known = old in CHURN_RISKS and new in CHURN_RISKS
        # From bad to worse; the first sure word matters where it is the worst.
        return CHURN_RISKS.index(new) < CHURN_RISKS.index(old) if known else new == CHURN_RISKS[0]
    return True


def _word(name: str, label: str) -> str:
    if not label:
        return UNCLEAR
    if name == "priority" and label in PRIORITIES:
        return label.split("_")[0]
    return "no team" if label == NO_TEAM else label.replace("_", " ")
