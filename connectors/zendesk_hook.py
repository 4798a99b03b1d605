"""What a Zendesk webhook and the record of its last calls say of whether tickets reach us.

https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/ (invocations)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.setup import HookState
from connectors.values import number, text, when

LOOK_BACK_SECONDS = 86_400.0
# Words for calls that never got an answer. One we do not know is no failure.
UNSENT = ("circuit broken", "throttled", "failed", "failure", "terminated", "error")
OFF = "the webhook is switched off"
OTHER_SECRET = "its signing secret is none of webhook_secrets"  # noqa: S105 - no secret
TWICE = "{count} webhooks call this address; one is enough"
NOT_TOLD = "it is not told of: {events}"


def state_of(
    webhooks: Sequence[dict[str, Any]], state: HookState, missing: Sequence[str], calls: Sequence[dict[str, Any]],
    signed: bool, now: float,
) -> HookState:  # fmt: skip
    """Return `state` with what is wrong; `webhooks` call us, the active ones first, `calls` are the newest first."""
    is_deaf = "created" in missing
    told = NOT_TOLD.format(events=", ".join(missing).replace("_", " "))
    broken = (
        *((OFF,) if webhooks[0].get("status") != "active" else ()),
        *((OTHER_SECRET,) if not signed else ()),
        *((told,) if is_deaf else ()),
    )
    weak = (
        *((told,) if missing and not is_deaf else ()),
        *((TWICE.format(count=len(webhooks)),) if len(webhooks) > 1 else ()),
    )
    lately = [one for one in calls if _at(one) >= now - LOOK_BACK_SECONDS]
    state = replace(state, broken=broken, weak=weak, calls=len(lately), failed=sum(map(_failed, lately)))
    # By time and not by place: that the list begins with the newest is recorded, not promised.
    newest = max(lately, key=_at, default=None)
    if newest is None or not _failed(newest):
        return state
    return replace(state, last_failed_at=_at(newest), said=_said(newest))


def _at(call: dict[str, Any]) -> float:
    moment = when(call.get("latest_completed_at"))
    return moment.timestamp() if moment else 0.0


def _failed(call: dict[str, Any]) -> bool:
    status = number(call.get("status_code"))
    return status >= 300 if status is not None else text(call.get("status")).lower() in UNSENT


def _said(call: dict[str, Any]) -> str:
    status = number(call.get("status_code"))
    return f"answered {status:.0f}" if status is not None else text(call.get("status"))[:40]
