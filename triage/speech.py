"""Who may speak about a ticket: nobody, a note, a note that says "safe to send", or Tandem itself. Pure.

Two axes: how sure we are (doubts) and how much is at stake (stakes). What is written here as never stands above every
setting; the settings can only ask for more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from triage.classification import NO_TEAM, Classification
from triage.clean import CleanTicket, clean_ticket
from triage.decision import Decision
from triage.draft import Draft
from triage.reply import REFERENCE, faults, good_sources, languages
from triage.settings import Desk, Mode, Settings
from triage.settings_speech import NEVER_ANSWERED, AutoReply, SpeechRules
from triage.sources import Sources
from triage.stake_words import stake_words
from triage.summary import speaks_to_software
from triage.ticket import Author, Status, Ticket

SILENT: Literal["silent"] = "silent"
NOTE: Literal["note"] = "note"
SAFE: Literal["safe"] = "safe"
REPLY: Literal["reply"] = "reply"
Level = Literal["silent", "note", "safe", "reply"]

CALM_PRIORITIES = ("P2_medium", "P3_low")
CALM_SENTIMENTS = ("neutral", "positive")
CALM_CHURN = ("medium", "low")
POSSIBLE = 0.25
"""A probability from which the dangerous label counts although another one is likelier."""
# Where an answer reaches the customer as a message they can answer; not a tweet, a call or a chat.
LETTERS = frozenset(["email", "web", "web_form", "web_widget", "portal", "feedback_widget", "help_center"])
OPEN = (Status.NEW, Status.OPEN)
NO_SOURCES = Sources()
SHOWN_REASONS = 3


@dataclass(frozen=True)
class Speech:
    """How far Tandem goes on a ticket, and why."""

    level: Level = NOTE
    reasons: list[str] = field(default_factory=list)
    category: str = ""
    """The name of the auto-reply category that allows a reply."""
    language: str = ""
    """The customer's, in which a reply says who writes."""
    sent: bool = False
    """The customer has been sent the reply; only `workers/reply.py` says so."""


@dataclass(frozen=True)
class _Case:
    ticket: Ticket
    answer: Classification
    decision: Decision
    draft: Draft
    settings: Settings
    desk: Desk
    rules: SpeechRules
    sources: Sources
    said: CleanTicket

    @property
    def sureness(self) -> float:
        return min(self.answer.probability("primary_team"), self.answer.probability("priority"))

    def chance(self, name: str, label: str) -> float:
        return self.answer.probabilities.get(name, {}).get(label, 0.0)


def speak(
    ticket: Ticket,
    answer: Classification,
    decision: Decision,
    draft: Draft,
    settings: Settings,
    desk: Desk,
    sources: Sources = NO_SOURCES,
) -> Speech:
    """Return how far Tandem goes; `sources` are what the draft was written from."""
    rules = settings.speech_of(desk)
    case = _Case(ticket, answer, decision, draft, settings, desk, rules, sources, clean_ticket(ticket))
    stakes = at_stake(case)
    if rules.silent and not stakes and (why := _nothing_to_say(case)):
        return Speech(SILENT, [f"silent: {why}"], language=case.said.language)
    doubts = [*_never_sure(case), *_not_sure_enough(case)]
    if stakes or doubts:
        named = [*stakes, *doubts]
        more = f" and {len(named) - SHOWN_REASONS} more" if len(named) > SHOWN_REASONS else ""
        return Speech(NOTE, ["a person answers: " + "; ".join(named[:SHOWN_REASONS]) + more])
    why = f"sure ({case.sureness:.0%}), every sentence sourced, nothing at stake"
    name, refused = _category(case)
    if name:
        return Speech(REPLY, [f"auto-reply category {name}: {why}"], name, case.said.language)
    return Speech(SAFE, [f"safe to send: {why}", *refused], language=case.said.language)


def at_stake(case: _Case) -> list[str]:
    """Return what is at stake on the ticket; nothing where a mistake would cost little."""
    ticket, answer, decision = case.ticket, case.answer, case.decision
    found = [*_teams_at_stake(case), *_moods_at_stake(case)]
    if decision.escalate or answer.escalation_needed:
        found.append("the ticket is escalated")
    if answer.priority not in CALM_PRIORITIES or ticket.priority in ("high", "urgent"):
        found.append("the priority is high")
    found += _words_at_stake(case)
    worth = f"{ticket.organization.tier} {ticket.organization.plan}".casefold()
    if "enterprise" in worth:
        found.append("an enterprise customer")
    if "vip" in worth.split() or {tag.casefold() for tag in ticket.tags} & {
        "vip", *(tag.casefold() for tag in case.rules.vip_tags)
    }:  # fmt: skip
        found.append("a VIP")
    safe, mrr = case.rules.safe, ticket.organization.mrr
    if safe.max_mrr is not None and mrr is not None and mrr > safe.max_mrr:
        found.append("much revenue")
    if ticket.ticket_count_30d > safe.max_contacts:
        found.append(f"{ticket.ticket_count_30d} other tickets in 30 days")
    return found


