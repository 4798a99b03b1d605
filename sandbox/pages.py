"""The pages people look at: both ticket lists, a ticket as an agent sees it, and the webhook log."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from sandbox import control, markup, samples
from sandbox.desk import Desk
from sandbox.records import VENDORS, Comment, Ticket, Vendor, now
from sandbox.state import here

bp = Blueprint("pages", __name__)
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NEWEST = 80  # tickets shown per list
TITLES = {"zendesk": "Zendesk", "freshdesk": "Freshdesk"}
NOTE_LABELS = {"zendesk": "Internal note", "freshdesk": "Private note"}
STATUSES = {
    "zendesk": ("new", "open", "pending", "hold", "solved"),
    "freshdesk": ("open", "pending", "resolved", "closed"),
}
PRIORITIES = {"zendesk": ("low", "normal", "high", "urgent"), "freshdesk": ("low", "medium", "high", "urgent")}
EXAMPLES: tuple[dict[str, str], ...] = (
    {
        "title": "Angry about a bill",
        "subject": "Charged twice, third time I ask",
        "body": "Hello,\n\nwe were charged twice for November again. This is the third time I write. "
        "If it is not refunded this week we will cancel and move elsewhere.\n\nDana",
    },
    {
        "title": "Production is down",
        "subject": "API returns 500 for every call since 09:10 UTC",
        "body": "All calls to /v2/orders fail with HTTP 500 since 09:10 UTC. Our checkout is down and we lose "
        "orders every minute. Request id: 7f3a. Please call us.",
    },
    {
        "title": "Ein Wunsch",
        "subject": "Wunsch: dunkles Design",
        "body": "Hallo zusammen,\n\nwir sind sehr zufrieden. Schön wäre noch ein dunkles Design für die "
        "Nachtschicht.\n\nViele Grüße\nJonas",
    },
)


@dataclass(frozen=True)
class Said:
    """One message on the ticket page; its HTML is cleaned."""

    author: str
    role: str
    private: bool
    at: str
    html: Markup
    files: tuple[str, ...]


@bp.get("/")
def start() -> ResponseReturnValue:
    """Show both ticket lists; the page refreshes itself."""
    boards = [(vendor, TITLES[vendor], here().desks[vendor].name, _rows(here().desks[vendor])) for vendor in VENDORS]
    # A page that refreshes itself loses what somebody is about to copy: the credentials stand here.
    refresh = None if here().config.own else 3
    return render_template(
        "start.html", boards=boards, feed=here().feed.as_dict(), config=here().config, refresh=refresh
    )


@bp.post("/feed")
def feed() -> ResponseReturnValue:
    """Push the sample tickets; a feed under way simply goes on."""
    with contextlib.suppress(RuntimeError):
        here().feed.start()
    return redirect(url_for("pages.start"), 303)


@bp.route("/new", methods=["GET", "POST"])
def new_ticket() -> ResponseReturnValue:
    """Let a visitor write as a customer."""
    if request.method == "GET":
        number = request.args.get("example", "")
        chosen = EXAMPLES[int(number)] if number.isdigit() and int(number) < len(EXAMPLES) else {}
        vendor_first = request.args.get("vendor", "zendesk")
        return render_template("new.html", examples=EXAMPLES, chosen=chosen, vendor=vendor_first)
    form = request.form
    vendor: Vendor = "freshdesk" if form.get("vendor") == "freshdesk" else "zendesk"
    company = form.get("company", "").strip()
    sample = {
        "subject": form.get("subject", "").strip() or "(no subject)",
        "body": form.get("body", "").strip() or "(no text)",
        "requester": {"name": form.get("name", "").strip() or "Visitor", "email": form.get("email", "").strip()},
        "organization": {"name": company, "tier": form.get("tier") or None} if company else None,
        "channel": "email",
    }
    ticket = samples.open_sample(here().desks[vendor], sample)
    return redirect(control.AGENT_PATH[vendor].format(id=ticket.id), 303)


@bp.route("/zendesk/agent/tickets/<int:ticket_id>", methods=["GET", "POST"], defaults={"vendor": "zendesk"})
@bp.route("/freshdesk/a/tickets/<int:ticket_id>", methods=["GET", "POST"], defaults={"vendor": "freshdesk"})
def ticket_page(vendor: str, ticket_id: int) -> ResponseReturnValue:
    """Show a ticket as an agent sees it, and let the visitor act as that agent."""
    desk, ticket = control.find(vendor, ticket_id)
    if ticket is None:
        return render_template("missing.html", title=TITLES[vendor], number=ticket_id), 404
    if request.method == "POST":
        control.apply(desk, ticket, _wishes(desk, ticket))
        return redirect(control.AGENT_PATH[vendor].format(id=ticket_id), 303)
    with desk.lock:
        said = [_said(desk, comment) for comment in ticket.comments]
        shown = control.ticket_state(desk, ticket)
        organization = desk.organizations.get(ticket.organization_id or 0)
        others = [
            {"id": other.id, "subject": other.subject, "status": other.status, "path": path_of(desk, other)}
            for other in desk.tickets.values()
            if other.requester_id == ticket.requester_id and other is not ticket
        ]
        waiting = not _has_note(desk, ticket) and (now() - ticket.created_at).total_seconds() < 120
    return render_template(
        "ticket.html",
        vendor=vendor,
        title=TITLES[vendor],
        desk=desk.name,
        ticket=shown,
        said=said,
        organization=organization,
        others=others[-5:],
        note_label=NOTE_LABELS[vendor],
        fields=_fields(desk, ticket),
        groups=[group.name for group in desk.groups.values()],
        statuses=tuple(dict.fromkeys((*STATUSES[vendor], ticket.status))),
        priorities=PRIORITIES[vendor],
        waiting=waiting,
        refresh=3 if waiting else None,
    )


@bp.get("/sandbox/deliveries")
def deliveries() -> ResponseReturnValue:
    """Show every webhook and its attempts, newest first."""
    shown = here().sender.as_list()[::-1][:200]
    busy = any(one["state"] in ("waiting", "sending", "retrying") for one in shown)  # a refresh closes opened bodies
    return render_template("deliveries.html", deliveries=shown, config=here().config, refresh=3 if busy else None)


def path_of(desk: Desk, ticket: Ticket) -> str:
    """Give the path of a ticket's agent page."""
    return control.AGENT_PATH[desk.vendor].format(id=ticket.id)


