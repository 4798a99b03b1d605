"""What a helpdesk's own side says: which reads our credential may, and whether its webhook tells us of tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from connectors.setup import HookState
from connectors.setup import State as May
from triage.errors import DeskLocked, FeatureOff, Stop, TandemError
from triage.settings import LOOPBACK, Desk
from workers.health import Finding, State

if TYPE_CHECKING:
    from workers.runtime import Runtime

NOT_NOW = "could not be looked at now: {reason}"
MEND = "python manage.py connect {platform} --desk {desk}"
MEND_RULES = "python manage.py connect freshdesk --desk {desk} prints the rules and checks them"
DAY_SECONDS = 86_400.0
FEW = 0.1
"""The share of failed calls that is worth a word."""


def rights(name: str, runtime: Runtime) -> Finding:
    """Return what the credential may read of what a day's work asks for, and what Tandem does without."""
    what = f"desk {name}"
    try:
        found = runtime.setup(name).rights(at_work=True)
    except TandemError as error:
        return Finding(what, State.WARNING, "rights " + NOT_NOW.format(reason=error), sure=False)
    missing = [one.need for one in found if one.state is May.MISSING]
    unsure = [one.need.name for one in found if one.state is May.UNSURE]
    if not missing:
        may = ", ".join(one.need.name for one in found if one.state is May.OK)
        said = f"may read {may}" + (f"; not sure of {', '.join(unsure)}" if unsure else "")
        return Finding(what, State.OK, said, sure=not unsure)
    state = State.BROKEN if any(one.vital for one in missing) else State.WARNING
    said = "may not read " + "; ".join(f"{one.name}: {one.without}" for one in missing)
    return Finding(what, state, said, "give the bot: " + "; ".join(dict.fromkeys(one.right for one in missing)))


def webhook(name: str, settings: Desk, runtime: Runtime, now: float) -> Finding:
    """Return whether the helpdesk tells us of tickets: its webhook or rules, its failed calls, our own inbox."""
    url = f"{runtime.environment.public}/webhooks/{settings.platform}/{name}"
    called = runtime.store.deliveries.called_at(name)
    try:
        state = runtime.setup(name).hook_state(url, [one.get_secret_value() for one in settings.webhook_secrets], now)
    except (FeatureOff, DeskLocked, Stop):
        return _by_inbox(name, called, now)
    except TandemError as error:
        return Finding(f"desk {name}", State.WARNING, "webhook " + NOT_NOW.format(reason=error), sure=False)
    remedy = MEND if settings.platform == "zendesk" else MEND_RULES
    return _judged(name, settings, state, called, now, url, remedy.format(platform=settings.platform, desk=name))


def _judged(
    name: str, settings: Desk, state: HookState, called: float | None, now: float, url: str, remedy: str
) -> Finding:
    what, heard = f"desk {name}", _heard(called, now)
    if not state.by:
        # The sandbox sends without being asked; calls by another address of ours arrive until that one is gone.
        is_here, arrives = (
            urlsplit(settings.url).hostname in LOOPBACK,
            called is not None and now - called < DAY_SECONDS,
        )
        if is_here and arrives:
            return Finding(what, State.OK, heard)
        said = f"no webhook calls {url}" + (f", yet calls arrive: {heard}" if arrives else "")
        return Finding(what, State.WARNING if is_here or arrives else State.BROKEN, said, remedy)
    if state.broken:
        return Finding(what, State.BROKEN, f"webhook: {'; '.join(state.broken + state.weak)}", remedy)
    # A call that came after the failed one has arrived: whatever it was is over.
    if state.last_failed_at and state.last_failed_at > (called or 0.0):
        failed = f"webhook: {state.failed} of the last {state.calls} calls failed, the newest one {state.said}"
        return Finding(what, State.BROKEN, failed, _failing(state.said, remedy))
    kind = {"events": "webhook on, all events", "trigger": "webhook on, both triggers", "rules": "rules on"}[state.by]
    if state.weak:
        return Finding(what, State.WARNING, f"webhook: {'; '.join(state.weak)}", remedy)
    if state.calls and state.failed > state.calls * FEW:
        said = f"webhook: {state.failed} of the last {state.calls} calls failed; {heard}"
        return Finding(what, State.WARNING, said, "what was missed is found by asking; look at the proxy's log")
    return Finding(what, State.OK, f"{kind}; {heard}")


def _by_inbox(name: str, called: float | None, now: float) -> Finding:
    """Return what our own inbox says, where our role may not look at webhooks."""
    what, said = f"desk {name}", "our role may not look at webhooks"
    if called is None:
        remedy = "let an admin check the webhook, or make the bot an admin"
        return Finding(what, State.WARNING, f"{said}, and no call has come in two weeks", remedy)
    return Finding(what, State.OK, f"{said}; {_heard(called, now)}")


def _failing(said: str, remedy: str) -> str:
    """Return what to do about calls that fail as `said`."""
    if said == "answered 401":
        return remedy + ": the secret or a clock differs"
    return "look at PUBLIC_URL, the proxy before web and its log; " + remedy + " tests the way"


def _heard(called: float | None, now: float) -> str:
    return "no call yet" if called is None else f"last call {ago(now - called)}"


def ago(seconds: float) -> str:
    """Return a span of time as people say it."""
    for size, unit in ((DAY_SECONDS, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"
