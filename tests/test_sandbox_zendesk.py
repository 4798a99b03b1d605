"""The sandbox's Zendesk behaves as the facts and the recorded exchanges say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.config import SandboxConfig
from sandbox.testing import Running, Session, running


def words(text: str) -> set[str]:
    return set(text.split())


CONFIG = SandboxConfig(
    zendesk_client_id="tandem",
    zendesk_client_secret="client-secret",
    zendesk_email="bot@acme.example",
    zendesk_api_token="token",
    zendesk_ticket_update_limit=1000,
)
# key sets of the recorded exchanges named in the comments (facetoe/zenpy recordings)
# ticket_show_200
TICKET = words("""
    allow_attachments allow_channelback assignee_id brand_id collaborator_ids created_at custom_fields
    custom_status_id description due_at email_cc_ids external_id fields follower_ids followup_ids forum_topic_id
    from_messaging_channel group_id has_incidents id is_public organization_id priority problem_id raw_subject
    recipient requester_id satisfaction_rating sharing_agreement_ids status subject submitter_id tags
    ticket_form_id type updated_at url via
""")
AUDIT = words("author_id created_at events id metadata ticket_id via")  # ticket_update_200
# ticket_comments_list_cursor_200
COMMENT = words("""
    attachments audit_id author_id body created_at html_body id metadata plain_body public type via
""")
# user_show_200
USER = words("""
    active alias created_at custom_role_id default_group_id details email external_id iana_time_zone id
    last_login_at locale locale_id moderator name notes only_private_comments organization_id phone photo
    report_csv restricted_agent role role_type shared shared_agent shared_phone_number signature suspended tags
    ticket_restriction time_zone two_factor_auth_enabled updated_at url user_fields verified
""")
# organization_show_200
ORGANIZATION = words("""
    created_at details domain_names external_id group_id id name notes organization_fields shared_comments
    shared_tickets tags updated_at url
