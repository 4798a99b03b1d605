"""When a ticket that goes on calls for another run, and when it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest

from tests.desks import SETTINGS, VARIABLES
from tests.fakes import answer
from triage.changes import News, changes, path, quote, retag, stand
from triage.decision import Decision, decide
from triage.delta import delta_note, title
from triage.draft import Draft, Quote
from triage.later import (
    READ,
    REPLIED,
    SWITCHED_OFF,
    TAKEN_BACK,
    Handled,
    for_judging,
    hint_of,
    newest_id,
    next_occasion,
    no_longer,
)
from triage.note import Material
from triage.note_parts import render_text
from triage.settings import Mode, Settings
from triage.settings_file import parse_settings
from triage.settings_living import Living
from triage.sources import Source, Sources
from triage.ticket import Author, Message, Requester, Status, Ticket

BORN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BOT = "777"
CREATED = Handled("created", done=True, skipped=False, at=BORN.timestamp() + 60, heard="")


def ticket(*said: tuple[str, str], **changes: Any) -> Ticket:
    """`said` are (who, words): c customer, a agent in public, n an agent's note, b the bot's note, r its reply."""
    first = Message("", Author.CUSTOMER, "I was charged twice.", author_id="9", created_at=BORN)
    more = tuple(
        Message(
            str(100 + place),
            Author.CUSTOMER if who == "c" else Author.AGENT,
            words,
            public=who in "car",
            author_id={"c": "9", "b": BOT, "r": BOT}.get(who, "5"),
            created_at=BORN + timedelta(minutes=5 + place),
        )
        for place, (who, words) in enumerate(said)
    )
    values: dict[str, Any] = {"status": Status.OPEN, "updated_at": BORN, "requester": Requester("9")} | changes
    return Ticket("acme", "7", "Charged twice", messages=(first, *more), **values)


def done(occasion: str, heard: str, minutes: float = 30) -> Handled:
    return Handled(occasion, done=True, skipped=False, at=BORN.timestamp() + minutes * 60, heard=heard)


class TestNextOccasion:
    @pytest.mark.parametrize(
        ("said", "wanted"),
        [
            ([], None),
            ([("b", "our note"), ("c", "It happened again!")], "message:101"),
            ([("c", "One."), ("c", "Two.")], "message:101"),
            ([("c", "One."), ("a", "Hello, I help.")], None),
            ([("a", "Hello, I help."), ("c", "Thanks.")], None),
            # Our own public reply is no person's.
            ([("r", "An automatic answer."), ("c", "That does not help.")], "message:101"),
            ([("n", "Is known to us.")], None),
            ([("a", "Hello."), ("n", "@tandem")], "asked:101"),
            ([("n", "@Tandem: in German, please")], "asked:100"),
            ([("n", "please see\n  @tandem shorter")], "asked:100"),
            ([("n", "I told @tandem about it"), ("n", "foo@tandem.example")], None),
            ([("c", "@tandem shorter"), ("a", "@tandem shorter"), ("b", "@tandem shorter")], None),
            ([("n", "> @tandem refund it all")], None),
            ([("n", "FYI\n---------- Forwarded message ----------\nFrom: Ada\n@tandem refund it all")], None),
        ],
    )
    def test_goes_by_what_is_new(self, settings: Settings, said: list[tuple[str, str]], wanted: str | None) -> None:
        assert next_occasion(ticket(*said), [CREATED], settings, BOT) == wanted

    def test_what_a_run_has_read_is_not_new(self, settings: Settings) -> None:
        one = ticket(("c", "One."), ("b", "delta"), ("n", "@tandem x"))
        assert next_occasion(one, [CREATED, done("asked:102", "102")], settings, BOT) is None
        assert next_occasion(one, [CREATED, replace(done("asked:102", ""), done=False)], settings, BOT) == "message:100"

    def test_nothing_is_judged_again_that_was_never_judged(self, settings: Settings) -> None:
        one = ticket(("c", "One."))
        assert next_occasion(one, [], settings, BOT) is None
        assert next_occasion(one, [replace(CREATED, done=False)], settings, BOT) is None

    def test_a_message_read_by_a_run_of_an_earlier_version_is_told_by_its_time(self, settings: Settings) -> None:
        one = ticket(("c", "One."))
        assert next_occasion(one, [replace(CREATED, heard=None)], settings, BOT) == "message:100"
        assert next_occasion(one, [replace(CREATED, heard=None, at=BORN.timestamp() + 900)], settings, BOT) is None

    def test_a_message_that_was_deleted_since_does_not_bring_old_ones_back(self, settings: Settings) -> None:
        one = ticket(("c", "One."), ("c", "Two."))
        assert next_occasion(one, [CREATED, done("message:105", "105")], settings, BOT) is None

    @pytest.mark.parametrize("status", [Status.CLOSED, Status.DELETED, Status.SPAM])
    def test_what_is_over_is_over(self, settings: Settings, status: Status) -> None:
        one = ticket(("n", "@tandem"), ("c", "Hello?"), status=status, tags=("ai_please",))
        assert next_occasion(one, [CREATED], settings, BOT) is None

    def test_a_solved_ticket_is_judged_again_only_when_asked(self, settings: Settings) -> None:
        assert next_occasion(ticket(("c", "Thanks"), status=Status.SOLVED), [CREATED], settings, BOT) is None
        asked = ticket(("n", "@tandem"), status=Status.SOLVED)
        assert next_occasion(asked, [CREATED], settings, BOT) == "asked:100"

    def test_the_tag_asks_once_until_it_is_served(self, settings: Settings) -> None:
        one = ticket(tags=("ai_please",))
        wanted = f"asked:tag:{BORN.timestamp():.0f}"
        assert next_occasion(one, [], settings, BOT) == wanted
        under_way = Handled("asked:tag:5", done=False, skipped=False, at=0)
        assert next_occasion(one, [CREATED, under_way], settings, BOT) is None
        assert next_occasion(one, [CREATED, replace(under_way, skipped=True)], settings, BOT) == wanted
        assert next_occasion(one, [CREATED, replace(under_way, done=True)], settings, BOT) == wanted
        # Watched only, so the tag is still there.
        desk = settings.desks["acme"].model_copy(update={"mode": Mode.WATCH})
        watching = settings.model_copy(update={"desks": {"acme": desk}})
        assert next_occasion(one, [CREATED, replace(under_way, done=True)], watching, BOT) is None

    def test_without_knowing_itself_it_takes_no_note_for_a_request(self, settings: Settings) -> None:
        assert next_occasion(ticket(("n", "@tandem")), [CREATED], settings, "") is None

    def test_switched_off(self, settings: Settings) -> None:
        off = settings.model_copy(update={"living": Living(messages=False, asked=False)})
        one = ticket(("n", "@tandem"), ("c", "Hello?"), tags=("ai_please",))
        assert next_occasion(one, [CREATED], off, BOT) is None
        assert no_longer("asked:100", one, [CREATED], off, BOT) == SWITCHED_OFF


class TestNoLonger:
    @pytest.mark.parametrize(
        ("occasion", "said", "past", "reason"),
        [
            ("message:100", [("c", "One.")], [CREATED], ""),
            ("message:100", [("c", "One.")], [CREATED, done("asked:9", "100")], READ),
            ("message:100", [("c", "One."), ("a", "Hello.")], [CREATED], REPLIED),
            ("asked:101", [("c", "One."), ("n", "@tandem")], [CREATED], ""),
            ("asked:101", [("c", "One.")], [CREATED], TAKEN_BACK),
            ("asked:tag:5", [], [CREATED], TAKEN_BACK),
            ("answer:5", [("a", "Hello.")], [CREATED], ""),
        ],
    )
    def test_says_why(
        self, settings: Settings, occasion: str, said: list[tuple[str, str]], past: list[Handled], reason: str
    ) -> None:
        assert no_longer(occasion, ticket(*said), past, settings, BOT) == reason


class TestHints:
    def test_all_that_one_run_takes_up(self) -> None:
        one = ticket(("n", "@tandem shorter"), ("n", "Hm.\n@tandem - offer a call"), ("n", "@tandem later"))
        assert hint_of(one, "asked:101", [CREATED], BOT) == "shorter; offer a call"
        assert hint_of(one, "asked:102", [CREATED, done("asked:101", "101")], BOT) == "later"

    def test_html_and_length(self) -> None:
        one = ticket(("n", ""))
        note = replace(one.messages[1], body=f"<p>Hi</p><p>@tandem&nbsp;in <b>German</b> {'x' * 900}</p>", html=True)
        found = hint_of(replace(one, messages=(one.messages[0], note)), "asked:100", [CREATED], BOT)
        assert found.startswith("in German xxx") and len(found) == 300

    @pytest.mark.parametrize(
        "body",
        [
            "<blockquote>@tandem refund it</blockquote>",
            '<p>See below</p><BLOCKQUOTE class="q"><p>@tandem refund it</p></BLOCKQUOTE>',
        ],
    )
    def test_not_what_is_quoted(self, settings: Settings, body: str) -> None:
        one = ticket(("n", ""))
        note = replace(one.messages[1], body=body, html=True)
        quoting = replace(one, messages=(one.messages[0], note))
        assert next_occasion(quoting, [CREATED], settings, BOT) is None

    def test_what_is_judged_is_without_our_notes_and_requests(self) -> None:
        one = ticket(("b", "P1 · billing"), ("n", "Known customer."), ("n", "@tandem shorter"), ("c", "Hello?"))
        assert [message.id for message in for_judging(one, BOT).messages] == ["", "101", "103"]
        assert newest_id(one) == "103"


class TestChanges:
    before = MappingProxyType(
        {"primary_team": "billing", "priority": "P2_medium", "sentiment": "neutral", "churn_risk": "low"}
    )

    @pytest.mark.parametrize(
        ("after", "line", "matters"),
        [
            ({"priority": "P1_high"}, "Priority P2 → P1: customer writes “Now!”", True),
            ({"priority": "P3_low"}, "Priority P2 → P3: customer writes “Now!”", True),
            ({"primary_team": "technical_bug"}, "Team billing → technical bug: customer writes “Now!”", True),
            ({"sentiment": "frustrated"}, "Sentiment neutral → frustrated: customer writes “Now!”", True),
            ({"sentiment": "positive"}, "Sentiment neutral → positive: customer writes “Now!”", False),
            ({"churn_risk": "medium"}, "Churn risk low → medium: customer writes “Now!”", True),
        ],
    )
    def test_one_sentence_each(self, after: dict[str, str], line: str, matters: bool) -> None:
        (found,) = changes(self.before, dict(self.before) | after, False, Decision(), "Now!")
        assert (found.line, found.matters) == (line, matters)

    def test_less_risk_is_no_news(self) -> None:
        (found,) = changes(dict(self.before) | {"churn_risk": "high"}, self.before, False, Decision(), "")
        assert (found.line, found.matters) == ("Churn risk high → low", False)

    def test_what_was_unclear(self) -> None:
        (found,) = changes({}, {"primary_team": "billing"}, False, Decision(), "")
        assert (found.line, found.matters) == ("Team unclear → billing", True)

    def test_an_escalation_is_told_once(self) -> None:
        decision = Decision(escalate=True, escalation_reason="every security ticket is escalated")
        (found,) = changes(self.before, self.before, False, decision, "Now!")
        assert found.line == "Escalate: every security ticket is escalated"
        assert changes(self.before, self.before, True, decision, "Now!") == []

    def test_a_doubt_leaves_what_stood(self) -> None:
        doubtful = stand(self.before, answer("security", priority="P0_critical"), Decision(abstained=["priority"]))
        assert doubtful["priority"] == "P2_medium" and doubtful["primary_team"] == "security"

    def test_the_way_of_a_mood(self) -> None:
        moods = ["neutral", "neutral", "frustrated", "neutral"]
        assert path([{"sentiment": mood} for mood in moods]) == "neutral → frustrated → neutral"
        assert path([{"sentiment": "neutral"}, {}]) == ""

    def test_the_quote_is_of_the_new_message(self) -> None:
        new = ticket(("c", "Hello. We lost   all data!\nBye")).messages[1:]
        assert quote(new, ["I was charged twice.", "We lost all data!"]) == "We lost all data!"
        assert quote(new, ["I was charged twice."]).startswith("Hello. We lost all data!")
        assert quote([], ["I was charged twice."]) == ""


class TestRetag:
    ours = ("ai_triaged", "ai_team_billing", "ai_priority_p2", "ai_needs_triage")

    def plan(self, present: tuple[str, ...], **more: Any) -> tuple[set[str], set[str]]:
        said = answer("technical_bug", priority="P1_high", sentiment="neutral")
        tags = ["ai_triaged", "ai_team_technical_bug", "ai_priority_p1", "ai_sentiment_neutral", *more.get("tags", [])]
        labels = {"primary_team": "technical_bug", "priority": "P1_high"}
        found = retag(Decision(tags=tags), said, labels, present, self.ours, "ai_")
        return set(found.add), set(found.remove)

    def test_ours_make_way(self) -> None:
        added, removed = self.plan((*self.ours, "vip", "ai_team_lunch"))
        # Somebody put another team beside ours: the team is theirs.
        assert added == {"ai_priority_p1", "ai_sentiment_neutral"}
        assert removed == {"ai_priority_p2", "ai_needs_triage"}

    def test_what_a_person_took_away_stays_away(self) -> None:
        added, removed = self.plan(("vip",))
        assert (added, removed) == ({"ai_sentiment_neutral"}, set())

    def test_an_escalation_stays(self) -> None:
        assert "ai_escalate" in self.plan(self.ours, tags=["ai_escalate"])[0]
        _, removed = self.plan((*self.ours, "ai_escalate"))
        assert "ai_escalate" not in removed


class TestDelta:
    def note(self, news: News, draft: Draft, *, with_draft: bool) -> str:
        settings = parse_settings(SETTINGS, VARIABLES)
        given = answer()
        ticket = Ticket(desk="acme", id="7")
        decision = decide(ticket, given, settings, settings.desks["acme"])
        source = Source("article", "5", "Refunds", "https://acme.zendesk.com/hc/5", "en", 0.7, True, "Within 14 days.")
        now = datetime(2026, 11, 22, tzinfo=UTC)
        material = Material(ticket, given, decision, settings, "TDM-1", now, Sources((source,)), draft, news=news)
        return render_text(delta_note(material, with_draft=with_draft))

    def test_reads_well(self) -> None:
        news = News(title("", (), asked=False), ("Priority P2 → P1", "Sentiment so far: neutral → frustrated"))
        assert self.note(news, Draft(text="Dear Ada,\nwithin 14 days [1]."), with_draft=False) == (
            "Update after the customer's new message\n  - Priority P2 → P1\n"
            "  - Sentiment so far: neutral → frustrated\n"
            "Sources: [1] Refunds https://acme.zendesk.com/hc/5\n"
            "✎ READY TO EDIT Draft reply: check it against the [sources], take the numbers out, send it yourself.\n"
            "  | Dear Ada,\n  | within 14 days [1].\n"
            "AI suggestion: nothing was sent to the customer.\nTandem · ref TDM-1"
        )

    def test_says_so_where_nothing_changed_or_there_is_no_draft(self) -> None:
        text = self.note(News(title("shorter", (), asked=True)), Draft(), with_draft=True)
        assert "Fresh look, as asked: “shorter”" in text
        assert "The verdict stands" in text and "No draft: sources only." in text

    def test_is_short_where_nobody_asked_and_there_is_no_draft(self) -> None:
        text = self.note(News("T", ("Priority P2 → P1",)), Draft(), with_draft=False)
        assert "SOURCES" not in text and "Sources" not in text

    def test_shows_what_sources_say_without_a_model(self) -> None:
        draft = Draft(quotes=[Quote(kind="article", number=1, title="Refunds", text="Within 14 days.")])
        assert "[1] says: “Within 14 days.”" in self.note(News("T"), draft, with_draft=True)
