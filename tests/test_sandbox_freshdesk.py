"""The sandbox's Freshdesk behaves as the facts and the recorded exchanges say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.config import SandboxConfig
from sandbox.testing import Running, Session, running


def words(text: str) -> set[str]:
    return set(text.split())


CONFIG = SandboxConfig(freshdesk_api_key="key", freshdesk_due_delay=1.0, freshdesk_limit=5000)
# tickets_list_include, without its three includes
LISTED = words("""
    associated_tickets_count association_type cc_emails company_id created_at custom_fields due_by email_config_id
    fr_due_by fr_escalated fwd_emails group_id id is_escalated nr_due_by nr_escalated priority product_id
    reply_cc_emails requester_id responder_id source spam status subject support_email tags ticket_cc_emails
    to_emails type updated_at
""")
# conversations_list
CONVERSATION = words("""
    attachments auto_response automation_id automation_type_id bcc_emails body body_text category cc_emails
    created_at email_failure_count from_email id incoming last_edited_at last_edited_user_id outgoing_failures
    private source source_additional_info support_email thread_id thread_message_id ticket_id to_emails updated_at
    user_id
""")
# agents_me
ME = words("""
    available available_since contact created_at group_ids id occasional role_ids signature skill_ids ticket_scope
    type updated_at
""")
AGENT_ROW = ME - {"group_ids", "role_ids", "skill_ids"} | {"last_active_at"}  # agents_list
# company_show
COMPANY = words("""
    account_tier created_at custom_fields description domains health_score id industry name note renewal_date
    updated_at
