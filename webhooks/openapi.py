"""What the endpoints take and answer, as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), served at /openapi.json.

The console's pages are for people and are left out; what of it answers programs is here.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

HTML, JSON, PLAIN, CSV = "text/html", "application/json", "text/plain", "text/csv"
ERROR = {"$ref": "#/components/schemas/Error"}


def _answer(text: str, media: str = "", schema: Json | None = None, headers: Json | None = None) -> Json:
    """Return one answer of an operation."""
    answer: Json = {"description": text}
    if media:
        answer["content"] = {media: {"schema": schema or {"type": "string"}}}
    if headers:
        answer["headers"] = headers
    return answer


def _header(text: str, schema: Json) -> Json:
    return {"description": text, "required": True, "schema": schema}


def _page(text: str) -> Json:
    return _answer(text, HTML)


def _refusal(text: str, headers: Json | None = None) -> Json:
    return _answer(text, JSON, ERROR, headers)


def _object(required: list[str] | None = None, **properties: Json) -> Json:
    return {"type": "object", "required": list(properties) if required is None else required, "properties": properties}


DELIVERY = {"type": "integer", "minimum": 1, "description": "Its number in the inbox."}
TOO_LARGE = "The body is larger than 1 MiB."
RETRY_AFTER = {"Retry-After": _header("Seconds after which to send again.", {"type": "integer", "minimum": 1})}
WEBHOOK_ANSWERS = {
    "200": _answer("This event is known already.", JSON, _object(status={"const": "duplicate"})),
    "202": _answer(
        "Stored and taken up, or stored and of no interest.",
        JSON,
        {
            "oneOf": [
                _object(status={"const": "accepted"}, delivery=DELIVERY),
                {**_object(status={"const": "ignored"}), "additionalProperties": False},
            ]
        },
    ),
    "400": _answer(
        "Authenticated, but unreadable or without a ticket's number; kept for the admin. No use sending it again.",
        JSON,
        _object(["error"], error={"type": "string"}, delivery=DELIVERY),
    ),
    "401": _refusal("Signature or secret are missing, wrong or stale. Nothing is stored."),
    "404": _refusal("There is no such desk of this vendor."),
    "413": _refusal(TOO_LARGE),
    "503": _refusal("Could not be stored: send it again.", RETRY_AFTER),
}
DESK = {
    "name": "desk",
    "in": "path",
    "required": True,
    "description": "The desk's name in tandem.yaml.",
    "schema": {"type": "string", "minLength": 1},
}
TICKET_ID = {
    "description": "The ticket's number as text; as a number it is taken too.",
    "type": "string",
    "pattern": "^[1-9][0-9]{0,18}$",
}
ZENDESK_EVENT = _object(
    ["type", "detail"],
    type={"type": "string", "pattern": "^zen:event-type:", "description": "Such as zen:event-type:ticket.created."},
    id={"type": "string", "description": "The same for every repeat."},
    detail=_object(["id"], id=TICKET_ID, actor_id={"type": ["string", "integer"]}),
    event={"type": "object"},
)
TRIGGER = _object(
    ["ticket_id"],
    ticket_id=TICKET_ID,
    event={"type": "string", "description": "ticket_updated and ticket_asked have a meaning; others are new tickets."},
)


def _webhook(vendor: str, text: str, content: Json, security: list[Json]) -> Json:
    """Return the path item of one vendor's webhook."""
    return {
        "parameters": [DESK],
        "post": {
            "operationId": f"{vendor}Webhook",
            "tags": ["webhooks"],
            "summary": f"Take one webhook of a {vendor.capitalize()} desk",
            "description": text,
            "security": security,
            "requestBody": {"required": True, "content": content},
            "responses": WEBHOOK_ANSWERS,
        },
    }


ZENDESK = _webhook(
    "zendesk",
    "The signature covers the timestamp and every byte of the body; it is good for five minutes. "
    "The type of the content does not matter: the body is read as JSON.",
    {JSON: {"schema": {"anyOf": [ZENDESK_EVENT, TRIGGER]}}},
    [{"zendeskSignature": [], "zendeskTimestamp": []}],
)
FRESHDESK = _webhook(
    "freshdesk",
    "The secret stands in one of three places. The type of the content does not matter: the body is read as JSON, "
    "then as JSON with the usual slips of a hand-written rule, then as a form.",
    {
        JSON: {"schema": {"anyOf": [TRIGGER, _object(freshdesk_webhook=TRIGGER)]}},
        "application/x-www-form-urlencoded": {"schema": TRIGGER},
    },
    [{"freshdeskHeader": []}, {"freshdeskPassword": []}, {"freshdeskToken": []}],
)
TOKEN = {
    "name": "token",
    "in": "path",
    "required": True,
    "description": "The signed rest of a link in a note.",
    "schema": {"type": "string", "minLength": 1},
}
LINK_ANSWERS = {
    "404": {
        "description": "The link is not ours or not whole. JSON where it holds what no address of a page does.",
        "content": {HTML: {"schema": {"type": "string"}}, JSON: {"schema": ERROR}},
    },
    "410": _page("The link is too old, or its question is closed."),
    "503": _page("The database does not answer."),
}
FEEDBACK = {
    "parameters": [TOKEN],
    "get": {
        "operationId": "showFeedback",
        "tags": ["feedback"],
        "summary": "Show the page with the one button; records nothing",
        "security": [],
        "responses": {"200": _page("The page."), **LINK_ANSWERS},
    },
    "post": {
        "operationId": "recordFeedback",
        "tags": ["feedback"],
        "summary": "Record what the button says",
        "description": "The link is the permission. The form and its cookie come from the page.",
        "security": [],
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": _object(
                        ["form"],
                        form={"type": "string", "description": "The page's own token."},
                        label={"type": "string", "description": "What would have been right."},
                        reason={"type": "string", "description": "An agent's words about a draft."},
                    )
                }
            },
        },
        "responses": {
            "200": _page("Recorded."),
            "400": _page("The form or its cookie are missing: the page once more. Nothing is recorded."),
            "409": _page("The question has an answer already."),
            "413": _page("The form is larger than 16 KiB."),
            "429": _page("Too many at once. Nothing is recorded."),
            **LINK_ANSWERS,
        },
    },
}


