"""What both connectors read around a ticket, what is left out where the helpdesk refuses it, and what it costs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS, NOTE, REFERENCE, Box

from connectors.base import Fields
from connectors.cache import Cache
from connectors.freshdesk_ratings import Ratings
from connectors.probe import MISSES, Probe
from connectors.ticket_rows import is_newcomer
from connectors.values import facts, first, words
from connectors.zendesk_ticket import rating
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.errors import FeatureOff
from triage.ticket import Background, Organization, Ticket

COMPANY = {
    "name": "Fernhill",
    "tier": "business",
    "plan": "Team",
    "mrr": 640.0,
    "days_old": 800,
    "renews_in_days": 30,
    "more": {"app_version": "6.14"},
}
EARLIER = [
    {"subject": "Still broken", "days_ago": 3, "status": "open", "tags": ["ai_sentiment_frustrated"]},
    {"subject": "Broken", "days_ago": 9, "status": "solved", "tags": ["ai_sentiment_neutral"], "rating": "bad"},
    {"subject": "Hello", "days_ago": 200, "status": "solved", "rating": "good"},
]
OPTIONAL = {
    "zendesk": {"history": r"/tickets/requested", "sla": r"/slas/"},
    "freshdesk": {"history": r"/tickets$", "company": r"/companies/", "ratings": r"/surveys/"},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    """Return one sandbox for all tests of this file."""
    with running(SandboxConfig(**CREDENTIALS, freshdesk_limit=5000, zendesk_limit=5000)) as found:
        yield found


@pytest.fixture(params=VENDORS)
def box(request: pytest.FixtureRequest, sandbox: Running) -> Iterator[Box]:
    """Return each vendor's account, free of faults, its calls forgotten."""
    found = Box(sandbox, request.param)
    found.settings = found.settings.model_copy(update={"context_fields": {"App version": "app_version", "No": "nope"}})
    found.connector = found.connect()
    requests.delete(f"{found.url}/calls", timeout=10)
    yield found
    requests.delete(f"{found.url}/faults", timeout=10)


def who(name: str) -> dict[str, Any]:
    return {"name": name, "email": f"{name.lower()}@context.example", "days_old": 50}


def calls(box: Box) -> Counter[str]:
    """Return how often each endpoint was called, signing in left out."""
    made = box.state()["calls"]["endpoints"]
    return Counter({name.removeprefix(f"{box.vendor} "): n for name, n in made.items() if "oauth" not in name})


def refuse(box: Box, path: str, status: int) -> None:
    """Refuse every call of a path from now on."""
    fault = {"match": {"method": "GET", "path": path}, "do": {"status": status, "body": {}}, "times": None}
    requests.post(f"{box.url}/faults", json=fault, timeout=10).raise_for_status()


def is_whole(ticket: Ticket) -> bool:
    return bool(ticket.subject == "Help" and ticket.messages and ticket.requester.email)


class TestRead:
    def test_what_is_known_around_a_ticket(self, box: Box) -> None:
        found = box.connector.read(box.ticket(requester=who("Rita"), organization=COMPANY, earlier=EARLIER))
        company, around = found.organization, found.background
        today = datetime.now(UTC)
        assert company.created_at and (today - company.created_at).days == 800
        assert company.renewal == (today + timedelta(days=30)).date()
        assert (company.tier, company.plan, company.mrr) == ("business", "Team", 640.0)
        assert [one.subject for one in found.earlier] == ["Still broken", "Broken"]
        assert [one.subject for one in around.before] == ["Still broken", "Broken", "Hello"]
        assert around.before[0].tags == ("ai_sentiment_frustrated",)
        assert around.open_tickets == 1
        assert around.rating and around.rating.word == "bad"
        assert around.rating.ticket_id == around.before[1].id
        assert around.facts == (("App version", "6.14"),)

    def test_a_stranger_has_nothing_but_an_age(self, box: Box) -> None:
        found = box.connector.read(box.ticket(requester=who("Otto")))
        assert found.organization == Organization()
        assert found.background == Background(open_tickets=0)
        assert found.requester.created_at and (datetime.now(UTC) - found.requester.created_at).days == 50

    def test_files_are_named(self, box: Box) -> None:
        body = "It fails, the log is attached."
        found = box.connector.read(box.ticket(body=body, attachments=["log.txt"]))
        assert [name for message in found.messages for name in message.attachments] == ["log.txt"]