""")


@pytest.fixture(scope="module")
def box() -> Iterator[Running]:
    with running(CONFIG) as served:
        yield served


@pytest.fixture
def api(box: Running) -> Session:
    return Session(f"{box.freshdesk}/api/v2", "key")


def ticket(box: Running, **given: object) -> int:
    sample = {"vendor": "freshdesk", "subject": "Help", "body": "Please help.", "silent": True, **given}
    sample.setdefault("requester", {"name": "Ann", "email": "ann@customer.example"})
    answer = Session(box.url).post("/sandbox/tickets", json=sample)
    assert answer.status_code == 201, answer.text
    number = answer.json()["id"]
    assert isinstance(number, int)
    return number


def act(box: Running, number: int, **wishes: object) -> None:
    assert Session(box.url).post(f"/sandbox/agent/freshdesk/{number}", json=wishes).ok


def test_records_have_the_recorded_keys(box: Running, api: Session) -> None:
    company = {"name": "Initech", "tier": "Premium", "plan": "Team", "mrr": 10}
    number = ticket(box, organization=company)
    act(box, number, note="noted")
    shown = api.get(f"/tickets/{number}?include=conversations,requester,company,stats").json()
    assert set(shown) >= LISTED | set(["description", "description_text", "attachments", "form_id"])
    assert set(shown["conversations"][0]) == CONVERSATION
    assert set(shown["company"]) == COMPANY
    assert (shown["company"]["account_tier"], shown["company"]["custom_fields"]) == (
        "Premium",
        {"plan": "Team", "mrr": 10},
    )
    assert set(shown["requester"]) == set(["id", "name", "email", "mobile", "phone"])
    rows = api.get("/tickets?include=requester,stats,description").json()
    assert set(rows[0]) >= LISTED | {"requester", "stats", "description", "description_text"}
    assert "description" not in api.get("/tickets").json()[0]
    assert set(api.get("/agents/me").json()) == ME
    assert set(api.get("/agents").json()[0]) == AGENT_ROW
    assert shown["requester_id"] > 2**31


def test_a_wrong_key_is_refused_as_recorded(box: Running) -> None:
    answer = Session(f"{box.freshdesk}/api/v2", "wrong").get("/agents/me")
    assert answer.status_code == 401
    assert answer.json() == {
        "code": "invalid_credentials",
        "message": "You have to be logged in to perform this action.",
    }
    assert answer.headers["X-RateLimit-Used-CurrentRequest"] == "1"


def test_a_note_is_private_cleaned_and_located(box: Running, api: Session) -> None:
    number = ticket(box)
    answer = api.post(f"/tickets/{number}/notes", json={"body": "<p>Hi</p><script>x</script><!-- ref -->"})
    note = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/api/v2/conversations/{note['id']}")
    assert (note["private"], note["source"], note["category"], note["incoming"]) == (True, 2, 2, False)
    assert note["body"] == "<div><p>Hi</p></div>"
    assert note["user_id"] == api.get("/agents/me").json()["id"]
    changed = api.put(f"/conversations/{note['id']}", json={"body": "<p>Ho</p>"})
    assert changed.json()["body_text"] == "Ho"
    assert api.delete(f"/conversations/{note['id']}").status_code == 204
    assert api.get(f"/tickets/{number}/conversations").json() == []


def test_only_notes_can_be_changed(box: Running, api: Session) -> None:
    number = ticket(box)
    act(box, number, reply="Hello from an agent")
    reply = api.get(f"/tickets/{number}/conversations").json()[0]
    assert (reply["source"], reply["private"]) == (0, False)
    assert api.put(f"/conversations/{reply['id']}", json={"body": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"colour": 1}, "colour", "invalid_field"),
        ({"group_id": "12"}, "group_id", "datatype_mismatch"),
        ({"group_id": 12}, "group_id", "invalid_value"),
        ({"priority": 5}, "priority", "invalid_value"),
        ({"priority": "high"}, "priority", "invalid_value"),
        ({"type": "question"}, "type", "invalid_value"),
        ({"custom_fields": {"cf_nope": 1}}, "custom_fields.cf_nope", "invalid_field"),
        ({"custom_fields": {"cf_ai_sentiment": "furious"}}, "custom_fields.cf_ai_sentiment", "invalid_value"),
        ({"tags": ["x" * 33]}, "tags", "invalid_value"),
        ({"tags": "x"}, "tags", "datatype_mismatch"),
    ],
)
def test_one_wrong_value_fails_the_whole_update(
    box: Running, api: Session, given: dict[str, object], field: str, code: str
) -> None:
    number = ticket(box)
    answer = api.put(f"/tickets/{number}", json={"subject": "changed", **given})
    assert answer.status_code == 400
    assert answer.json()["description"] == "Validation failed"
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]
    assert api.get(f"/tickets/{number}").json()["subject"] == "Help"


def test_tags_replace_the_list(box: Running, api: Session) -> None:
    number = ticket(box, tags=["vip"])
    answer = api.put(f"/tickets/{number}", json={"tags": ["ai-triaged"], "priority": 4})
    assert (answer.status_code, answer.json()["tags"], answer.json()["priority"]) == (200, ["ai-triaged"], 4)


def test_accounts_can_forbid_new_tags_and_demand_fields() -> None:
    config = replace(CONFIG, freshdesk_new_tags=False, freshdesk_known_tags=frozenset({"known"}))
    with running(config) as box:
        number, api = ticket(box), Session(f"{box.freshdesk}/api/v2", "key")
        refused = api.put(f"/tickets/{number}", json={"tags": ["known", "new"], "priority": 4})
        assert refused.json()["errors"][0]["code"] == "cannot_create_new_tag"
        assert api.get(f"/tickets/{number}").json()["priority"] == 1
        assert api.put(f"/tickets/{number}", json={"tags": ["known"]}).status_code == 200
    with running(replace(CONFIG, freshdesk_mandatory=("type",))) as box:
        number, api = ticket(box), Session(f"{box.freshdesk}/api/v2", "key")
        refused = api.put(f"/tickets/{number}", json={"priority": 4})
        assert refused.json()["errors"][0]["field"] == "type"
        assert api.put(f"/tickets/{number}", json={"priority": 4, "type": "Question"}).status_code == 200


def test_note_keys_are_checked(box: Running, api: Session) -> None:
    number = ticket(box)
    for given, code in (
        ({"body": "x", "public": True}, "invalid_field"),
        ({}, "missing_field"),
        ({"body": "x", "private": "true"}, "datatype_mismatch"),
    ):
        answer = api.post(f"/tickets/{number}/notes", json=given)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


def test_missing_is_empty_and_deleted_is_not_allowed(box: Running, api: Session) -> None:
    missing = api.get("/tickets/999999")
    assert (missing.status_code, missing.content) == (404, b"")
    assert api.get("/nothing/here").content == b""
    number = ticket(box)
    act(box, number, deleted=True)
    answer = api.put(f"/tickets/{number}", json={"priority": 2})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert answer.json() == {"message": "PUT method is not allowed. It should be one of these method(s): GET"}
    assert api.post(f"/tickets/{number}/notes", json={"body": "x"}).status_code == 405
    assert api.get(f"/tickets/{number}").json()["deleted"] is True
    assert number not in [one["id"] for one in api.get("/tickets?per_page=100").json()]
    assert number in [one["id"] for one in api.get("/tickets?filter=deleted").json()]


def test_embedded_conversations_are_the_ten_oldest_and_pages_are_linked(box: Running, api: Session) -> None:
    number = ticket(box)
    for place in range(12):
        act(box, number, note=f"note {place}")
    embedded = api.get(f"/tickets/{number}?include=conversations")
    assert [one["body_text"] for one in embedded.json()["conversations"]] == [f"note {n}" for n in range(10)]
    assert embedded.headers["X-RateLimit-Used-CurrentRequest"] == "2"
    page = api.get(f"/tickets/{number}/conversations?per_page=8")
    assert len(page.json()) == 8
    rest = api.get(page.links["next"]["url"])
    assert [one["body_text"] for one in rest.json()] == [f"note {n}" for n in range(8, 12)]
    assert "Link" not in rest.headers
    wrong = api.get(f"/tickets/{number}?include=sla_policy")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "include")


def test_lists_forget_old_tickets_unless_asked(box: Running, api: Session) -> None:
    who = {"name": "Old", "email": "old@customer.example"}
    number = ticket(box, requester=who, earlier=[{"subject": "Old one", "days_ago": 90, "status": "resolved"}])
    requester = api.get(f"/tickets/{number}").json()["requester_id"]
    assert [one["id"] for one in api.get(f"/tickets?requester_id={requester}").json()] == [number]
    since: dict[str, str] = {
        "requester_id": str(requester),
        "updated_since": "2020-01-01T00:00:00Z",
        "order_type": "asc",
    }
    assert [one["subject"] for one in api.get("/tickets", params=since).json()] == ["Old one", "Help"]
    deep = api.get("/tickets?page=301")
    assert (deep.status_code, deep.json()["errors"][0]["field"]) == (400, "page")
    assert "300th page" in deep.json()["errors"][0]["message"]
    assert api.get("/tickets?per_page=101").status_code == 400


def test_search_reads_the_query_language(box: Running, api: Session) -> None:
    number = ticket(box, tags=["needle"])
    api.put(f"/tickets/{number}", json={"priority": 4, "custom_fields": {"cf_ai_churn_risk": "high"}})

    def found(query: str) -> list[int]:
        answer = api.get("/search/tickets", params={"query": query})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["results"]]

    assert found("\"tag:'needle'\"") == [number]
    assert number in found('"(status:2 OR status:3) AND priority:>3"')
    assert found("\"cf_ai_churn_risk:'high' AND tag:'needle'\"") == [number]
    assert found("\"tag:'needle' AND status:5\"") == []
    assert number in found("\"created_at:>'2026-01-01' AND group_id:null\"")
    for wrong in ("priority:4", '"requester_id:1"', '"priority:4 AND"', '"(priority:4"'):
        assert api.get("/search/tickets", params={"query": wrong}).status_code == 400, wrong
    assert api.get("/search/tickets", params={"query": '"priority:4"', "page": "11"}).status_code == 400


def test_due_times_come_later_and_lag_behind_the_priority(box: Running, api: Session) -> None:
    number = ticket(box)
    assert api.get(f"/tickets/{number}").json()["due_by"] is None
    time.sleep(1.1)
    low = api.get(f"/tickets/{number}").json()
    assert low["due_by"] > low["fr_due_by"] > low["created_at"]
    stale = api.put(f"/tickets/{number}", json={"priority": 4}).json()
    assert stale["due_by"] == low["due_by"]
    time.sleep(1.1)
    assert api.get(f"/tickets/{number}").json()["due_by"] < low["due_by"]


def test_people_and_settings(box: Running, api: Session) -> None:
    number = ticket(box)
    requester = api.get(f"/tickets/{number}").json()["requester_id"]
    me = api.get("/agents/me").json()["id"]
    assert api.get(f"/contacts/{requester}").json()["email"] == "ann@customer.example"
    assert (api.get(f"/contacts/{me}").status_code, api.get(f"/contacts/{me}").content) == (404, b"")
    assert api.get(f"/agents/{me}").status_code == 200
    groups = {one["name"]: one["id"] for one in api.get("/groups").json()}
    assert groups["Finance & Billing"] > 2**31
    fields = {one["name"]: one for one in api.get("/ticket_fields").json()}
    assert fields["cf_ai_sentiment"]["choices"] == ["frustrated", "neutral", "positive"]
    assert fields["status"]["choices"]["2"] == ["Open", "Being Processed"]
    assert api.get("/sla_policies").json()[0]["sla_target"]["priority_4"]["respond_within"] == 900
    assert api.get("/settings/helpdesk").json()["primary_language"] == "en"


def test_ratings_are_listed_since_a_time_where_the_plan_has_surveys(box: Running, api: Session) -> None:
    earlier = [{"subject": "Old", "days_ago": 40, "rating": "good"}, {"subject": "New", "days_ago": 3, "rating": "bad"}]
    number = ticket(box, requester={"name": "Rita", "email": "rita@rated.example"}, earlier=earlier)
    requester = api.get(f"/tickets/{number}").json()["requester_id"]
    listed = api.get("/surveys/satisfaction_ratings", params={"created_since": "2020-01-01T00:00:00Z"}).json()
    mine = [one["ratings"]["default_question"] for one in listed if one["user_id"] == requester]
    assert mine == [-103, 103]
    assert api.get("/surveys/satisfaction_ratings", params={"created_since": "2999-01-01T00:00:00Z"}).json() == []
    with running(replace(CONFIG, freshdesk_ratings=False)) as poor:
        refused = Session(f"{poor.freshdesk}/api/v2", "key").get("/surveys/satisfaction_ratings")
    assert (refused.status_code, refused.json()["code"]) == (403, "require_feature")


def test_stats_follow_the_conversation(box: Running, api: Session) -> None:
    number = ticket(box)
    assert api.get(f"/tickets/{number}?include=stats").json()["stats"]["first_responded_at"] is None
    act(box, number, reply="Hello", status="pending")
    stats = api.get(f"/tickets/{number}?include=stats").json()["stats"]
    assert stats["first_responded_at"]
    assert stats["pending_since"]


def test_limits_count_includes_and_say_when_to_come_back() -> None:
    with running(replace(CONFIG, freshdesk_limit=5, freshdesk_admin=False)) as box:
        number, api = ticket(box), Session(f"{box.freshdesk}/api/v2", "key")
        costly = api.get(f"/tickets/{number}?include=requester,company,stats")
        assert costly.headers["X-RateLimit-Used-CurrentRequest"] == "4"
        assert costly.headers["X-RateLimit-Remaining"] == "1"
        denied = api.get("/sla_policies")
        assert (denied.status_code, denied.json()["code"]) == (403, "access_denied")
        over = api.get(f"/tickets/{number}")
        assert (over.status_code, over.content) == (429, b"")
        assert 0 < int(over.headers["Retry-After"]) <= 60