""")
GROUP = words("created_at default deleted description id is_public name updated_at url")
CLOSED = {
    "error": "RecordInvalid",
    "description": "Record validation errors",
    "details": {"status": [{"description": "Status closed prevents ticket update"}]},
}


@pytest.fixture(scope="module")
def box() -> Iterator[Running]:
    with running(CONFIG) as served:
        yield served


@pytest.fixture
def api(box: Running) -> Session:
    return Session(f"{box.zendesk}/api/v2", "bot@acme.example/token", "token")


def ticket(box: Running, **given: object) -> int:
    sample = {"vendor": "zendesk", "subject": "Help", "body": "Please help.", "silent": True, **given}
    sample.setdefault("requester", {"name": "Ann", "email": "ann@customer.example"})
    answer = Session(box.url).post("/sandbox/tickets", json=sample)
    assert answer.status_code == 201, answer.text
    number = answer.json()["id"]
    assert isinstance(number, int)
    return number


def act(box: Running, number: int, **wishes: object) -> None:
    assert Session(box.url).post(f"/sandbox/agent/zendesk/{number}", json=wishes).ok


def token(box: Running, **given: object) -> str:
    wanted = {"grant_type": "client_credentials", "client_id": "tandem", "client_secret": "client-secret", **given}
    answer = Session(box.zendesk).post("/oauth/tokens", json=wanted)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def test_records_have_the_recorded_keys(box: Running, api: Session) -> None:
    number = ticket(
        box, organization={"name": "Initech", "tier": "pro", "plan": "Team", "mrr": 99.5}, attachments=["a.txt"]
    )
    include = "users,groups,organizations,metric_sets,comment_count,slas"
    shown = api.get(f"/tickets/{number}.json", params={"include": include}).json()
    assert set(shown["ticket"]) == TICKET | {"comment_count"}
    assert set(shown) == {"ticket", "users", "groups", "organizations", "metric_sets"}
    assert set(shown["users"][0]) == USER
    assert set(shown["organizations"][0]) == ORGANIZATION
    assert shown["organizations"][0]["organization_fields"] == {
        "tier": "pro",
        "plan": "Team",
        "mrr": 99.5,
        "renewal_date": None,
    }
    assert shown["metric_sets"][0]["reply_time_in_minutes"] == {"calendar": None, "business": None}
    assert set(api.get(f"/tickets/{number}/comments.json").json()["comments"][0]) == COMMENT
    assert set(api.get("/groups.json").json()["groups"][0]) == GROUP
    assert shown["ticket"]["requester_id"] > 2**31
    assert api.get(f"/tickets/{number}").json()["ticket"]["id"] == number


def test_anonymous_is_nobody_on_me_and_refused_elsewhere(box: Running) -> None:
    nobody = Session(f"{box.zendesk}/api/v2")
    me = nobody.get("/users/me.json")
    assert me.status_code == 200
    assert me.json()["user"]["id"] is None
    refused = nobody.get("/tickets/count.json")
    assert (refused.status_code, refused.json()) == (401, {"error": "Couldn't authenticate you"})
    assert refused.headers["x-rate-limit"] == "700"
    wrong = Session(f"{box.zendesk}/api/v2", "bot@acme.example/token", "wrong").get("/users/me.json")
    assert wrong.status_code == 401


def test_oauth_tokens_work_expire_and_obey_their_scope(box: Running) -> None:
    assert Session(box.zendesk).post("/oauth/tokens", json={"client_id": "x"}).status_code == 401
    number = ticket(box)
    api = Session(f"{box.zendesk}/api/v2")
    reading = {"Authorization": f"Bearer {token(box, scope='tickets:read')}"}
    assert api.get(f"/tickets/{number}.json", headers=reading).status_code == 200
    write = api.put(f"/tickets/{number}.json", headers=reading, json={"ticket": {"priority": "low"}})
    assert (write.status_code, write.json()["error"]["title"]) == (403, "Forbidden")
    typo = {"Authorization": f"Bearer {token(box, scope='read tikets:write')}"}
    assert api.get(f"/tickets/{number}.json", headers=typo).status_code == 403
    Session(box.url).post("/sandbox/tokens/expire")
    expired = api.get(f"/tickets/{number}.json", headers=reading)
    assert (expired.status_code, expired.json()["error"]) == (401, "invalid_token")


def test_tokens_live_only_as_long_as_they_say() -> None:
    with running(replace(CONFIG, zendesk_token_life=0.2)) as box:
        headers = {"Authorization": f"Bearer {token(box)}"}
        api = Session(f"{box.zendesk}/api/v2")
        assert api.get("/tickets/count.json", headers=headers).status_code == 200
        time.sleep(0.3)
        assert api.get("/tickets/count.json", headers=headers).status_code == 401


def test_one_put_writes_note_and_fields_and_answers_with_the_audit(box: Running, api: Session) -> None:
    number = ticket(box)
    group = api.get("/groups.json").json()["groups"][0]["id"]
    html = "<p onclick='x()'>Draft</p><script>alert(1)</script><!-- hidden --><b style='color:red'>bold</b>"
    wanted = {
        "comment": {"html_body": html, "public": False},
        "priority": "high",
        "group_id": group,
        "metadata": {"run": "TDM-1"},
        "colour": "red",
    }
    answer = api.put(f"/tickets/{number}.json", json={"ticket": wanted})
    assert answer.status_code == 200
    assert 'unpermitted_keys=>["ticket.colour"]' in answer.headers["X-Zendesk-API-Warn"]
    assert answer.headers["zendesk-ratelimit-tickets-update"].startswith("total=400; remaining=")
    shown = answer.json()
    assert set(shown["ticket"]) == TICKET
    assert set(shown["audit"]) == AUDIT
    assert (shown["ticket"]["priority"], shown["ticket"]["group_id"]) == ("high", group)
    comment, *changes = shown["audit"]["events"]
    assert (comment["type"], comment["public"]) == ("Comment", False)
    assert comment["html_body"] == ('<div class="zd-comment" dir="auto"><p dir="auto">Draft</p><b>bold</b></div>')
    assert {(c["field_name"], c["value"]) for c in changes} == {("priority", "high"), ("group_id", str(group))}
    assert shown["audit"]["metadata"]["custom"] == {"run": "TDM-1"}
    newest = api.get(f"/tickets/{number}/comments.json?sort=-created_at&page[size]=1").json()["comments"][0]
    assert newest["metadata"]["custom"] == {"run": "TDM-1"}
    assert newest["plain_body"] == "Draft \nbold"


def test_a_forgotten_public_flag_goes_to_the_customer_on_email(box: Running, api: Session) -> None:
    number = ticket(box, channel="email")
    answer = api.put(f"/tickets/{number}.json", json={"ticket": {"comment": {"body": "oops"}}}).json()
    assert answer["audit"]["events"][0]["public"] is True
    comment_id = answer["audit"]["events"][0]["id"]
    assert api.put(f"/tickets/{number}/comments/{comment_id}/make_private.json").status_code == 200
    assert api.get(f"/tickets/{number}/comments.json").json()["comments"][-1]["public"] is False


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"comment": {"body": "a", "html_body": "b", "public": False}}, "base"),
        ({"comment": {"html_body": "<script>x</script>", "public": False}}, "comment"),
        ({"priority": "P1"}, "priority"),
        ({"group_id": 1}, "group"),
        ({"assignee_id": 1}, "assignee"),
    ],
)
def test_wrong_values_fail_the_whole_update(box: Running, api: Session, wanted: dict[str, object], field: str) -> None:
    number = ticket(box)
    answer = api.put(f"/tickets/{number}.json", json={"ticket": {"tags": ["x"], **wanted}})
    assert (answer.status_code, answer.json()["error"]) == (422, "RecordInvalid")
    assert list(answer.json()["details"]) == [field]
    assert api.get(f"/tickets/{number}.json").json()["ticket"]["tags"] == []


def test_errors_have_the_observed_shapes(box: Running, api: Session) -> None:
    number = ticket(box, status="closed")
    closed = api.put(f"/tickets/{number}.json", json={"ticket": {"priority": "low"}})
    assert (closed.status_code, closed.json()) == (422, CLOSED)
    gone = api.put("/tickets/9223372036854775807.json", json={"ticket": {"id": 1}})
    assert (gone.status_code, gone.json()) == (404, {"error": "RecordNotFound", "description": "Not found"})
    assert "ticket.id" in gone.headers["x-zendesk-api-warn"]
    nowhere = api.get("/tickles.json")
    assert (nowhere.status_code, nowhere.json()["error"]) == (404, "InvalidEndpoint")
    bare = api.put(f"/tickets/{number}.json", json={"priority": "low"})
    assert (bare.status_code, bare.json()["error"]) == (400, "ParameterMissing")


def test_safe_update_refuses_a_stale_stamp(box: Running, api: Session) -> None:
    number = ticket(box)
    stamp = api.get(f"/tickets/{number}.json").json()["ticket"]["updated_at"]
    time.sleep(1.1)  # updated_at has whole seconds
    act(box, number, note="I am on it")
    guard = {"updated_stamp": stamp, "safe_update": True}
    stale = api.put(f"/tickets/{number}.json", json={"ticket": {"priority": "low", **guard}})
    assert (stale.status_code, stale.json()["error"]) == (409, "UpdateConflict")
    assert api.put(f"/tickets/{number}/tags.json", json={"tags": ["a"], **guard}).status_code == 409
    guard["updated_stamp"] = api.get(f"/tickets/{number}.json").json()["ticket"]["updated_at"]
    assert api.put(f"/tickets/{number}.json", json={"ticket": {"priority": "low", **guard}}).status_code == 200


def test_put_adds_tags_post_replaces_delete_removes(box: Running, api: Session) -> None:
    number = ticket(box)
    assert api.put(f"/tickets/{number}/tags.json", json={"tags": ["b", "A"]}).json() == {"tags": ["a", "b"]}
    assert api.put(f"/tickets/{number}/tags.json", json={"tags": ["c"]}).json() == {"tags": ["a", "b", "c"]}
    assert api.delete(f"/tickets/{number}/tags.json", json={"tags": ["a"]}).status_code == 204
    replaced = api.post(f"/tickets/{number}/tags.json", json={"tags": ["z"]})
    assert (replaced.status_code, replaced.json()) == (201, {"tags": ["z"]})
    shown = api.put(f"/tickets/{number}.json", json={"ticket": {"tags": ["only"]}}).json()
    assert shown["ticket"]["tags"] == ["only"]


def test_drop_down_values_are_tags(box: Running, api: Session) -> None:
    number = ticket(box)
    fields = {one["title"]: one for one in api.get("/ticket_fields.json").json()["ticket_fields"]}
    sentiment = fields["AI sentiment"]
    assert [option["value"] for option in sentiment["custom_field_options"]] == ["frustrated", "neutral", "positive"]
    set_to = [{"id": sentiment["id"], "value": "frustrated"}]
    shown = api.put(f"/tickets/{number}.json", json={"ticket": {"custom_fields": set_to}}).json()["ticket"]
    assert shown["tags"] == ["frustrated"]
    assert {"id": sentiment["id"], "value": "frustrated"} in shown["custom_fields"]
    wrong = [{"id": sentiment["id"], "value": "furious"}]
    assert api.put(f"/tickets/{number}.json", json={"ticket": {"custom_fields": wrong}}).status_code == 422
    api.delete(f"/tickets/{number}/tags.json", json={"tags": ["frustrated"]})
    shown = api.get(f"/tickets/{number}.json").json()["ticket"]
    assert {"id": sentiment["id"], "value": None} in shown["custom_fields"]


def test_comment_pages_end_at_has_more_not_at_links(box: Running, api: Session) -> None:
    number = ticket(box)
    for place in range(4):
        act(box, number, note=f"note {place}")
    url, bodies, pages = f"/tickets/{number}/comments.json?page[size]=2&include=users", [], 0
    while True:
        page = api.get(url).json()
        pages += 1
        bodies += [one["body"] for one in page["comments"]]
        assert page["users"]
        assert page["links"]["next"] is not None
        if not page["meta"]["has_more"]:
            break
        url = page["links"]["next"]
    assert (pages, bodies) == (3, ["Please help.", "note 0", "note 1", "note 2", "note 3"])
    newest = api.get(f"/tickets/{number}/comments.json?page[size]=1&sort=-created_at").json()
    assert newest["comments"][0]["body"] == "note 3"


def test_history_search_and_people(box: Running, api: Session) -> None:
    who = {"name": "Bo", "email": "bo@customer.example"}
    earlier = [{"subject": "Old one", "days_ago": 90, "status": "solved"}]
    number = ticket(box, requester=who, subject="Bo wants help", earlier=earlier)
    requester = api.get(f"/tickets/{number}.json").json()["ticket"]["requester_id"]
    asked = api.get(f"/users/{requester}/tickets/requested.json").json()
    assert [one["subject"] for one in asked["tickets"]] == ["Old one", "Bo wants help"]
    assert asked["count"] == 2
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 30 * 86400))
    found = api.get("/search.json", params={"query": f"type:ticket requester:{requester} created>{day}"}).json()
    assert [one["id"] for one in found["results"]] == [number]
    assert found["results"][0]["result_type"] == "ticket"
    solved = api.get("/search.json", params={"query": f"type:ticket status>=solved requester:{requester}"}).json()
    assert solved["count"] == 1
    assert api.get("/search.json?query=type:ticket&page[size]=5").status_code == 400
    assert api.get("/search.json?query=type:ticket&page=11&per_page=100").status_code == 422
    assert api.get(f"/users/{requester}.json").json()["user"]["email"] == "bo@customer.example"


def test_incremental_export_brings_changes_and_deletions(box: Running, api: Session) -> None:
    number = ticket(box)
    first = api.get("/incremental/tickets/cursor.json?start_time=0").json()
    assert set(first) == set(["tickets", "after_url", "before_url", "after_cursor", "before_cursor", "end_of_stream"])
    assert first["end_of_stream"] is True
    act(box, number, deleted=True)
    then = api.get(f"/incremental/tickets/cursor.json?cursor={first['after_cursor']}").json()
    assert [(one["id"], one["status"]) for one in then["tickets"]] == [(number, "deleted")]
    assert set(then["tickets"][0]) == TICKET | {"generated_timestamp"}
    assert api.get(f"/tickets/{number}.json").status_code == 404
    assert api.get("/incremental/tickets/cursor.json?start_time=99999999999").status_code == 422


def test_limits_are_announced_and_kept() -> None:
    with running(replace(CONFIG, zendesk_limit=8, zendesk_ticket_update_limit=1)) as box:
        number = ticket(box)
        api = Session(f"{box.zendesk}/api/v2", "bot@acme.example/token", "token")
        assert api.put(f"/tickets/{number}.json", json={"ticket": {"priority": "low"}}).status_code == 200
        second = api.put(f"/tickets/{number}.json", json={"ticket": {"priority": "high"}})
        assert second.status_code == 429
        assert 500 < int(second.headers["Retry-After"]) <= 600
        left = [int(api.get("/groups.json").headers["ratelimit-remaining"]) for _ in range(6)]
        assert left == [5, 4, 3, 2, 1, 0]
        over = api.get("/groups.json")
        assert (over.status_code, over.headers["x-rate-limit-remaining"]) == (429, "0")
        assert 0 < int(over.headers["Retry-After"]) <= 60


def test_agents_may_not_do_what_admins_may() -> None:
    with running(replace(CONFIG, zendesk_role="agent")) as box:
        api = Session(f"{box.zendesk}/api/v2", "bot@acme.example/token", "token")
        for path in ("/incremental/tickets/cursor.json?start_time=0", "/slas/policies.json"):
            assert api.get(path).status_code == 403
        assert api.get("/groups.json").status_code == 200


def test_slas_exist_only_where_the_plan_has_them(box: Running, api: Session) -> None:
    number = ticket(box)
    assert api.get(f"/tickets/{number}/slas/policy_metrics.json").status_code == 404
    with running(replace(CONFIG, zendesk_slas=True)) as other:
        number = ticket(other)
        act(other, number, priority="urgent")
        api = Session(f"{other.zendesk}/api/v2", "bot@acme.example/token", "token")
        metrics = api.get(f"/tickets/{number}/slas/policy_metrics.json").json()["policy_metrics"]
        assert metrics[0]["metric"] == "first_reply_time"
        assert metrics[0]["stage"] == "active"
        assert len(api.get("/slas/policies.json").json()["sla_policies"][0]["policy_metrics"]) == 8
