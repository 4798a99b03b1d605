"""The context packet: what is known is told in few words, what is not known leaves no trace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes import answer
from triage.context_packet import Packet, files, packet
from triage.decision import Decision
from triage.store import Store
from triage.ticket import Author, Background, EarlierTicket, Message, Rating, Requester, Status, Ticket
from workers.moods import moods_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def other(number: str, *tags: str, days: int = 1) -> EarlierTicket:
    return EarlierTicket(number, "Old", Status.SOLVED, NOW - timedelta(days=days), tags)


def told(ticket: Ticket, moods: dict[str, str] | None = None, mood: str = "") -> Packet:
    return packet(ticket, NOW, moods=moods or {}, mood=mood, prefix="ai_")


def with_background(background: Background, **more: object) -> Ticket:
    return Ticket(desk="acme", id="7", background=background, **more)  # type: ignore[arg-type]


def test_nothing_known_is_nothing_said() -> None:
    assert told(Ticket(desk="acme", id="7"), mood="neutral") == Packet()


def test_a_requester_alone_has_an_age() -> None:
    ticket = Ticket(desk="acme", id="7", requester=Requester(created_at=NOW - timedelta(days=400)))
    assert told(ticket).customer == ("account 13 months old",)


@pytest.mark.parametrize(
    ("background", "said"),
    [
        (Background(open_tickets=None), ()),
        (Background(open_tickets=0), ()),
        (Background(open_tickets=3), ("3 more open",)),
        (Background(rating=Rating("bad", "5")), ("last CSAT: bad (ticket 5)",)),
        (Background(rating=Rating("good", "5", NOW)), ("last CSAT: good (ticket 5, 2026-11-22)",)),
    ],
)
def test_history(background: Background, said: tuple[str, ...]) -> None:
    assert told(with_background(background)).history == said


class TestMoodPath:
    def test_is_oldest_first_and_ends_with_this_ticket(self) -> None:
        before = (other("6", "ai_sentiment_frustrated"), other("5", "ai_sentiment_neutral", days=9))
        said = told(with_background(Background(before=before)), mood="frustrated").history
        assert said == ("mood: neutral → frustrated ×2",)

    def test_a_tag_that_a_person_may_have_corrected_goes_before_our_own_record(self) -> None:
        ticket = with_background(Background(before=(other("6", "ai_sentiment_positive"),)))
        assert told(ticket, {"6": "frustrated"}, "neutral").history == ("mood: positive → neutral",)

    def test_runs_tell_it_where_no_tag_does(self) -> None:
        ticket = with_background(Background(before=(other("6", "vip"),)))
        assert told(ticket, {"6": "neutral"}, "frustrated").history == ("mood: neutral → frustrated",)

    def test_what_this_ticket_was_before_is_in_it(self) -> None:
        assert told(Ticket(desk="acme", id="7"), {"7": "neutral"}, "frustrated").history == (
            "mood: neutral → frustrated",
        )

    def test_one_mood_is_no_path(self) -> None:
        assert told(with_background(Background(before=(other("6"),))), mood="frustrated").history == ()
        assert told(with_background(Background(before=(other("6", "ai_sentiment_neutral"),)))).history == ()

    def test_is_short(self) -> None:
        before = tuple(other(str(number), "ai_sentiment_neutral", days=number) for number in range(1, 9))
        (said,) = told(with_background(Background(before=before)), mood="frustrated").history
        assert said == "mood: neutral ×3 → frustrated"


class TestDetails:
    def test_product_facts_and_files(self) -> None:
        sent = Message("1", Author.CUSTOMER, "x", attachments=("a.png", "b.png", "a.png"))
        ticket = with_background(Background(facts=(("Version", "6.14"),)), messages=(sent,))
        assert told(ticket).details == ("Version: 6.14", "attached: a.png, b.png")

    def test_many_files_are_counted(self) -> None:
        sent = Message("1", Author.CUSTOMER, "x", attachments=tuple(f"{n}.png" for n in range(9)))
        assert told(Ticket(desk="acme", id="7", messages=(sent,))).details == (
            "attached: 0.png, 1.png, 2.png and 6 more",
        )

    def test_what_an_agent_attached_is_not_the_customers(self) -> None:
        reply = Message("1", Author.AGENT, "x", attachments=("a.png",))
        assert files(Ticket(desk="acme", id="7", messages=(reply,))) == ()

    def test_long_names_and_values_are_cut(self) -> None:
        sent = Message("1", Author.CUSTOMER, "x", attachments=("n" * 500,))
        ticket = with_background(Background(facts=(("Version", "v" * 500),)), messages=(sent,))
        assert sum(map(len, told(ticket).details)) < 100


class TestMoodsOfRuns:
    def run(self, store: Store, ticket_id: str, mood: str, *abstained: str, done: bool = True) -> None:
        run, _ = store.runs.claim("acme", ticket_id, "created", owner="w", now=1.0, lease_until=99.0)
        decision = Decision(abstained=list(abstained)).model_dump()
        store.runs.save(run, classification=answer(sentiment=mood).model_dump(), decision=decision, policy="p")
        if done:
            store.runs.finish(run, "done", 2.0)

    def test_are_those_that_were_sure_and_done(self, store: Store) -> None:
        self.run(store, "4", "neutral")
        self.run(store, "5", "frustrated", "sentiment")
        self.run(store, "6", "frustrated", done=False)
        self.run(store, "9", "positive")
        before = tuple(other(number) for number in ("4", "5", "6"))
        assert moods_of(with_background(Background(before=before)), store) == {"4": "neutral"}

    def test_a_run_whose_details_are_forgotten_has_none(self, store: Store) -> None:
        self.run(store, "7", "neutral")
        assert moods_of(Ticket(desk="acme", id="7"), store) == {"7": "neutral"}
        store.runs.drop_details(before=1e12)
        assert moods_of(Ticket(desk="acme", id="7"), store) == {}
