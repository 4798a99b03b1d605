"""What Freshdesk checks before it changes a ticket: one wrong key or value fails the whole call."""

from __future__ import annotations

from typing import Any

from sandbox.config import SandboxConfig
from sandbox.desk import Desk
from sandbox.freshdesk import invalid, problem
from sandbox.freshdesk_shapes import CUSTOM_FIELDS, PRIORITY_NAMES, STATUS_NAMES, TYPES
from sandbox.records import Ticket

Problem = dict[str, str]
KEYS = frozenset(
    [
        "name",
        "requester_id",
        "email",
        "phone",
        "subject",
        "type",
        "status",
        "priority",
        "description",
        "responder_id",
        "custom_fields",
        "due_by",
        "fr_due_by",
        "email_config_id",
        "group_id",
        "internal_agent_id",
        "internal_group_id",
        "product_id",
        "source",
        "tags",
        "company_id",
        "parent_id",
        "related_ticket_ids",
    ]
)
NOTE_KEYS = frozenset(["body", "private", "notify_emails", "user_id", "incoming", "attachments"])
UNKNOWN = "Unexpected/invalid field in request"
MISSING = "It should not be blank as this is a mandatory field"
INTEGER = "It should be a/an Positive Integer"
LONGEST_TAG = 32
REPLY_KEYS = frozenset(["body", "attachments", "from_email", "user_id", "cc_emails", "bcc_emails"])


def unknown_keys(given: dict[str, Any], known: frozenset[str]) -> list[Problem]:
    """Name every key the endpoint does not take."""
    return [problem(key, UNKNOWN, "invalid_field") for key in given if key not in known]


def note(given: dict[str, Any], desk: Desk) -> None:
    """Check a new note."""
    wrong = unknown_keys(given, NOTE_KEYS)
    if not isinstance(given.get("body"), str):
        code = "missing_field" if given.get("body") is None else "datatype_mismatch"
        wrong.append(problem("body", "It should be a/an String", code))
    elif not given["body"].strip():
        wrong.append(problem("body", MISSING, "invalid_value"))
    for key in ("private", "incoming"):
        if key in given and not isinstance(given[key], bool):
            wrong.append(problem(key, "It should be a/an Boolean", "datatype_mismatch"))
    emails = given.get("notify_emails", [])
    if not isinstance(emails, list):
        wrong.append(problem("notify_emails", "It should be a/an Array", "datatype_mismatch"))
    elif emails:
        staff = {person.email for person in desk.people.values() if person.role != "end-user"}
        wrong += [
            problem("notify_emails", f"There is no agent with {e}", "invalid_value") for e in emails if e not in staff
        ]
    if "user_id" in given and given["user_id"] not in desk.people:
        wrong.append(problem("user_id", "There is no user matching the given user_id", "invalid_value"))
    if wrong:
        raise invalid(*wrong)


def reply(given: dict[str, Any], desk: Desk) -> None:
    """Check a new public reply."""
    wrong = unknown_keys(given, REPLY_KEYS)
    if not isinstance(given.get("body"), str) or not given["body"].strip():
        wrong.append(problem("body", MISSING, "missing_field"))
    if "user_id" in given and given["user_id"] not in desk.people:
        wrong.append(problem("user_id", "There is no user matching the given user_id", "invalid_value"))
    if wrong:
        raise invalid(*wrong)


def changes(given: dict[str, Any], ticket: Ticket, desk: Desk, config: SandboxConfig) -> dict[str, Any]:
    """Check an update and turn it into field changes."""
    if not given:
        raise invalid(problem("request", "Request body is empty", "missing_field"))
    wrong = unknown_keys(given, KEYS)
    result: dict[str, Any] = {}
    wrong += _choices(given, result) + _ids(given, result, desk) + _tags(given, result, desk, config)
    wrong += _custom(given, result)
    if "subject" in given:
        result["subject"] = str(given["subject"])
    wrong += _mandatory(result, ticket, config)
    if wrong:
        raise invalid(*wrong)
    return result


def _choices(given: dict[str, Any], result: dict[str, Any]) -> list[Problem]:
    wrong = []
    for key, names in (("priority", PRIORITY_NAMES), ("status", STATUS_NAMES)):
        if key not in given:
            continue
        value = given[key]
        if isinstance(value, bool) or value not in names:
            allowed = ",".join(str(number) for number in names)
            wrong.append(problem(key, f"It should be one of these values: '{allowed}'", "invalid_value"))
        else:
            result[key] = names[value]
    if "type" in given:
        if given["type"] is not None and given["type"] not in TYPES:
            text = f"It should be one of these values: '{','.join(TYPES)}'"
            wrong.append(problem("type", text, "invalid_value"))
        else:
            result["type"] = given["type"]
    return wrong


def _ids(given: dict[str, Any], result: dict[str, Any], desk: Desk) -> list[Problem]:
    wrong = []
    staff = {number for number, person in desk.people.items() if person.role != "end-user"}
    for key, target, known in (("group_id", "group_id", set(desk.groups)), ("responder_id", "assignee_id", staff)):
        if key not in given:
            continue
        value = given[key]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            wrong.append(problem(key, INTEGER, "datatype_mismatch"))
        elif value is not None and value not in known:
            name = key.removesuffix("_id")
            wrong.append(problem(key, f"There is no {name} matching the given {key}", "invalid_value"))
        else:
            result[target] = value
    return wrong


def _tags(given: dict[str, Any], result: dict[str, Any], desk: Desk, config: SandboxConfig) -> list[Problem]:
    if "tags" not in given:
        return []
    tags = given["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return [problem("tags", "It should be a/an Array of Strings", "datatype_mismatch")]
    if any(len(tag) > LONGEST_TAG for tag in tags):
        text = f"It should only contain elements that have maximum of {LONGEST_TAG} characters"
        return [problem("tags", text, "invalid_value")]
    if any("," in tag for tag in tags):
        return [problem("tags", "It should not contain these characters: ,", "invalid_value")]
    known = config.freshdesk_known_tags.union(*(t.tags for t in desk.tickets.values()))
    if not config.freshdesk_new_tags and (new := [tag for tag in tags if tag not in known]):
        return [problem("tags", f"You cannot create new tags: {new[0]}", "cannot_create_new_tag")]
    result["tags"] = list(dict.fromkeys(tags))
    return []


def _custom(given: dict[str, Any], result: dict[str, Any]) -> list[Problem]:
    fields = given.get("custom_fields", {})
    if not isinstance(fields, dict):
        return [problem("custom_fields", "It should be a/an key/value pair", "datatype_mismatch")]
    wrong = []
    for name, value in fields.items():
        options = CUSTOM_FIELDS.get(name)
        if options is None:
            wrong.append(problem(f"custom_fields.{name}", UNKNOWN, "invalid_field"))
        elif value is not None and value not in options:
            text = f"It should be one of these values: '{','.join(options)}'"
            wrong.append(problem(f"custom_fields.{name}", text, "invalid_value"))
        else:
            result[f"custom:{name}"] = value
    return wrong


def _mandatory(result: dict[str, Any], ticket: Ticket, config: SandboxConfig) -> list[Problem]:
    """Find mandatory fields that are empty afterwards, although the call never named them."""
    wrong = []
    for name in config.freshdesk_mandatory:
        custom = name.startswith("cf_")
        before = ticket.custom_fields.get(name) if custom else getattr(ticket, name, None)
        if result.get(f"custom:{name}" if custom else name, before) is None:
            wrong.append(problem(f"custom_fields.{name}" if custom else name, MISSING, "missing_field"))
    return wrong