class TestRefused:
    @pytest.mark.parametrize("status", [403, 404, 500])
    @pytest.mark.parametrize("what", ["history", "sla", "company", "ratings"])
    def test_leaves_its_part_out_and_the_ticket_whole(self, box: Box, what: str, status: int) -> None:
        if not (path := OPTIONAL[box.vendor].get(what)):
            return
        ticket_id = box.ticket(requester=who("Ruth"), organization=COMPANY, earlier=EARLIER)
        refuse(box, path, status)
        found = box.connector.read(ticket_id)
        assert is_whole(found)
        if what == "history":
            assert (found.earlier, found.background.open_tickets, found.background.before) == ((), None, ())
        if what == "company":
            assert (found.organization.name, found.organization.mrr) == ("", None)
        if what == "ratings":
            assert found.background.rating is None

    @pytest.mark.parametrize("what", ["history", "company", "ratings"])
    def test_is_not_asked_for_again_and_again(self, box: Box, what: str) -> None:
        if not (path := OPTIONAL[box.vendor].get(what)):
            return
        ids = [box.ticket(requester=who(f"Storm{n}"), organization={"name": f"Company {n}"}) for n in range(6)]
        refuse(box, path, 403)
        for ticket_id in ids:
            assert is_whole(box.connector.read(ticket_id))
        fault = requests.get(f"{box.url}/faults", timeout=10).json()["faults"][0]
        assert fault["used"] == (1 if what == "ratings" else MISSES)

    def test_a_missing_company_is_asked_for_once(self, box: Box) -> None:
        if box.vendor == "freshdesk":
            ids = [box.ticket(requester=who("Gone"), organization={"name": "Gone Ltd"}) for _ in range(2)]
            refuse(box, r"/companies/", 404)
            for ticket_id in ids:
                box.connector.read(ticket_id)
            assert requests.get(f"{box.url}/faults", timeout=10).json()["faults"][0]["used"] == 1

    def test_a_plan_without_surveys(self) -> None:
        with running(SandboxConfig(**CREDENTIALS, freshdesk_ratings=False)) as poor:
            box = Box(poor, "freshdesk")
            for _ in range(3):
                found = box.connector.read(box.ticket(requester=who("Rita"), earlier=EARLIER))
                assert is_whole(found)
                assert found.background.rating is None
            assert calls(box)["GET /api/v2/surveys/satisfaction_ratings"] == 1


class TestCalls:
    """A ticket's whole way: read, note, tags."""

    def whole_way(self, box: Box, **sample: Any) -> Counter[str]:
        ticket_id = box.ticket(requester=who("Carl"), organization=COMPANY, **sample)
        requests.delete(f"{box.url}/calls", timeout=10)
        found = box.connector.read(ticket_id)
        box.connector.post(found, NOTE, REFERENCE, Fields())
        box.connector.add_tags(found, ("ai_triaged",))
        made = calls(box)
        sys.stdout.write(f"\n{box.vendor}: {made.total()} calls a ticket: {dict(made)}\n")
        return made

    def test_of_a_new_ticket(self, box: Box) -> None:
        self.whole_way(box)
        made = self.whole_way(box)
        # Freshdesk has no additive call for tags, so its list of tags is read right before it is written.
        assert made.total() == {"zendesk": 4, "freshdesk": 5}[box.vendor]
        reads = [n for name, n in made.items() if name.startswith("GET") and name != "GET /api/v2/tickets/{id}"]
        assert max(reads, default=0) <= 1

    def test_of_a_conversation_or_a_file(self, box: Box) -> None:
        self.whole_way(box)
        talk = [{"author": "agent", "public": True, "body": "Which invoice?"}]
        for sample in ({"conversation": talk}, {"body": "The log is attached.", "attachments": ["log.txt"]}):
            assert self.whole_way(box, **sample).total() == 5


class TestNewcomers:
    """Somebody the helpdesk has known for a second has no other ticket."""

    def listed(self, box: Box) -> int:
        """Return how often a customer's tickets were asked for."""
        lists = ("GET /api/v2/tickets", "GET /api/v2/users/{id}/tickets/requested")
        return sum(calls(box)[name] for name in lists)

    def new(self, name: str) -> dict[str, Any]:
        return who(name) | {"days_old": 0}

    def test_a_first_ticket_is_not_looked_behind(self, box: Box) -> None:
        found = box.connector.read(box.ticket(requester=self.new("Nele")))
        assert found.background == Background(open_tickets=0)
        assert (found.earlier, found.ticket_count_30d) == ((), 0)
        assert self.listed(box) == 0

    def test_who_writes_twice_at_once_has_two(self, box: Box) -> None:
        first, second = (box.ticket(requester=self.new("Twin")) for _ in range(2))
        box.connector.read(first)
        found = box.connector.read(second)
        assert [one.id for one in found.earlier] == [first]
        assert self.listed(box) == 1

    def test_a_customer_of_old_is(self, box: Box) -> None:
        found = box.connector.read(box.ticket(requester=who("Olga"), earlier=EARLIER))
        assert len(found.earlier) == 2
        assert self.listed(box) == 1

    def test_a_later_look_at_the_same_ticket_asks_no_more(self, box: Box) -> None:
        ticket_id = box.ticket(requester=who("Lena"), earlier=EARLIER)
        found = [box.connector.read(ticket_id) for _ in range(2)]
        assert found[0].earlier == found[1].earlier
        assert found[0].background == found[1].background
        assert self.listed(box) == 1
        other = box.connector.read(box.ticket(requester=who("Lena")))
        assert ticket_id in [one.id for one in other.earlier]
        assert self.listed(box) == 2

    def test_a_list_that_could_not_be_had_is_asked_for_again(self, box: Box) -> None:
        ticket_id = box.ticket(requester=who("Paul"), earlier=EARLIER)
        refuse(box, OPTIONAL[box.vendor]["history"], 500)
        assert box.connector.read(ticket_id).background.open_tickets is None
        requests.delete(f"{box.url}/faults", timeout=10)
        assert box.connector.read(ticket_id).background.open_tickets == 1

    @pytest.mark.parametrize(
        ("ticket_after", "read_after", "is_new"), [(0, 1, True), (2, 59, True), (3, 4, False), (1, 61, False)]
    )
    def test_only_just_now_and_in_one_go(self, ticket_after: int, read_after: int, is_new: bool) -> None:
        born = datetime(2026, 1, 1, tzinfo=UTC)
        ticket, read = born + timedelta(seconds=ticket_after), born + timedelta(seconds=read_after)
        assert is_newcomer(born, ticket, read) is is_new
        assert not is_newcomer(None, ticket, read)


