"""What a sandbox helpdesk can be told: accounts, credentials, limits and bad habits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

GROUPS = (
    "Finance & Billing",
    "Technical Support",
    "Product",
    "Integrations",
    "Customer Success",
    "Security",
    "Privacy",
    "Onboarding",
    "Enterprise Support",
)
SENTIMENTS = ("frustrated", "neutral", "positive")
CHURN_RISKS = ("high", "medium", "low")
HelpCenter = Literal["there", "absent", "forbidden"]

# environment variable -> setting; credentials never come from the command line, where `ps` shows them
CREDENTIALS = {
    "SANDBOX_ZENDESK_CLIENT_ID": "zendesk_client_id",
    "SANDBOX_ZENDESK_CLIENT_SECRET": "zendesk_client_secret",
    "SANDBOX_ZENDESK_EMAIL": "zendesk_email",
    "SANDBOX_ZENDESK_API_TOKEN": "zendesk_api_token",
    "SANDBOX_ZENDESK_WEBHOOK_SECRET": "zendesk_webhook_secret",
    "SANDBOX_FRESHDESK_API_KEY": "freshdesk_api_key",
    "SANDBOX_FRESHDESK_WEBHOOK_SECRET": "freshdesk_webhook_secret",
}
UNSIGNED = "set {name}: without a webhook secret the sandbox cannot sign what it sends"


class ConfigError(ValueError):
    """Say which setting is missing or wrong."""


@dataclass(frozen=True)
class SandboxConfig:
    """Hold every setting of one sandbox; the defaults suit a demo."""

    deliver_to: str = ""  # empty: no webhooks are sent
    tickets: Path | None = None
    every: float = 2.0
    own: bool = False  # an account for a visitor to connect: its page shows the credentials
    zendesk_desk: str = "acme"
    freshdesk_desk: str = "globex"

    zendesk_client_id: str = field(default="", repr=False)
    zendesk_client_secret: str = field(default="", repr=False)
    zendesk_email: str = field(default="", repr=False)
    zendesk_api_token: str = field(default="", repr=False)
    zendesk_webhook_secret: str = field(default="", repr=False)
    freshdesk_api_key: str = field(default="", repr=False)
    freshdesk_webhook_secret: str = field(default="", repr=False)

    # webhooks: event names without "zen:event-type:ticket."; more than `created` lets loops be tested
    zendesk_webhooks: Literal["events", "trigger", "both"] = "events"
    zendesk_events: frozenset[str] = frozenset({"created"})
    zendesk_trigger_on_update: bool = False
    freshdesk_events: frozenset[str] = frozenset({"ticket_created"})
    freshdesk_proof: Literal["header", "basic", "query"] = "header"
    zendesk_timeout: float = 12.0
    zendesk_retry_delay: float = 1.0  # after a 409 or a timeout; the vendor names no number
    retry_after_scale: float = 1.0
    freshdesk_timeout: float = 10.0
    freshdesk_retry_delays: tuple[float, ...] = (5.0, 30.0, 60.0)  # the vendor's minutes, as seconds

    # accounts
    zendesk_role: Literal["admin", "agent"] = "admin"
    zendesk_ticket_events: bool = True  # False: a plan whose webhooks know no events of tickets
    zendesk_slas: bool = False
    zendesk_help_center: HelpCenter = "there"
    zendesk_sla_sideload: bool = False  # True: `include=slas` brings them with the ticket
    zendesk_schedules: bool = True
    zendesk_token_life: float = 1800.0
    zendesk_sentiments: tuple[str, ...] = SENTIMENTS
    zendesk_churn_risks: tuple[str, ...] = CHURN_RISKS
    freshdesk_admin: bool = True
    freshdesk_ratings: bool = True  # False: surveys are not in the plan
    freshdesk_solutions: HelpCenter = "there"
    freshdesk_new_tags: bool = True  # False: "non-admins may not create tags"
    freshdesk_known_tags: frozenset[str] = frozenset()
    freshdesk_mandatory: tuple[str, ...] = ()  # "type", "group_id", "cf_..."
    freshdesk_due_delay: float = 3.0
    freshdesk_slas: bool = True  # False: due times stay null, the policies are not in the plan

    # calls per minute
    zendesk_limit: int = 700
    zendesk_update_limit: int = 400
    zendesk_ticket_update_limit: int = 30  # per ticket, per 10 minutes
    zendesk_incremental_limit: int = 10
    freshdesk_limit: int = 700

    def check(self) -> None:
        """Refuse a sandbox that would send unsigned webhooks."""
        if not self.deliver_to:
            return
        for variable, name in CREDENTIALS.items():
            if name.endswith("webhook_secret") and not getattr(self, name):
                raise ConfigError(UNSIGNED.format(name=variable))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **settings: Any) -> SandboxConfig:
        """Build a config from credentials in the environment and other settings given by name."""
        secrets = {name: environment.get(variable, "") for variable, name in CREDENTIALS.items()}
        together: dict[str, Any] = {**secrets, **settings}
        return cls(**together)
