"""The sandbox's sample tickets: well formed, varied, and free of anybody's real addresses or numbers."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).resolve().parents[1] / "sandbox" / "sample_tickets.jsonl"

TEAMS = {
    "billing", "technical_bug", "feature_request", "api_integration", "account_management",
    "security", "data_privacy", "onboarding", "enterprise_support",
}  # fmt: skip
PRIORITIES = {"P0_critical", "P1_high", "P2_medium", "P3_low"}
REQUIRED = {"id", "subject", "language", "requester", "organization", "channel", "html", "body", "expect"}
OPTIONAL = {"conversation", "earlier", "attachments"}
EXPECT = {"primary_team", "secondary_team", "priority", "sentiment", "churn_risk", "triage", "escalation"}
EMAIL = re.compile(r"[\w.+-]+@([\w.-]*\w)")
URL_HOST = re.compile(r"https?://([\w.-]*\w)", re.IGNORECASE)
WWW_HOST = re.compile(r"\bwww\.[\w.-]*\w", re.IGNORECASE)
SAFE_HOST = re.compile(r"(?:[\w-]+\.)*(?:example\.(?:com|org|net)|[\w-]+\.example)", re.ASCII | re.IGNORECASE)
TEST_CARDS = {"4111111111111111", "4242424242424242"}
TEST_IBANS = {"DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606"}

Ticket = dict[str, Any]


@cache
def tickets() -> tuple[Ticket, ...]:
    lines = SAMPLES.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == "", "the file ends with a newline"
    return tuple(json.loads(line) for line in lines)


def strings(value: object) -> Iterator[str]:
    """Every text in a ticket, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def text(ticket: Ticket) -> str:
    return "\n".join(strings(ticket))


def customer_messages(ticket: Ticket) -> list[str]:
    later = [m["body"] for m in ticket.get("conversation", []) if m["author"] == "customer"]
    return [ticket["body"], *later]


def counts(field: str) -> Counter[str]:
    return Counter(t["expect"][field] for t in tickets())


def test_size_and_ids() -> None:
    ids = [t["id"] for t in tickets()]
    assert 44 <= len(ids) <= 48
    assert ids == [f"s{n:02d}" for n in range(1, len(ids) + 1)]
    bodies = [t["body"] for t in tickets()]
    assert len(set(bodies)) == len(bodies)


@pytest.mark.parametrize("ticket", tickets(), ids=lambda t: t["id"])
def test_shape(ticket: Ticket) -> None:
    assert ticket.keys() >= REQUIRED
    assert ticket.keys() <= REQUIRED | OPTIONAL
    assert ticket["subject"].strip()
    assert re.fullmatch(r"[a-z]{2}|und", ticket["language"])
    assert ticket["requester"].keys() == {"name", "email"}
    assert ticket["channel"] in {"email", "web", "api", "chat"}
    assert isinstance(ticket["html"], bool)
    assert isinstance(ticket["body"], str)
    organization = ticket["organization"]
    if organization is not None:
        assert {"name", "tier", "plan", "mrr", "days_old"} <= organization.keys()
        assert organization.keys() <= {"name", "tier", "plan", "mrr", "days_old", "renews_in_days", "more"}
        assert organization["tier"] in {"enterprise", "business", "starter"}
        assert isinstance(organization["mrr"], float)
        assert organization["mrr"] > 0


@pytest.mark.parametrize("ticket", tickets(), ids=lambda t: t["id"])
def test_optional_parts(ticket: Ticket) -> None:
    for message in ticket.get("conversation", []):
        assert message.keys() == {"author", "public", "body"}
        assert message["author"] in {"customer", "agent"}
        assert isinstance(message["public"], bool)
        assert message["public"] or message["author"] == "agent"
        assert message["body"].strip()
    for earlier in ticket.get("earlier", []):
        assert {"subject", "days_ago", "status"} <= earlier.keys()
        assert earlier.keys() <= {"subject", "days_ago", "status", "tags", "body", "rating", "reply"}
        assert earlier["days_ago"] > 0
        assert earlier["status"] in {"new", "open", "pending", "solved", "closed"}
    assert all(re.fullmatch(r"[\w-]+\.\w+", name) for name in ticket.get("attachments", []))


@pytest.mark.parametrize("ticket", tickets(), ids=lambda t: t["id"])
def test_expectation(ticket: Ticket) -> None:
    expect = ticket["expect"]
    assert expect.keys() == EXPECT
    assert expect["primary_team"] in TEAMS | {"none"}
    assert expect["secondary_team"] in TEAMS | {None}
    assert expect["secondary_team"] != expect["primary_team"]
    assert expect["priority"] in PRIORITIES
    assert expect["sentiment"] in {"frustrated", "neutral", "positive"}
    assert expect["churn_risk"] in {"high", "medium", "low"}
    assert isinstance(expect["triage"], bool)
    assert isinstance(expect["escalation"], bool)
    if not expect["triage"]:
        assert expect["primary_team"] == "none"
    if expect["primary_team"] == "security" or expect["priority"] == "P0_critical" or expect["churn_risk"] == "high":
        assert expect["escalation"]


def test_every_team_and_priority_is_covered() -> None:
    teams, priorities = counts("primary_team"), counts("priority")
    assert {team: teams[team] for team in TEAMS if teams[team] < 4} == {}
    assert {p: priorities[p] for p in PRIORITIES if priorities[p] < 6} == {}
    assert teams["none"] >= 3


def test_languages() -> None:
    languages = Counter(t["language"] for t in tickets())
    languages.pop("und", None)
    assert len(languages) >= 8
    assert 0.4 <= languages["en"] / len(tickets()) <= 0.6
    assert all(languages[code] >= 3 for code in ("de", "fr", "es", "pt"))
    assert all(languages[code] >= 1 for code in ("ja", "it", "nl", "ar"))