def _rows(desk: Desk) -> list[dict[str, Any]]:
    with desk.lock:
        newest = sorted(desk.tickets.values(), key=lambda ticket: (ticket.created_at, ticket.id), reverse=True)[:NEWEST]
        return [
            {
                **control.ticket_state(desk, ticket),
                "note": _has_note(desk, ticket),
                "path": control.AGENT_PATH[desk.vendor].format(id=ticket.id),
            }
            for ticket in newest
        ]


def _has_note(desk: Desk, ticket: Ticket) -> bool:
    return any(not comment.public and comment.author_id == desk.bot.id for comment in ticket.comments)


def _said(desk: Desk, comment: Comment) -> Said:
    person = desk.people[comment.author_id]
    role = "customer" if person.role == "end-user" else "app" if person is desk.bot else "agent"
    html = Markup(markup.clean(comment.html))  # noqa: S704 - cleaned by an allow-list on this very line
    at = comment.created_at.strftime("%d %b %Y, %H:%M:%S UTC")
    return Said(person.name, role, not comment.public, at, html, tuple(file.name for file in comment.attachments))


def _fields(desk: Desk, ticket: Ticket) -> list[tuple[str, str]]:
    names = {"AI sentiment": "cf_ai_sentiment", "AI churn risk": "cf_ai_churn_risk"}
    if desk.vendor == "zendesk":
        names = {"AI sentiment": str(desk.field_ids["sentiment"]), "AI churn risk": str(desk.field_ids["churn_risk"])}
    return [(title, str(ticket.custom_fields.get(key) or "–")) for title, key in names.items()]


def _wishes(desk: Desk, ticket: Ticket) -> dict[str, Any]:
    """Read the agent's form; what was left as it is stays as it is."""
    form = request.form
    group = desk.groups.get(ticket.group_id or 0)
    before = {"status": ticket.status, "priority": ticket.priority or "", "group": group.name if group else ""}
    wishes: dict[str, Any] = {key: form[key] for key, old in before.items() if form.get(key, old) != old and form[key]}
    text = form.get("text", "").strip()
    if text:
        wishes["note" if form.get("kind") == "note" else "reply"] = text
    return wishes
