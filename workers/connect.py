"""Connecting a desk, step by step: what the command and the console's wizard both do. Nobody is asked anything here.

look (who are we, what may we, what is there) -> write the files -> hook (make or mend the webhook) -> test -> arrived.
Every step may be done again: what is there already is found and mended.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors import open_setup
from connectors.base import Account, Connector
from connectors.budget import Budget
from connectors.setup import Hook, Right, RuleSeen, Setup, State, Survey, Tried
from triage.classify import build_classifier
from triage.classify.base import Classifier
from triage.desk_plan import Plan
from triage.errors import DeskLocked, FeatureOff, ModelError, Retry, Stop, TandemError, UnknownOutcome
from triage.settings import Settings
from triage.store import Store
from triage.store.deliveries import Delivery
from triage.team_groups import Match, propose
from workers.reach import Answer, Reached, reach

READ_DAYS = 90
MOST_TICKETS = 150
LOOK_SECONDS = 0.5
ACCEPTED = range(200, 300)
# Keys of what `reconcile` and `triage --write` put into the inbox.
FOUND_OURSELVES = ("poll:", "manual:")
REMEDIES = {
    ("zendesk", "oauth"): (
        "check the identifier and the secret: Admin Center > Apps and integrations > APIs > OAuth clients, client kind "
        "Confidential, made while signed in as the bot; the secret is shown once, make a new one where in doubt"
    ),
    ("zendesk", "token"): (
        "check the bot's address and the token: Admin Center > Apps and integrations > APIs > API tokens; no account "
        "gets new tokens since 2026-10-27, so take an OAuth client where it is gone (--auth oauth)"
    ),
    ("freshdesk", "key"): (
        "copy the key again: sign in as the bot's agent, Profile settings > Your API key; a renewed one ends the old"
    ),
}
WRONG_ADDRESS = "check the address: open {url} in a browser; it must be the account's own, like {like}"
LIKE = {"zendesk": "https://acme.zendesk.com", "freshdesk": "https://acme.freshdesk.com"}
MISSING_VITAL = "the credential may not {why} ({said}): give the bot that right and run this again"


@dataclass(frozen=True)
class Looked:
    """What one look at an account showed."""

    account: Account
    rights: tuple[Right, ...]
    survey: Survey
    matches: tuple[Match, ...]

    def may(self, name: str) -> bool:
        """Say whether the right `name` is there."""
        return any(one.need.name == name and one.state is State.OK for one in self.rights)


@dataclass(frozen=True)
class Hooked:
    """What became of the webhook: `hook`, or why a person has to click, and how."""

    hook: Hook | None = None
    reason: str = ""
    steps: tuple[str, ...] = ()
    rules: tuple[RuleSeen, ...] | None = None
    """Freshdesk's rules that call us; None where they cannot be listed."""


