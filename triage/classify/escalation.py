"""When a person must look at once: the same rules whoever classified."""

from __future__ import annotations

from collections.abc import Mapping

from triage.classification import Classification
from triage.classify.context import Context
from triage.decision import TEAM_ESCALATES
from triage.settings import Team

CRITICAL = "the situation reads as critical (P0)"
LEAVING = "an enterprise customer may leave"


def escalated(answer: Classification, teams: Mapping[str, Team], context: Context) -> Classification:
    """Return `answer` with escalation and its reasons filled in."""
    team = teams.get(answer.primary_team)
    reasons = [TEAM_ESCALATES.format(team=answer.primary_team)] if team and team.escalate else []
    if answer.priority == "P0_critical":
        reasons.append(CRITICAL)
    if answer.churn_risk == "high" and context.enterprise:
        reasons.append(LEAVING)
    return answer.model_copy(update={"escalation_needed": bool(reasons), "escalation_reason": "; ".join(reasons)})
