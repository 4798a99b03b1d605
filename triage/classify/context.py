"""What is known about the customer and the history, as plain facts and as pushes on the log-odds of an answer.

A push is small on purpose: it settles close calls and never overrules a clear text. A desk that has learned from its
own history replaces these guesses.
"""

from __future__ import annotations

from dataclasses import dataclass

from triage.clean import CleanTicket
from triage.ticket import Author, Ticket

BIG_TIERS = frozenset({"enterprise", "premium", "platinum", "vip", "strategic", "key"})
BIG_MRR = 5000
MANY_TICKETS = 4
"""In 30 days, this one included."""
FROM_BIG_CUSTOMER = 0.3
FROM_REPEATING = 0.4
FROM_OUTAGE = 2.0
CHURN_FROM_REPEATING = 0.8
CHURN_FROM_MANY_TICKETS = 0.5
CHURN_FROM_FRUSTRATION = 0.5


@dataclass(frozen=True)
class Context:
    """What the ticket's surroundings say."""

    tier: str = ""
    mrr: float | None = None
    tickets_30d: int = 0
    unanswered: int = 0
    """Customer messages since an agent last answered, where there is more than one."""

    @property
    def big(self) -> bool:
        """Say whether much depends on this customer."""
        return self.tier.casefold() in BIG_TIERS or (self.mrr or 0) >= BIG_MRR

    @property
    def enterprise(self) -> bool:
        """Say whether the customer is on an enterprise plan."""
        return self.tier.casefold() == "enterprise"


def context_of(ticket: Ticket, clean: CleanTicket) -> Context:
    """Return the context of `ticket`."""
    unanswered = 0
    for message in reversed(clean.messages):
        if message.author is Author.AGENT:
            break
        unanswered += message.author is Author.CUSTOMER
    organization = ticket.organization
    tickets = max(ticket.ticket_count_30d, len(ticket.earlier))
    return Context(organization.tier or organization.plan, organization.mrr, tickets, unanswered)


def priority_push(context: Context, repeats: float, outage: float) -> dict[str, float]:
    """Return log-odds of "at least this pressing"; `repeats` and `outage` are probabilities read from the text.

    Nothing here depends on tone: an angry customer waits as long as a calm one.
    """
    urgency = FROM_BIG_CUSTOMER * context.big + FROM_REPEATING * max(repeats, float(context.unanswered >= 3))
    return {"P0_critical": urgency + FROM_OUTAGE * outage, "P1_high": urgency, "P2_medium": urgency}


def churn_push(context: Context, repeats: float, frustrated: float) -> dict[str, float]:
    """Return log-odds per churn risk; the arguments are probabilities read from the text."""
    risk = CHURN_FROM_REPEATING * repeats + CHURN_FROM_FRUSTRATION * frustrated
    risk += CHURN_FROM_MANY_TICKETS * (context.tickets_30d >= MANY_TICKETS)
    return {"high": risk / 2, "medium": risk, "low": 0.0}


def facts(context: Context, repeats: float, outage: float) -> str:
    """Return what the text says beyond the verdict, in plain sentences; the note tells who the customer is."""
    said = []
    if context.unanswered > 1:
        said.append(f"{context.unanswered} messages since an agent last answered.")
    if repeats >= 0.5:
        said.append("The customer says that they have written about this before.")
    if outage >= 0.5:
        said.append("The text reads like an outage for many people.")
    return " ".join(said)
