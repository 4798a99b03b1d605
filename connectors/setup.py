"""What setting a desk up asks of every helpdesk; `zendesk_setup.py` and `freshdesk_setup.py` hold the differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from triage.errors import DeskLocked, FeatureOff, Retry, Stop, TandemError

VOLUME_DAYS = 30
MOST_NAMES = 500


class State(StrEnum):
    """Whether a call of ours is allowed."""

    OK = "ok"
    MISSING = "missing"
    UNSURE = "unsure"
    """It failed for a passing reason, or only a write would tell."""


@dataclass(frozen=True)
class Need:
    """One thing Tandem asks a helpdesk for: why, the least right it takes, and what becomes of Tandem without it."""

    name: str
    why: str
    right: str
    without: str
    vital: bool = False
    """Without it there is no triage."""


@dataclass(frozen=True)
class Right:
    """A need and whether this credential may."""

    need: Need
    state: State
    said: str = ""
    """What the helpdesk answered where it is not ok."""


@dataclass(frozen=True)
class Survey:
    """What there is on the account; None where it cannot be told."""

    groups: tuple[str, ...] | None = None
    fields: tuple[tuple[str, str], ...] | None = None
    """Name or id, and title, of each ticket field people have added."""
    tags: tuple[str, ...] | None = None
    """The most used."""
    sla_policies: tuple[str, ...] | None = None
    tickets: int | None = None
    """Made in the last 30 days."""


@dataclass(frozen=True)
class Hook:
    """The webhook of a desk as it now is."""

    id: str
    url: str
    by: str
    """events, trigger"""
    secret: str = field(repr=False)
    done: tuple[str, ...] = ()
    """What was made or mended to get there."""


@dataclass(frozen=True)
class Tried:
    """What our own address answered to a test of the helpdesk."""

    status: int
    said: str = ""


@dataclass(frozen=True)
class RuleSeen:
    """One rule that calls our address, as the helpdesk's list shows it."""

    name: str
    on: str
    """created, updated"""
    active: bool
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class HookState:
    """How the helpdesk's side of our address stands; looked at, not touched."""

    by: str = ""
    """events, trigger, rules; empty where nothing there calls us"""
    broken: tuple[str, ...] = ()
    """What keeps calls away."""
    weak: tuple[str, ...] = ()
    """What keeps some away, or is not as it should be."""
    calls: int | None = None
    """How many of the last day the helpdesk shows; None where it shows none."""
    failed: int = 0
    last_failed_at: float | None = None
    """Of a call that failed and was the newest one."""
    said: str = ""
    """How that one failed."""


class Setup(Protocol):
    """One account's setting up. Every method may raise the errors of `triage.errors`."""

    makes_hooks: bool
    """Whether `hook` works; else a person clicks `steps` together."""

    def rights(self, *, at_work: bool = False) -> tuple[Right, ...]:
        """Return every need of ours, or those of every day, and whether the credential may."""

    def survey(self) -> Survey:
        """Return what there is on the account."""

    def hook(self, desk: str, url: str, by: str) -> Hook:
        """Return the desk's webhook at `url`, made or mended; FeatureOff where we may not or there is no such thing."""

    def hook_state(self, url: str, secrets: Sequence[str], now: float) -> HookState:
        """Return how what calls `url` stands, signed by one of `secrets`; FeatureOff and Stop where we may not look."""

    def unhook(self, url: str) -> tuple[str, ...]:
        """Take away every webhook that calls `url` and what uses it; return what was taken away."""

    def try_hook(self, hook: Hook, body: str) -> Tried:
        """Let the helpdesk call the webhook with `body` now."""

    def steps(self, desk: str, url: str, secret: str) -> list[str]:
        """Return what a person clicks together instead, line by line."""

    def rules(self, url: str) -> tuple[RuleSeen, ...]:
        """Return the rules that call `url`; FeatureOff where they cannot be listed."""


def probe(need: Need, ask: Callable[[], Any]) -> Right:
    """Return whether `ask` is allowed; a passing failure says so and is no verdict."""
    try:
        ask()
    except (FeatureOff, DeskLocked, Stop) as error:
        return Right(need, State.MISSING, str(error))
    except TandemError as error:
        return Right(need, State.UNSURE, str(error))
    return Right(need, State.OK)


def if_allowed(ask: Callable[[], Any]) -> Any:
    """Return what `ask` returns, or None where the plan or our role has no such thing."""
    try:
        return ask()
    except (FeatureOff, DeskLocked, Stop, Retry):
        return None