def test_base_rates_are_those_of_a_real_desk() -> None:
    sentiment, churn, total = counts("sentiment"), counts("churn_risk"), len(tickets())
    assert 0.6 <= sentiment["neutral"] / total <= 0.8
    assert sentiment["frustrated"] >= 6
    assert sentiment["positive"] >= 3
    assert churn["low"] / total >= 0.7
    assert churn["high"] >= 2
    assert churn["medium"] >= 3


def _thread(t: Ticket) -> bool:
    authors = [m["author"] for m in t.get("conversation", []) if m["public"]]
    return "agent" in authors and "customer" in authors


def _emoji_only(t: Ticket) -> bool:
    return bool(t["body"]) and not re.search(r"\w", t["subject"] + t["body"]) and not t["body"].isascii()


def _expects(t: Ticket, **fields: object) -> bool:
    return all(t["expect"][name] == value for name, value in fields.items())


KINDS: dict[str, Callable[[Ticket], bool]] = {
    "thread with agent replies": _thread,
    "third time": lambda t: any("third time I write" in m for m in customer_messages(t)[1:]),
    "internal note": lambda t: any(not m["public"] for m in t.get("conversation", [])),
    "forwarded": lambda t: "Forwarded message" in t["body"] and re.search(r"^From: ", t["body"], re.M) is not None,
    "quoted reply, signature, disclaimer": lambda t: all(
        part in t["body"] for part in ("\n> ", "\n--\n", "CONFIDENTIALITY NOTICE")
    ),
    "HTML mail": lambda t: t["html"] and all(p in t["body"] for p in ("<table", "style=", "<blockquote")),
    "out of office": lambda t: t["subject"].startswith("Automatische Antwort") and _expects(t, triage=False),
    "bounce": lambda t: "mailer-daemon" in t["requester"]["email"] and _expects(t, triage=False),
    "spam": lambda t: "backlinks" in t["body"] and _expects(t, triage=False),
    "angry enterprise renewal": lambda t: (
        "Renewal" in t["subject"]
        and t["organization"]["tier"] == "enterprise"
        and _expects(t, sentiment="frustrated", churn_risk="high", escalation=True)
    ),
    "vulnerability report": lambda t: "disclosure" in t["subject"] and _expects(t, primary_team="security"),
    "account takeover": lambda t: (
        "Acceso sospechoso" in t["subject"] and _expects(t, primary_team="security", priority="P0_critical")
    ),
    "GDPR erasure": lambda t: "Art. 17 DSGVO" in t["body"] and _expects(t, primary_team="data_privacy"),
    "prompt injection": lambda t: (
        "Ignore all previous instructions" in t["body"] and not _expects(t, priority="P3_low")
    ),
    "hidden prompt injection": lambda t: (
        t["html"] and "display:none" in t["body"] and "<!--" in t["body"] and not _expects(t, priority="P0_critical")
    ),
    "markup injection": lambda t: all(p in t["body"] for p in ("<script>", "<img src=x onerror", "](javascript:")),
    "polite outage": lambda t: t["subject"] == "Quick question" and _expects(t, priority="P0_critical"),
    "very short": lambda t: 0 < len(t["body"]) < 20 and t["body"].isascii(),
    "emoji only": _emoji_only,
    "empty body": lambda t: t["body"] == "",
    "thank-you": lambda t: "Thank you" in t["subject"] and _expects(t, sentiment="positive"),
    "billing and bug": lambda t: _expects(t, primary_team="billing", secondary_team="technical_bug"),
    "fake system text": lambda t: "=== SYSTEM MESSAGE" in t["body"] and not _expects(t, priority="P0_critical"),
    "card and phone": lambda t: "4111 1111 1111 1111" in t["body"] and "555-01" in t["body"],
    "IBAN": lambda t: "DE89 3704 0044 0532 0130 00" in t["body"],
    "attachments": lambda t: len(t.get("attachments", [])) >= 2,
    "long and rambling": lambda t: len(t["body"].split()) >= 600,
    "right to left": lambda t: t["language"] == "ar" and re.search(r"[\u0600-\u06ff]", t["body"]) is not None,
}


@pytest.mark.parametrize("kind", KINDS)
def test_special_kind_is_there(kind: str) -> None:
    assert any(KINDS[kind](t) for t in tickets())


@pytest.mark.parametrize("ticket", tickets(), ids=lambda t: t["id"])
def test_only_example_domains(ticket: Ticket) -> None:
    assert EMAIL.fullmatch(ticket["requester"]["email"])
    whole = text(ticket)
    hosts = EMAIL.findall(whole) + URL_HOST.findall(whole) + WWW_HOST.findall(whole)
    assert [host for host in hosts if not SAFE_HOST.fullmatch(host)] == []


@pytest.mark.parametrize("ticket", tickets(), ids=lambda t: t["id"])
def test_only_test_numbers(ticket: Ticket) -> None:
    whole = text(ticket)
    cards = {re.sub(r"\D", "", found) for found in re.findall(r"\b\d(?:[ -]?\d){12,18}\b", whole)}
    ibans = {
        re.sub(r"\s", "", found) for found in re.findall(r"\b[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){3,7}(?: ?\d{1,3})?", whole)
    }
    digits_of_ibans = {re.sub(r"\D", "", iban) for iban in TEST_IBANS}
    digits_of_ibans |= {number[2:] for number in digits_of_ibans}
    assert ibans <= TEST_IBANS
    assert cards <= TEST_CARDS | digits_of_ibans
