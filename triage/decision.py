"""What is done about a classification: pure rules over ticket, answer and the desk's policy.

Modes say how far Tandem may go, thresholds when it is sure enough, and a value that a person has set is never touched.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from triage.classification import (
    CHURN_RISKS,
    DECIDED_FIELDS,
    NO_TEAM,
    PRIORITIES,
    SENTIMENTS,
    Classification,
    abstained,
)
from triage.clocks import Judged
from triage.settings import DecidedField, Desk, Mode, Settings, Thresholds
from triage.ticket import Ticket

TEAM_ESCALATES = "every {team} ticket is escalated"
ASKED_FOR = "the classifier asks for it"
# Freshdesk says "medium" where Zendesk says "normal"; inside Tandem it is normal.
HELPDESK_WORDS = {"medium": "normal"}
FIELDS: tuple[DecidedField, ...] = ("primary_team", "priority", "sentiment", "churn_risk")
assert FIELDS == DECIDED_FIELDS


class Decision(BaseModel):
    """What to write; `steps` says why, one plain sentence each."""

    abstained: list[str] = Field(default_factory=list)
    note: bool = False
    tags: list[str] = Field(default_factory=list)
    priority: str | None = None
    """urgent, high, normal or low."""
    group: str | None = None
    custom: dict[str, str] = Field(default_factory=dict)
    escalate: bool = False
    escalation_reason: str = ""
    steps: list[str] = Field(default_factory=list)

    @property
    def needs_triage(self) -> bool:
        """Say whether a person must decide team or priority."""
        return "primary_team" in self.abstained or "priority" in self.abstained

    def judged(self, answer: Classification) -> Judged:
        """Return what `answer` says of priority and team, as far as this decision trusts it."""
        return Judged(
            priority="" if "priority" in self.abstained else answer.priority,
            team="" if "primary_team" in self.abstained else answer.primary_team,
        )


def decide(ticket: Ticket, answer: Classification, settings: Settings, desk: Desk) -> Decision:
    """Return the decision for `ticket`; nothing in it is written here."""
    decision = Decision()
    _abstain(decision, answer, settings, settings.thresholds_of(ticket.desk))
    _escalate(decision, answer, settings)
    whole = desk.teams.get(answer.primary_team, desk.mode)
    mode = whole if desk.mode.allows(whole) else desk.mode
    decision.note = mode.allows(Mode.NOTE)
    decision.steps.append(f"mode {mode}: {'a' if decision.note else 'no'} private note is written")
    if desk.mode is not Mode.OFF:
        modes = {name: desk.mode_for(name, answer.primary_team) for name in FIELDS}
        _tag(decision, answer, settings.tag_prefix, mode, modes)
        _write(decision, ticket, answer, settings, desk, modes)
    return decision


def _abstain(decision: Decision, answer: Classification, settings: Settings, thresholds: Thresholds) -> None:
    default = thresholds.model_dump()
    decision.abstained = abstained(answer, default, settings.teams)
    for name in FIELDS:
        probability, needed = answer.probability(name), answer.needed(name, default[name])
        if name not in decision.abstained:
            why = f"{getattr(answer, name)} with {probability:.0%} (needs {needed:.0%})"
        elif name == "primary_team" and answer.primary_team == NO_TEAM:
            why = "fits none of the teams, left to a person"
        elif name == "primary_team" and answer.primary_team not in settings.teams:
            # A model's invention, or a team that has left the settings: no tag and no group for it.
            why = "the answer is no team of the settings, left to a person"
        else:
            why = f"{probability:.0%} is below {needed:.0%}, left to a person"
        decision.steps.append(f"{name}: {why}")


def _escalate(decision: Decision, answer: Classification, settings: Settings) -> None:
    # However unsure: a possible security incident is looked at first.
    reasons = [
        TEAM_ESCALATES.format(team=team)
        for team in (answer.primary_team, answer.secondary_team)
        if team in settings.teams and settings.teams[team].escalate
    ]
    if answer.escalation_needed:
        reasons += answer.escalation_reason.rstrip(". ").split("; ") if answer.escalation_reason else [ASKED_FOR]
    if reasons:
        decision.escalate = True
        decision.escalation_reason = "; ".join(dict.fromkeys(reasons))
        decision.steps.append(f"escalated: {decision.escalation_reason}")


def _tag(decision: Decision, answer: Classification, prefix: str, mode: Mode, modes: dict[DecidedField, Mode]) -> None:
    if not any(one.allows(Mode.TAG) for one in (mode, *modes.values())):
        return
    decision.tags.append(prefix + "triaged")
    for name in FIELDS:
        tag = tag_of(name, str(getattr(answer, name)), prefix)
        if tag and name not in decision.abstained and modes[name].allows(Mode.TAG):
            decision.tags.append(tag)
    if decision.needs_triage:
        decision.tags.append(prefix + "needs_triage")
    if decision.escalate:
        decision.tags.append(prefix + "escalate")


def tag_of(field: str, label: str, prefix: str) -> str | None:
    """Return the tag for `label` of `field`; None for a desk's own label: tags are for the contract's."""
    if field == "primary_team":
        return f"{prefix}team_{label}"
    if field == "priority" and label in PRIORITIES:
        return f"{prefix}priority_{label.split('_')[0].lower()}"
    if field == "sentiment" and label in SENTIMENTS:
        return f"{prefix}sentiment_{label}"
    return f"{prefix}churn_{label}" if field == "churn_risk" and label in CHURN_RISKS else None


def _write(
    decision: Decision,
    ticket: Ticket,
    answer: Classification,
    settings: Settings,
    desk: Desk,
    modes: dict[DecidedField, Mode],
) -> None:
    sure = [name for name in FIELDS if name not in decision.abstained and modes[name].allows(Mode.WRITE)]
    if "priority" in sure:
        priority = settings.priority_of(answer.priority)
        if priority is None:
            decision.steps.append(f"priority: {answer.priority} is no priority of the settings, not written")
        elif ticket.priority is None:
            decision.priority = HELPDESK_WORDS.get(priority.helpdesk, priority.helpdesk)
        else:
            decision.steps.append(f"priority: a person has set {ticket.priority}, left alone")
    if "primary_team" in sure and settings.teams[answer.primary_team].group:
        if not ticket.group_id:
            decision.group = settings.teams[answer.primary_team].group
        else:
            decision.steps.append("group: set already, left alone")
    for name in sure:
        if (key := str(desk.mapped_fields.get(name, ""))) and ticket.fields.get(key) in (None, ""):
            decision.custom[key] = str(getattr(answer, name))
