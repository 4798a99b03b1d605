"""Everything an admin can set: the shape of `tandem.yaml` and its defaults (`settings_file.py` reads the file).

Durations are written `15m`, `4h`, `7d` (or a number of minutes) and held in minutes. The parts: `settings_base.py`,
`settings_hours.py` (weekly hours), `settings_sla.py`, `settings_knowledge.py`, `settings_feedback.py`,
`settings_speech.py`.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from triage.settings_base import Minutes, Section, Target
from triage.settings_feedback import Feedback, Question
from triage.settings_knowledge import Knowledge
from triage.settings_living import Living
from triage.settings_sla import PriorityName, Sla
from triage.settings_speech import SpeechRules

DecidedField = Literal["primary_team", "priority", "sentiment", "churn_risk"]
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# Zendesk's documented secret for its "test webhook" button: public, so it proves nothing.
# https://developer.zendesk.com/documentation/webhooks/verifying/
PUBLIC_TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105
MIN_SECRET = 12
# Zendesk switches off every API token on this day (developer.zendesk.com, "OAuth migration").
API_TOKENS_END = date(2027, 4, 30)
# Freshdesk's limit.
TAG_LENGTH = 32
HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+", re.IGNORECASE)
NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,39}$")
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Label = Annotated[str, Field(min_length=1, max_length=40)]
Precision = Annotated[float, Field(ge=0.5, le=0.99)]


class Mode(StrEnum):
    """How much Tandem may do, each step including the one before."""

    OFF = "off"
    WATCH = "watch"
    NOTE = "note"
    TAG = "tag"
    WRITE = "write"

    def allows(self, other: Mode) -> bool:
        """Say whether this mode includes `other`."""
        return RANKS[self] >= RANKS[other]


RANKS = {mode: rank for rank, mode in enumerate(Mode)}


class OAuthClient(Section):
    """Zendesk OAuth client credentials (a confidential client, created while signed in as the bot)."""

    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    scope: str = "read write"


class Auth(Section):
    """How Tandem signs in: `oauth` or `email` + `api_token` (Zendesk, until 2027-04-30), `api_key` (Freshdesk)."""

    oauth: OAuthClient | None = None
    email: str = ""
    api_token: SecretStr | None = None
    api_key: SecretStr | None = None


class CustomerFields(Section):
    """Names of the organization (else requester) fields that hold what the customer is worth."""

    tier: str = "tier"
    plan: str = "plan"
    mrr: str = "mrr"
    renewal: str = "renewal_date"


class Thresholds(Section):
    """The probability from which a field counts as decided; below it Tandem abstains on that field."""

    primary_team: Probability = 0.5
    priority: Probability = 0.5
    sentiment: Probability = 0.5
    churn_risk: Probability = 0.5


class Desk(Section):
    """One connected helpdesk account; its key in the file is the `<desk>` of the webhook URL."""

    platform: Literal["zendesk", "freshdesk"]
    url: str
    auth: Auth
    webhook_secrets: list[SecretStr] = Field(min_length=1)
    mode: Mode = Mode.TAG
    fields: dict[DecidedField, Mode] = Field(default_factory=dict)
    """Overrides of `mode` per field."""
    teams: dict[str, Mode] = Field(default_factory=dict)
    """Overrides of `mode` for the tickets of one team."""
    thresholds: Thresholds | None = None
    target_precision: Precision | None = None
    customer_fields: CustomerFields = CustomerFields()
    context_fields: dict[Label, str | int] = Field(default_factory=dict, max_length=8)
    """What the note calls it -> a field of the ticket, the organization or the requester (Zendesk: id or key)."""
    mapped_fields: dict[DecidedField, str | int] = Field(default_factory=dict)
    """Custom ticket fields that mode `write` fills: Zendesk field id, Freshdesk `cf_` name."""
    rate_limit: int = Field(default=200, ge=10, le=100_000)
    """Calls per minute of the account until its own headers say better."""
    reconcile_every: Minutes = 5
    knowledge: Knowledge = Knowledge()
    speech: SpeechRules | None = None
    """What this desk has otherwise than the others."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            is_address = bool(HOST.fullmatch(parts.hostname or "")) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address or parts.scheme not in {"http", "https"}:
            raise ValueError("is not a URL; write it like https://acme.zendesk.com")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("must start with https:// (plain http is only for this machine)")
        # The sandbox helpdesk serves both vendors from one port, below a path each.
        has_path = bool(parts.path.strip("/")) and parts.hostname not in LOOPBACK
        if parts.query or parts.fragment or parts.username or has_path:
            raise ValueError("must be the helpdesk's address alone, like https://acme.zendesk.com")
        return url.rstrip("/")

    @field_validator("webhook_secrets")
    @classmethod
    def _check_secrets(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        for secret in secrets:
            value = secret.get_secret_value()
            if value == PUBLIC_TEST_SECRET:
                raise ValueError("holds Zendesk's public test secret; copy the webhook's own signing secret instead")
            if len(value) < MIN_SECRET:
                raise ValueError(f"holds a secret shorter than {MIN_SECRET} characters; generate a longer one")
        return secrets

    @model_validator(mode="after")
    def _check_platform(self) -> Self:
        for platform in ("zendesk", "freshdesk"):
            if platform != self.platform and (urlsplit(self.url).hostname or "").endswith(f".{platform}.com"):
                raise ValueError(f"url is a {platform} address but platform says {self.platform}; correct one of them")
        return self

    @model_validator(mode="after")
    def _check_auth(self) -> Self:
        has_token = bool(self.auth.email and self.auth.api_token)
        if self.platform == "zendesk" and not (self.auth.oauth or has_token):
            raise ValueError("auth: a zendesk desk needs oauth: {client_id:, client_secret:} or email: with api_token:")
        if self.platform == "freshdesk" and not self.auth.api_key:
            raise ValueError("auth: a freshdesk desk needs api_key:")
        return self

    def token_days_left(self, today: date) -> int | None:
        """Return the days until this desk's Zendesk API token stops working, or None for a desk that has none."""
        on_token = self.platform == "zendesk" and self.auth.oauth is None
        return (API_TOKENS_END - today).days if on_token else None

    def mode_for(self, field: DecidedField, team: str) -> Mode:
        """Return the mode of `field` on a ticket of `team`: the strictest of desk or field, and team."""
        wide = self.fields.get(field, self.mode)
        narrow = self.teams.get(team, wide)
        return narrow if wide.allows(narrow) else wide


class Team(Section):
    """A team that tickets are routed to."""

    description: str = Field(min_length=3)
    group: str = ""
    """The helpdesk group that mode `write` assigns."""
    examples: list[str] = Field(default_factory=list)
    escalate: bool = False
    """Every ticket of this team is escalated."""


class Priority(Section):
    """A priority, the helpdesk's word for it and its SLA targets in minutes."""

    description: str
    helpdesk: Literal["urgent", "high", "normal", "medium", "low"]
    first_response: Target
    next_response: Target | None = None
    """None is as long as the first response."""
    resolution: Target


class Llm(Section):
    """The language model behind OPENAI_BASE_URL, where one is set."""

    ask: Literal["always", "unsure", "never"] = "always"
    """`unsure` asks the model only where the embedded classifier is below a threshold."""
    draft: Literal["always", "never"] = "always"
    """Whether the model drafts a reply, by a second call, where sources were found."""
    usd_per_million_input: float = Field(default=0.0, ge=0)
    usd_per_million_output: float = Field(default=0.0, ge=0)
    daily_cap_usd: float | None = Field(default=None, ge=0)
    """From this spend of one UTC day on, the embedded classifier answers and no reply is drafted."""
    timeout_seconds: float = Field(default=30, gt=0, le=120)

    @model_validator(mode="after")
    def _check_cap(self) -> Self:
        if self.daily_cap_usd is not None and not (self.usd_per_million_input or self.usd_per_million_output):
            raise ValueError("daily_cap_usd needs usd_per_million_input and usd_per_million_output to count with")
        return self


class Retention(Section):
    """How many days things are kept."""

    delivery_bodies: int = Field(default=14, ge=1)
    """Webhook bodies as received."""
    run_details: int = Field(default=180, ge=1)
    """What a run said: verdict, quoted sentences, draft, policy steps. Ids, states and costs stay. Whole backtests,
    exchanges with a model, questions to agents and the reasons of their votes."""
    deliveries: int = Field(default=400, ge=30)
    """Rows of webhooks that are closed."""
    runs: int = Field(default=1100, ge=90)
    """Rows of runs, effects, outcomes and feedback. Longer than a ticket can come back: they keep it from being triaged
    a second time."""
    alarms: int = Field(default=90, ge=1)
    audit: int = Field(default=1100, ge=30)
    """Who changed what."""


DEFAULT_TEAMS = {
    "billing": Team(
        description="Invoices, charges, refunds, payment methods, plans and prices", group="Finance & Billing"
    ),
    "technical_bug": Team(
        description="Something in the product is broken, slow, shows an error or lost data", group="Technical Support"
    ),
    "feature_request": Team(description="Ideas, wishes and missing functions of the product", group="Product"),
    "api_integration": Team(
        description="API, webhooks, SDKs, API keys, rate limits and integrations with other software",
        group="Integrations",
    ),
    "account_management": Team(
        description="Users, seats, roles, logins, passwords, ownership, cancelling or changing an account",
        group="Customer Success",
    ),
    "security": Team(
        description="Vulnerabilities, break-ins, phishing, stolen or leaked accounts and keys",
        group="Security",
        escalate=True,
    ),
    "data_privacy": Team(
        description="Personal data: GDPR, deletion or export of data, data processing agreements, where data is stored",
        group="Privacy",
    ),
    "onboarding": Team(
        description="First steps, set-up, importing data, training and how to use the product", group="Onboarding"
    ),
    "enterprise_support": Team(
        description="Contracts, SLAs, renewals, procurement, uptime commitments and named contacts of large customers",
        group="Enterprise Support",
    ),
}
DEFAULT_PRIORITIES = {
    "P0_critical": Priority(
        description="Production is down, data is being lost or a security incident is under way, for many people",
        helpdesk="urgent",
        first_response=15,
        resolution=4 * 60,
    ),
    "P1_high": Priority(
        description="An important function is broken and there is no way around it, or money or a deadline is at stake",
        helpdesk="high",
        first_response=60,
        resolution=24 * 60,
    ),
    "P2_medium": Priority(
        description="A problem with a way around it, or a question that holds up somebody's work",
        helpdesk="normal",
        first_response=240,
        resolution=72 * 60,
    ),
    "P3_low": Priority(
        description="Questions, wishes, thanks and anything that can wait",
        helpdesk="low",
        first_response=1440,
        resolution=168 * 60,
    ),
}


class Settings(Section):
    """The whole of `tandem.yaml`; `desks:` alone is enough."""

    _newest: ClassVar[tuple[Settings, str] | None] = None
    """The settings whose version was asked for last: those in force, for every ticket."""

    desks: dict[str, Desk] = Field(default_factory=dict)
    teams: dict[str, Team] = Field(default_factory=lambda: dict(DEFAULT_TEAMS), min_length=1)
    priorities: dict[PriorityName, Priority] = Field(
        default_factory=lambda: dict(DEFAULT_PRIORITIES)  # type: ignore[arg-type]
    )
    thresholds: Thresholds = Thresholds()
    target_precision: Precision | None = None
    """How often written answers are to be right: the least probability, unless a fitted threshold is known."""
    tag_prefix: str = Field(default="ai_", pattern=r"^[a-z0-9_-]{0,8}$")
    llm: Llm = Llm()
    retention: Retention = Retention()
    sla: Sla = Sla()
    feedback: Feedback = Feedback()
    questions: dict[str, Question] = Field(default_factory=dict)
    """What a note asks a person, the first that fits."""
    living: Living = Living()
    speech: SpeechRules = SpeechRules()

    @field_validator("desks", "teams", "questions")
    @classmethod
    def _check_names(cls, named: dict[str, Any]) -> dict[str, Any]:
        for name in named:
            if name == "none":
                raise ValueError("'none' is the answer \"none of the teams\"; choose another name")
            if not NAME.fullmatch(name):
                raise ValueError(f"'{name[:40]}' must be lower-case letters, digits, _ and - (40 at most)")
        return named

    @field_validator("priorities", mode="before")
    @classmethod
    def _fill_priorities(cls, given: Any) -> Any:
        """Let a file name only what it changes: `P0: {first_response: 10m}` keeps the other defaults."""
        if not isinstance(given, dict):
            return given
        merged: dict[str, Any] = {key: value.model_dump() for key, value in DEFAULT_PRIORITIES.items()}
        for key, value in given.items():
            full = next((name for name in merged if name == key or name.split("_")[0] == key), key)
            base = merged.get(full, {})
            merged[full] = base | dict(value) if isinstance(value, dict) else value
        return merged

    def policy_version(self) -> str:
        """Return a short fingerprint of everything that decides what is written; no secret goes into it."""
        newest = Settings._newest
        if newest is None or newest[0] is not self:
            rules = self.model_dump_json(exclude={"desks": {"__all__": {"auth", "webhook_secrets"}}})
            newest = Settings._newest = self, hashlib.sha256(rules.encode()).hexdigest()[:12]
        return newest[1]

    @property
    def please_tag(self) -> str:
        """Return the tag by which an agent asks for a fresh look."""
        return self.tag_prefix + "please"

    def team_tag(self, team: str) -> str:
        """Return the tag of `team`."""
        return f"{self.tag_prefix}team_{team}"

    def unknown_teams(self) -> list[tuple[str, str]]:
        """Return (desk, team) of every mode that is set for a team which does not exist."""
        return [(name, team) for name, desk in self.desks.items() for team in desk.teams if team not in self.teams]

    def unknown_question_teams(self) -> list[tuple[str, str]]:
        """Return (question, team) of every question about a team that does not exist."""
        return [
            (name, team) for name, one in self.questions.items() for team in one.when.teams if team not in self.teams
        ]

    def speech_of(self, desk: Desk) -> SpeechRules:
        """Return who may speak on `desk`."""
        return desk.speech.over(self.speech) if desk.speech else self.speech

    def thresholds_of(self, desk: str) -> Thresholds:
        """Return the thresholds in force for `desk`; none is below the target precision.

        Probabilities are calibrated: an answer that is given with the target or more is right at least that often. A
        threshold fitted to the target (`Classification.thresholds`) stands for them where one is known.
        """
        own = self.desks[desk].thresholds if desk in self.desks else None
        ours = self.thresholds.model_copy(update=own.model_dump(exclude_unset=True)) if own else self.thresholds
        target = self.target_precision_of(desk) or 0.0
        return Thresholds(**{name: max(value, target) for name, value in ours.model_dump().items()})

    def target_precision_of(self, desk: str) -> float | None:
        """Return how often written answers are to be right on `desk`, None where only thresholds count."""
        own = self.desks[desk].target_precision if desk in self.desks else None
        return self.target_precision if own is None else own

    def priority_of(self, key: str) -> Priority | None:
        """Return the settings of priority `key` (P0_critical ...), None for a name that only a learned model knows."""
        return {str(name): priority for name, priority in self.priorities.items()}.get(key)