class TestProbe:
    class Api:
        def __init__(self) -> None:
            self.asked = 0
            self.refuses = True

        def get(self, path: str, *ids: str, query: Any = None, optional: bool = False) -> Any:
            self.asked += 1
            if self.refuses:
                raise FeatureOff(path)
            return {"found": ids}

    def test_goes_back_to_a_path_after_an_hour(self) -> None:
        now = [0.0]
        api = self.Api()
        probe = Probe(api, Cache(3600.0, lambda: now[0]))  # type: ignore[arg-type]
        for _ in range(5):
            assert probe.get("/a") is None
        assert api.asked == MISSES
        now[0] = 3601.0
        api.refuses = False
        assert probe.get("/a", "7") == {"found": ("7",)}

    def test_one_path_does_not_answer_for_another(self) -> None:
        api = self.Api()
        probe = Probe(api)  # type: ignore[arg-type]
        for _ in range(MISSES):
            probe.get("/a")
        api.refuses = False
        assert probe.get("/b") == {"found": ()}

    def test_misses_count_in_a_row(self) -> None:
        api = self.Api()
        probe = Probe(api)  # type: ignore[arg-type]
        for _ in range(MISSES - 1):
            probe.get("/a")
        api.refuses = False
        probe.get("/a")
        api.refuses = True
        for _ in range(MISSES - 1):
            probe.get("/a")
        assert api.asked == 2 * MISSES - 1
        api.refuses = False
        assert probe.get("/a")


class TestRatings:
    class Listed(Probe):
        """Answers pages of ratings."""

        def __init__(self, pages: list[Any]) -> None:
            self.pages = pages
            self.asked = 0

        def get(self, path: str, *ids: str, query: Any = None) -> Any:
            self.asked += 1
            return self.pages.pop(0) if self.pages else None

    def row(self, user: int, answer: Any, at: str = "2026-11-01T00:00:00Z") -> dict[str, Any]:
        return {"user_id": user, "ticket_id": 5, "created_at": at, "ratings": {"default_question": answer}}

    @pytest.mark.parametrize(
        ("answer", "word"),
        [(103, "good"), (101, "good"), (100, "neutral"), (-101, "bad"), (-103, "bad"), (1, "good"), (3, "bad")],
    )
    def test_every_scale_in_three_words(self, answer: int, word: str) -> None:
        found = Ratings(self.Listed([[self.row(7, answer)]])).of("7")
        assert found and (found.word, found.ticket_id) == (word, "5")

    @pytest.mark.parametrize("broken", [None, {}, [None], [{}], [{"user_id": 7, "ratings": {"default_question": "5"}}]])
    def test_anything_else_is_none(self, broken: Any) -> None:
        assert Ratings(self.Listed([broken])).of("7") is None

    def test_the_newest_counts_and_three_pages_are_enough(self) -> None:
        page = [self.row(7, 103), self.row(7, -103, "2026-11-09T00:00:00Z")] * 50
        listed = self.Listed([list(page) for _ in range(9)])
        ratings = Ratings(listed)
        found = ratings.of("7")
        assert found and found.word == "bad"
        assert ratings.of("8") is None
        assert listed.asked == 3


class TestValues:
    @pytest.mark.parametrize(
        ("value", "said"),
        [(True, "yes"), (False, "no"), ("6.14", "6.14"), (6, "6"), (["a", "b"], "a, b"), (None, ""), ({"a": 1}, "")],
    )
    def test_in_an_agents_words(self, value: Any, said: str) -> None:
        assert words(value) == said

    def test_the_first_source_that_holds_something(self) -> None:
        assert first("cf_version", ({"cf_version": ""}, {"version": "1"})) == "1"
        assert first("version", ({"cf_version": 2},)) == 2
        assert facts({"V": 360001, "W": "w"}, ({"360001": "x"}, {})) == (("V", "x"),)

    @pytest.mark.parametrize("score", ["offered", "unoffered", "", None])
    def test_a_survey_without_an_answer_is_no_rating(self, score: Any) -> None:
        assert rating([{"id": 1, "created_at": "2026-01-01", "satisfaction_rating": {"score": score}}]) is None
        assert rating([{"id": 1, "satisfaction_rating": None}]) is None