def _teams_at_stake(case: _Case) -> list[str]:
    answer, teams = case.answer, case.settings.teams
    found = []
    for team in dict.fromkeys(filter(None, (answer.primary_team, answer.secondary_team))):
        if team in NEVER_ANSWERED or (team in teams and teams[team].escalate):
            found.append(f"a {team} ticket")
    for team, chance in answer.probabilities.get("primary_team", {}).items():
        guarded = team in NEVER_ANSWERED or (team in teams and teams[team].escalate)
        if guarded and chance >= POSSIBLE and team != answer.primary_team:
            found.append(f"perhaps a {team} ticket")
    return found


def _moods_at_stake(case: _Case) -> list[str]:
    answer = case.answer
    found = []
    if answer.sentiment not in CALM_SENTIMENTS or case.chance("sentiment", "frustrated") >= POSSIBLE:
        found.append("the customer may be frustrated")
    if answer.churn_risk not in CALM_CHURN or case.chance("churn_risk", "high") >= POSSIBLE:
        found.append("the customer may leave")
    dangerous = max(case.chance("priority", "P0_critical"), case.chance("priority", "P1_high"))
    if dangerous >= POSSIBLE and answer.priority in CALM_PRIORITIES:
        found.append("it may be urgent")
    return found


def _words_at_stake(case: _Case) -> list[str]:
    # As it was sent, too: cleaning takes signatures and quotes away, and a threat may stand there.
    raw = "\n".join(one.body for one in case.ticket.messages if one.author is not Author.AGENT)
    # Mostly the clean words are whole lines of what was sent, and then they need no second search.
    clean = "" if f"\n{case.said.text}\n" in f"\n{raw}\n" else case.said.text
    told = "\n".join((case.ticket.subject, clean, raw))
    found = [f"the customer speaks of {kind} matters" for kind in stake_words(told)]
    return [*found, "a part of the ticket is meant for software"] if speaks_to_software(told) else found


def _nothing_to_say(case: _Case) -> str:
    """Return why the ticket needs no note, or an empty text."""
    if case.said.automatic:
        return "automatic mail, no person wrote it"
    chance = case.answer.probability("primary_team")
    if case.answer.primary_team == NO_TEAM and chance >= case.rules.silent_probability:
        return f"for no team with {chance:.0%}: spam, thanks or automatic mail"
    return ""


def _never_sure(case: _Case) -> list[str]:
    """Return the doubts that no setting can lift."""
    ticket, decision, answer = case.ticket, case.decision, case.answer
    found = faults(case.draft, case.sources)
    if decision.needs_triage or answer.primary_team not in case.settings.teams:
        found.append("team or priority is not sure")
    if not good_sources(case.sources):
        found.append("no help article is close to the question")
    if case.draft.language != case.said.language or case.said.language not in languages(case.rules):
        found.append("the language is not sure")
    if case.said.automatic or any(one.automatic for one in ticket.messages):
        found.append("automatic mail")
    if any(one.author is not Author.CUSTOMER and one.public for one in ticket.messages):
        found.append("a person has answered already")
    if any(one.author is Author.AGENT and not one.public and not one.automatic for one in ticket.messages):
        found.append("somebody has written a private note")
    if any(REFERENCE.search(one.body) for one in ticket.messages if one.author is Author.CUSTOMER):
        found.append("the customer quotes something of ours")
    return found + _not_a_letter(ticket)


def _not_a_letter(ticket: Ticket) -> list[str]:
    """Return why an answer might not reach the one person who asked."""
    found = []
    asked = [one for one in ticket.messages if one.author is Author.CUSTOMER]
    if not ticket.requester.id or not asked:
        found.append("nobody is known to have asked")
    if any(one.author_id not in ("", ticket.requester.id) or not one.public for one in asked):
        found.append("somebody else has written too")
    if ticket.channel not in LETTERS:
        found.append("the ticket did not come by mail or form")
    if ticket.status not in OPEN:
        found.append(f"the ticket is {ticket.status}")
    return found


def _not_sure_enough(case: _Case) -> list[str]:
    safe, found = case.rules.safe, []
    if case.sureness < safe.min_probability:
        found.append(f"team or priority below {safe.min_probability:.0%}")
    if len(good_sources(case.sources)) < safe.min_sources:
        found.append(f"fewer than {safe.min_sources} close articles")
    # Two answers for one ticket, or one that the classifier asked first did not give: no agreement.
    if case.answer.secondary_team:
        found.append("a second team is concerned")
    if case.answer.fallback_reason:
        found.append("the language model did not answer")
    return found


def _category(case: _Case) -> tuple[str, list[str]]:
    """Return the name of the category that allows a public reply, else why those of its team do not."""
    refused = []
    for name, category in case.rules.auto_reply.items():
        if category.team == case.answer.primary_team:
            if not (why := _unfit(category, case)):
                return name, []
            refused.append(f"no auto-reply by category {name}: {why}")
    return "", refused


def _unfit(category: AutoReply, case: _Case) -> str:
    mode, team = case.desk.mode, case.desk.teams.get(category.team, case.desk.mode)
    if not (mode.allows(Mode.WRITE) and team.allows(Mode.WRITE)):
        return f"mode {team if mode.allows(team) else mode} is not write"
    if category.issues and case.answer.issue_category not in category.issues:
        return "another issue"
    if category.languages and case.said.language not in category.languages:
        return "another language"
    if case.sureness < category.min_probability:
        return f"{case.sureness:.0%} is below {category.min_probability:.0%}"
    if len(good_sources(case.sources)) < category.min_sources:
        return f"fewer than {category.min_sources} close articles"
    return ""