@dataclass
class Door:
    """An account with everything that is asked of it."""

    plan: Plan
    redis_url: str = ""
    connector: Connector = field(init=False)
    setup: Setup = field(init=False)

    def __post_init__(self) -> None:
        desk = self.plan.desk()
        budget = Budget(self.redis_url, desk.url.partition("://")[2], desk.rate_limit)
        self.connector, self.setup = open_setup(self.plan.name, desk, budget)

    def prove(self) -> Account:
        """Return who we are. Raises Stop with the remedy where the credential or the address is wrong."""
        try:
            return self.connector.account()
        except UnknownOutcome as error:
            raise Stop(f"{error}; {self._address()}") from None
        except (DeskLocked, Stop) as error:
            remedy = REMEDIES[self.plan.platform, self.plan.kind]
            raise Stop(f"{error}\n  -> {remedy}\n  -> {self._address()}") from None
        except Retry as error:
            raise Stop(f"{error}\n  -> {self._address()}") from None

    def look(self, settings: Settings, *, tickets: bool = True) -> Looked:
        """Return all there is to know; `tickets` reads closed ones where names leave teams without a group."""
        account = self.prove()
        rights = self.setup.rights()
        for right in rights:
            if right.need.vital and right.state is State.MISSING:
                raise Stop(MISSING_VITAL.format(why=right.need.why, said=right.said))
        survey = self.setup.survey()
        # What would be read as a variable cannot stand in the settings.
        groups = [one for one in survey.groups or () if "${" not in one]
        matches = propose(settings.teams, groups)
        if tickets and any(not one.group for one in matches) and set(groups) - {one.group for one in matches}:
            matches = propose(settings.teams, groups, self.closed(settings))
        return Looked(account, rights, survey, tuple(matches))

    def closed(self, settings: Settings) -> dict[str, Counter[str]]:
        """Return for each group which teams its solved tickets look like, as the built-in classifier reads them."""
        since = datetime.now(UTC) - timedelta(days=READ_DAYS)
        try:
            past = [one for one in self.connector.history("", since).tickets if one.group][:MOST_TICKETS]
            found: dict[str, Counter[str]] = {}
            if not past:
                return found
            classifier = _built_in(settings)
            for one in past:
                found.setdefault(one.group, Counter())[classifier.classify(one.ticket).primary_team] += 1
        except (TandemError, ModelError):
            return {}
        return found

    def hook(self, url: str, by: str = "auto") -> Hooked:
        """Make or mend the webhook, or say what a person has to click together."""
        if not self.setup.makes_hooks:
            return Hooked(rules=self._rules(url))
        try:
            return Hooked(self.setup.hook(self.plan.name, url, by))
        except (FeatureOff, DeskLocked) as error:
            return Hooked(reason=str(error))

    def _rules(self, url: str) -> tuple[RuleSeen, ...] | None:
        try:
            return self.setup.rules(url)
        except FeatureOff:
            return None

    def _address(self) -> str:
        return WRONG_ADDRESS.format(url=self.plan.url, like=LIKE[self.plan.platform])


def _built_in(settings: Settings) -> Classifier:
    """Return the classifier that asks no language model: nobody has agreed to that yet."""
    own = settings.model_copy(update={"llm": settings.llm.model_copy(update={"ask": "never"})})
    return build_classifier(own, openai_base_url="", openai_api_key="", openai_model="", spent_today=lambda: 0.0)


def ready(url: str, seconds: float, wait: Callable[[], None] = lambda: None) -> Reached:
    """Wait until the web process answers at `url` and knows the desk, for at most `seconds`; return what it said."""
    end = time.monotonic() + seconds
    while (reached := reach(url)).answer is not Answer.READY and time.monotonic() < end:
        wait()
        time.sleep(LOOK_SECONDS)
    return reached


def try_out(door: Door, hook: Hook) -> Tried:
    """Let the helpdesk send a test that starts no triage."""
    body = {"type": "tandem.test", "id": f"tandem-test-{secrets.token_hex(8)}", "detail": {}, "event": {}}
    return door.setup.try_hook(hook, json.dumps(body))


def arrival(
    store: Store, desk: str, since: float, seconds: float, wait: Callable[[], None] = lambda: None
) -> Delivery | None:
    """Wait for a delivery of `desk` that came after `since`, for at most `seconds`."""
    end = time.monotonic() + seconds
    while not (found := newest(store.deliveries.recent(100), desk, since)) and time.monotonic() < end:
        wait()
        time.sleep(LOOK_SECONDS)
    return found


def newest(deliveries: Sequence[Delivery], desk: str, since: float) -> Delivery | None:
    """Return the newest delivery a helpdesk sent for `desk` after `since`; what we found by asking does not count."""
    return next((one for one in deliveries if one.desk == desk and one.received_at >= since and _is_sent(one)), None)


def _is_sent(one: Delivery) -> bool:
    return not one.key.startswith(FOUND_OURSELVES)