def _reading(name: str, tag: str, summary: str, responses: Json) -> Json:
    """Return the path item of something that is only read and asks for nothing."""
    return {
        "get": {"operationId": name, "tags": [tag], "summary": summary, "security": [], "responses": responses},
    }


CHECK = _object(state={"enum": ["ok", "warning", "broken"]}, text={"type": "string"})
READINESS = _object(
    status={"enum": ["ok", "degraded", "down"]}, checks={"type": "object", "additionalProperties": CHECK}
)
AUDIT_QUERY = ("actor", "action", "desk", "subject", "since", "until")
LEADS_ON = {"Location": _header("Where to.", {"type": "string"})}
PATHS: Json = {
    "/webhooks/zendesk/{desk}": ZENDESK,
    "/webhooks/freshdesk/{desk}": FRESHDESK,
    "/feedback/{token}": FEEDBACK,
    "/feedback/": _reading(
        "showNothing", "feedback", "Say that a link is not whole", {"404": _page("There is no link.")}
    ),
    "/healthz": _reading(
        "health",
        "health",
        "Say that the web process lives",
        {"200": _answer("It does.", JSON, _object(status={"const": "ok"}))},
    ),
    "/readyz": _reading(
        "readiness",
        "health",
        "Say whether webhooks can be stored, and how everything stands",
        {
            "200": _answer("They can.", JSON, READINESS),
            "503": _answer("They cannot.", JSON, READINESS),
        },
    ),
    "/metrics": _reading(
        "metrics",
        "health",
        "Return the metrics as Prometheus reads them",
        {"200": _answer("The metrics.", PLAIN), "503": _refusal("The database does not answer.", RETRY_AFTER)},
    ),
    "/openapi.json": _reading(
        "description",
        "health",
        "Return this description",
        {"200": _answer("OpenAPI 3.1.", JSON, _object(["openapi", "info", "paths"], openapi={"const": "3.1.0"}))},
    ),
    "/": _reading(
        "root", "console", "Lead to the console", {"303": _answer("The console's address.", HTML, None, LEADS_ON)}
    ),
    "/console/audit.csv": {
        "get": {
            "operationId": "auditLog",
            "tags": ["console"],
            "summary": "Return the audit log as a file, for admins",
            "security": [{"consoleSession": []}],
            "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in AUDIT_QUERY],
            "responses": {
                "200": _answer("The file; no cell of it is a formula.", CSV),
                "303": _answer("Nobody is signed in: the sign-in page's address.", HTML, None, LEADS_ON),
                "403": _page("Not for viewers."),
                "503": _page("The console is off, or the database does not answer."),
            },
        }
    },
}
SECURITY: Json = {
    "zendeskSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Zendesk-Webhook-Signature",
        "description": "base64(HMAC-SHA256(secret, timestamp + body))",
    },
    "zendeskTimestamp": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Zendesk-Webhook-Signature-Timestamp",
        "description": "ISO 8601, at most five minutes off",
    },
    "freshdeskHeader": {"type": "apiKey", "in": "header", "name": "X-Webhook-Secret"},
    "freshdeskPassword": {"type": "http", "scheme": "basic", "description": "The secret as password, any name."},
    "freshdeskToken": {"type": "apiKey", "in": "query", "name": "token"},
    "consoleSession": {"type": "apiKey", "in": "cookie", "name": "tandem_console"},
}
DESCRIPTION: Json = {
    "openapi": "3.1.0",
    "info": {
        "title": "Tandem",
        "version": "1",
        "description": "AI triage for the helpdesk you already have. Other methods are answered 405.",
    },
    "servers": [{"url": "/"}],
    "paths": PATHS,
    "components": {"schemas": {"Error": _object(error={"type": "string"})}, "securitySchemes": SECURITY},
}
