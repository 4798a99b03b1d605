"""Sets a Freshdesk account up: what we may, what there is, and the rules an admin clicks together, checked.

Freshdesk has no webhooks of its own: they are actions of automation rules. https://developers.freshdesk.com/api/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from connectors.http import Client
from connectors.setup import (
    MOST_NAMES,
    VOLUME_DAYS,
    Hook,
    HookState,
    Need,
    Right,
    RuleSeen,
    State,
    Survey,
    Tried,
    if_allowed,
    probe,
)
from connectors.values import as_dict, number, rows, text
from triage.errors import FeatureOff

RULES = "/automations/{id}/rules"
CREATION, UPDATES = "1", "4"
KINDS = {CREATION: "created", UPDATES: "updated"}
HEADER = "X-Webhook-Secret"
CREATED_BODY = '{"event":"ticket_created","ticket_id":"{{ticket.id}}"}'
UPDATED_BODY = '{"event":"ticket_updated","ticket_id":"{{ticket.id}}"}'
BODIES = {"created": CREATED_BODY, "updated": UPDATED_BODY}
GLOBAL = 1
PAGE = {"per_page": "1"}
NOT_GLOBAL = "the bot's ticket scope is not global"
NO_HOOKS = "Freshdesk's webhooks are rules that an admin clicks together"
FAULTS = {
    "off": "the rule is switched off",
    "header": f"no custom header {HEADER}, no password and no token in the URL",
    "content": "the content names no {{ticket.id}}",
    "method": "the request type is not POST",
}

NEEDS = {
    "tickets": Need("tickets", "read a ticket and its conversation", "agent", "no triage", vital=True),
    "all tickets": Need("all tickets", "see every ticket", "scope: global", "tickets outside are skipped"),
    "contacts": Need("contacts", "who writes; their worth", "agent", "no customer in notes"),
    "companies": Need("companies", "tier, plan and MRR", "agent", "no worth in notes"),
    "groups": Need("groups", "teams and groups", "agent", "mode write sets no group"),
    "fields": Need("fields", "map custom fields", "agent", "names are typed by hand"),
    "search": Need("search", "count tickets", "agent", "no volume shown here"),
    "SLA policies": Need("SLA policies", "compare with ours", "admin", "clocks of tickets work all the same"),
    "business hours": Need("business hours", "hours for sla import", "admin", "write calendars by hand"),
    "help centre": Need("help centre", "sources in notes", "agent", "no articles in notes"),
    "ratings": Need("ratings", "how customers rated earlier", "agent, plan", "no ratings in notes"),
    "automations": Need("automations", "check the rules", "admin", "the first delivery tells instead"),
}
# What is asked for day by day; the rest only while a desk is set up.
AT_WORK = ("tickets", "all tickets", "contacts", "companies", "groups", "help centre", "ratings")


class FreshdeskSetup:
    """One Freshdesk account."""

    makes_hooks = False

    def __init__(self, api: Client) -> None:
        """Take the client that signs in as the bot."""
        self._api = api

    def rights(self, *, at_work: bool = False) -> tuple[Right, ...]:
        """Return every need of ours and whether the key may: one small read each."""
        asked = {
            "tickets": "/tickets",
            "contacts": "/contacts",
            "companies": "/companies",
            "groups": "/groups",
            "fields": "/ticket_fields",
            "SLA policies": "/sla_policies",
            "business hours": "/business_hours",
            "help centre": "/solutions/categories",
            "ratings": "/surveys/satisfaction_ratings",
        }
        wanted = [name for name in NEEDS if name in AT_WORK or not at_work]
        calls: dict[str, Callable[[], Any]] = {
            name: partial(self._get, path, **PAGE) for name, path in asked.items()
        } | {"search": self._volume, "automations": partial(self._listed, CREATION)}
        return tuple(self._scope() if name == "all tickets" else probe(NEEDS[name], calls[name]) for name in wanted)

    def survey(self) -> Survey:
        """Return what there is on the account; Freshdesk has no list of tags, so those of the newest tickets count."""
        fields = if_allowed(
            lambda: [_field(one) for one in rows(self._get("/ticket_fields")) if not one.get("default")]
        )
        return Survey(
            groups=if_allowed(lambda: _names(self._get("/groups", per_page="100"))),
            fields=None if fields is None else tuple(fields),
            tags=if_allowed(self._tags),
            sla_policies=if_allowed(lambda: _names(self._get("/sla_policies"))),
            tickets=if_allowed(self._volume),
        )

    def hook(self, desk: str, url: str, by: str) -> Hook:  # noqa: ARG002
        """Raise FeatureOff: a person makes the rules."""
        raise FeatureOff(NO_HOOKS)

    def hook_state(self, url: str, secrets: Sequence[str], now: float) -> HookState:  # noqa: ARG002 - neither is shown
        """Return how the rules that call `url` stand; Freshdesk keeps no record of calls that failed."""
        seen = self.rules(url)
        if not seen:
            return HookState()
        created = [one for one in seen if one.on == "created"]
        good = [one for one in created if not one.faults]
        wrong = tuple(f"rule '{one.name}': {fault}" for one in seen for fault in one.faults)
        broken = () if good else wrong if created else ("no rule for new tickets calls us",)
        weak = wrong if good else ()
        if all(one.on == "created" for one in seen):
            weak += ("no rule for changed tickets calls us",)
        return HookState("rules", broken, weak)

    def unhook(self, url: str) -> tuple[str, ...]:
        """Return what a person has to remove: our key may not."""
        try:
            seen = self.rules(url)
        except FeatureOff:
            return ("remove by hand: the automation rules that call " + url,)
        return tuple(f"remove by hand: automation rule '{one.name}'" for one in seen)

    def try_hook(self, hook: Hook, body: str) -> Tried:  # noqa: ARG002
        """Raise FeatureOff: only a ticket starts a rule."""
        raise FeatureOff(NO_HOOKS)

    def steps(self, desk: str, url: str, secret: str) -> list[str]:
        """Return both rules with every field."""
        header = json.dumps({HEADER: secret})
        return [
            *_rule("Ticket Creation", f"Tandem {desk}: new ticket", url, header, CREATED_BODY, ()),
            "  Save and switch it on. In the list of ticket creation rules set the",
            "  execution to: Execute all matching rules.",
            "",
            *_rule("Ticket Updates", f"Tandem {desk}: changed ticket", url, header, UPDATED_BODY, UPDATE_LINES),
            "  Save and switch it on.",
        ]

    def rules(self, url: str) -> tuple[RuleSeen, ...]:
        """Return the rules that call `url`; FeatureOff where our role may not list rules."""
        return tuple(
            RuleSeen(text(rule.get("name")), KINDS[kind], rule.get("active") is True, _faults(rule, action))
            for kind in KINDS
            for rule in self._listed(kind)
            for action in rows(rule.get("actions"))
            if _calls(action, url)
        )

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        answer = self._api.get(RULES, kind, optional=True)
        # One description of the API wraps the list, others do not.
        return rows(answer) or rows(as_dict(answer).get("rules"))

    def _scope(self) -> Right:
        need = NEEDS["all tickets"]
        agent = as_dict(if_allowed(lambda: self._get("/agents/me")))
        scope = agent.get("ticket_scope")
        if scope is None:
            return Right(need, State.UNSURE, "Freshdesk does not show the bot's ticket scope")
        return Right(need, State.OK) if scope == GLOBAL else Right(need, State.MISSING, NOT_GLOBAL)

    def _tags(self) -> tuple[str, ...]:
        listed = rows(self._get("/tickets", per_page="100"))
        return tuple(dict.fromkeys(text(tag) for one in listed for tag in one.get("tags") or ()))[:MOST_NAMES]

    def _volume(self) -> int:
        since = (datetime.now(UTC) - timedelta(days=VOLUME_DAYS)).date().isoformat()
        return int(number(as_dict(self._get("/search/tickets", query=f"\"created_at:>'{since}'\"")).get("total")) or 0)

    def _get(self, path: str, **query: str) -> Any:
        return self._api.get(path, query=query, optional=True)


UPDATE_LINES = (
    "  Performed by    agent or requester",
    "  Events          reply is sent; status, priority or group is changed",
)


def _rule(where: str, name: str, url: str, header: str, body: str, more: tuple[str, ...]) -> list[str]:
    return [
        f"Admin > Workflows > Automations > {where} > New rule",
        f"  Rule name       {name}",
        *more,
        "  Condition       In Tickets: Source is (select every source)",
        "  Action          Trigger webhook",
        "  Request type    POST",
        f"  URL             {url}",
        f"  Custom headers  {header}",
        "  Encoding        JSON",
        "  Content         Advanced",
        f"                  {body}",
    ]


def _faults(rule: dict[str, Any], action: dict[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with a rule that calls us, as far as the list shows it."""
    content = action.get("content")
    body = content if isinstance(content, str) else json.dumps(content)
    headers = action.get("custom_headers")
    proof = HEADER.lower() in text(headers).lower() or "token=" in text(action.get("url"))
    wrong = {
        "off": rule.get("active") is not True,
        # Who signs in by password is not shown by every account.
        "header": headers is not None and not proof and not action.get("auth_header"),
        "content": content is not None and "ticket.id" not in body,
        "method": text(action.get("request_type") or "POST").upper() not in ("POST", "3"),
    }
    return tuple(FAULTS[name] for name, is_wrong in wrong.items() if is_wrong)


def _calls(action: dict[str, Any], url: str) -> bool:
    """Say whether an action calls `url`, with or without a token behind it."""
    called, ours = urlsplit(text(action.get("url"))), urlsplit(url)
    return (called.netloc, called.path.rstrip("/")) == (ours.netloc, ours.path.rstrip("/"))


def _field(raw: dict[str, Any]) -> tuple[str, str]:
    return text(raw.get("name")), text(raw.get("label"))


def _names(answer: Any) -> tuple[str, ...]:
    return tuple(text(one.get("name")) for one in rows(answer))[:MOST_NAMES]
