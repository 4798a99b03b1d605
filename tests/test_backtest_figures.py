"""What a backtest reports: tickets as they were when new, truth from people alone, figures that can be done by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from fakes import answer
from rich.console import Console

from commands.backtest_screen import show
from triage.backtest.effects import dollars, hours_of, modes_of
from triage.backtest.figures import LEAST_UNSEEN, cases_of, figures_of, mistakes
from triage.backtest.page import page
from triage.backtest.replay import as_new, kept, truth_of
from triage.backtest.report import Asked, report_of
from triage.people import one_of_its_group, priority_of, team_of
from triage.settings import DEFAULT_TEAMS, Settings
from triage.store.backtests import Looked
from triage.store.models import StoredModel
from triage.ticket import Author, EarlierTicket, Message, Status, Ticket

NOW = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
DAY = 86_400.0


def message(author: Author, body: str, *, public: bool = True) -> Message:
    return Message("", author, body, public=public)


CUSTOMER, AGENT = Author.CUSTOMER, Author.AGENT
CLOSED = Ticket(
    desk="acme",
    id="7",
    subject="Charged twice",
    status=Status.CLOSED,
    priority="urgent",
    group_id="55",
    assignee_id="3",
    tags=("ai_triaged", "ai_team_billing", "vip"),
    fields={"900": "frustrated"},
    messages=(
        message(CUSTOMER, "I was charged twice."),
        message(AGENT, "Tandem · ref TDM-0123456789", public=False),
        message(CUSTOMER, "Hello?"),
        message(AGENT, "Our billing team refunded it."),
        message(CUSTOMER, "Thanks, great!"),
    ),
    earlier=(EarlierTicket("6", "later than this one", Status.OPEN, datetime(2026, 12, 1, tzinfo=UTC)),),
    ticket_count_30d=1,
)


class TestAsNew:
    def test_nothing_that_people_or_tandem_did_later_is_left(self) -> None:
        new = as_new(CLOSED, 2)
        assert new
        assert [one.body for one in new.messages] == ["I was charged twice.", "Hello?"]
        assert (new.status, new.priority, new.group_id, new.assignee_id) == (Status.NEW, None, None, None)
        assert (new.tags, new.fields, new.earlier, new.ticket_count_30d) == ((), {}, (), 2)
        assert (new.id, new.subject, new.organization) == (CLOSED.id, CLOSED.subject, CLOSED.organization)

    def test_a_ticket_that_an_agent_began_was_never_triaged(self) -> None:
        began = replace(CLOSED, messages=(message(AGENT, "We need your address."), message(CUSTOMER, "Here it is.")))
        assert as_new(began, 0) is None
        assert as_new(replace(CLOSED, messages=()), 0) is None


class TestTruth:
    def test_groups_and_priorities_in_our_words(self, settings: Settings) -> None:
        desk = settings.desks["acme"].model_copy(update={"mapped_fields": {"sentiment": 900}})
        wanted = {"primary_team": "billing", "priority": "P0_critical", "sentiment": "frustrated"}
        assert truth_of(CLOSED, " finance & BILLING", settings, desk, ()) == wanted
        assert truth_of(CLOSED, "Warehouse", settings, desk, ())["primary_team"] == "Warehouse"
        assert truth_of(replace(CLOSED, priority=None, fields={}), "", settings, desk, ()) == {}

    def test_what_tandem_set_is_not_what_people_think(self, settings: Settings) -> None:
        desk = settings.desks["acme"].model_copy(update={"mapped_fields": {"sentiment": 900}})
        assert truth_of(CLOSED, "Security", settings, desk, {"group", "900"}) == {"priority": "P0_critical"}
        assert truth_of(CLOSED, "Security", settings, desk, {"priority", "900"}) == {"primary_team": "security"}

    def test_teams_with_one_group_are_one_to_people(self) -> None:
        teams = DEFAULT_TEAMS | {"refunds": DEFAULT_TEAMS["billing"]}
        settings = Settings(teams=teams)
        assert one_of_its_group("billing", settings) == one_of_its_group("refunds", settings)
        assert team_of("Finance & Billing", settings) == one_of_its_group("billing", settings)
        assert one_of_its_group("Finance & Billing", settings) == one_of_its_group("billing", settings)
        assert one_of_its_group("Nobody's", settings) == "Nobody's"
        assert (priority_of("normal", settings), priority_of(None, settings)) == ("P2_medium", "")


def looked(number: int, said: str, truth: str, sure: float = 0.9, **more: Any) -> Looked:
    """Return a ticket on which Tandem said one team and people another."""
    given = answer(said, sure, **more.pop("answer", {}))
    values: dict[str, Any] = {"created_at": NOW - DAY, "requester": "", "url": "", "seen": [], "reason": ""} | more
    labels = {"primary_team": truth, **values.pop("labels", {})}
    return Looked(ticket_id=str(number), truth=labels, answer=kept(given), **values)


def figures(tickets: list[Looked], settings: Settings) -> dict[str, Any]:
    return figures_of(cases_of(tickets, settings, settings.desks["acme"], "acme"), settings, 0.95)[1]


class TestFigures:
    def test_by_hand(self, settings: Settings) -> None:
        tickets = [looked(n, "billing", "billing" if n < 60 else "security", 0.9 if n < 50 else 0.4) for n in range(80)]
        one = figures(tickets, settings)["primary_team"]
        assert (one["n"], one["accuracy"]["value"]) == (80, 0.75)
        assert one["accuracy"]["low"] < 0.75 < one["accuracy"]["high"]
        assert one["macro_f1"]["value"] == pytest.approx((2 * 60 / 140 + 0) / 2, abs=1e-4)
        assert one["majority"] == {"label": "billing", "share": 0.75}
        assert one["ece"] == pytest.approx((50 * 0.1 + 30 * abs(0.4 - 1 / 3)) / 80, abs=1e-3)
        assert one["now"] == {"share": 0.625, "precision": 1.0}  # the default threshold is 0.5
        assert one["target"] == {"wanted": 0.95, "reachable": True, "threshold": 0.9, "share": 0.625, "precision": 1.0}
        assert one["confused"] == [{"people": "security", "tandem": "billing", "n": 20}]
        assert one["table"] == {"labels": ["billing", "security"], "rows": [[60, 0], [20, 0]]}
        assert one["curve"][-1] == {"threshold": 0.4, "share": 1.0, "precision": 0.75}

    def test_labels_tandem_cannot_give_are_told_and_not_scored(self, settings: Settings) -> None:
        tickets = [looked(n, "billing", "billing" if n % 2 else "Warehouse") for n in range(40)]
        one = figures(tickets, settings)["primary_team"]
        assert (one["n"], one["accuracy"]["value"], one["accuracy_counting_all"]) == (20, 1.0, 0.5)
        assert one["labels_nobody_told_us"] == {"Warehouse": 20}

    def test_tickets_a_model_has_learned_from_are_left_out(self, settings: Settings) -> None:
        old = [looked(n, "billing", "billing", seen=["primary_team"]) for n in range(100)]
        new = [looked(100 + n, "billing", "security") for n in range(LEAST_UNSEEN)]
        one = figures([*old, *new], settings)["primary_team"]
        assert (one["n"], one["accuracy"]["value"], one["learned_from"]) == (LEAST_UNSEEN, 0.0, 100)
        assert not one["flatters"]
        one = figures([*old, *new[1:]], settings)["primary_team"]
        assert (one["n"], one["flatters"]) == (100 + LEAST_UNSEEN - 1, True)

    def test_fields_without_a_label_are_not_there(self, settings: Settings) -> None:
        assert set(figures([looked(1, "billing", "billing")], settings)) == {"primary_team"}

    def test_the_surest_mistakes_come_first(self, settings: Settings) -> None:
        tickets = [looked(n, "billing", "security", 0.3 + n / 100) for n in range(50)]
        cases = cases_of(tickets, settings, settings.desks["acme"], "acme")
        scored, _ = figures_of(cases, settings, 0.95)
        worst = mistakes(scored)
        assert [one["ticket"] for one in worst[:3]] == ["49", "48", "47"]
        assert (worst[0]["probability"], worst[0]["decided"], worst[0]["people"]) == (0.79, True, "security")


class TestEffects:
    def test_each_mode_writes_what_it_may(self, settings: Settings) -> None:
        labels = {"priority": "P1_high"}
        tickets = [looked(n, "billing", "billing" if n < 6 else "security", labels=labels) for n in range(8)]
        tickets += [looked(8 + n, "billing", "billing", 0.2) for n in range(2)]
        cases = cases_of(tickets, settings, settings.desks["acme"], "acme")
        modes = {one["mode"]: one for one in modes_of(cases, settings, settings.desks["acme"], "acme")}
        assert [modes[mode]["notes"] for mode in ("watch", "note", "tag", "write")] == [0, 10, 10, 10]
        assert (modes["note"]["tags"], modes["tag"]["team_tags"], modes["tag"]["groups"]) == (0, 8, 0)
        assert (modes["write"]["groups"], modes["write"]["priorities"]) == (8, 8)
        assert modes["write"]["right"] == {"team_tags": 0.75, "priority_tags": 1.0, "groups": 0.75, "priorities": 1.0}
        assert modes["as set"] == modes["tag"] | {"mode": "as set"}
        assert modes["watch"]["needs_triage"] == 2

    def test_hours_count_mistakes_against_it(self, settings: Settings) -> None:
        tickets = [looked(n, "billing", "billing" if n < 6 else "security") for n in range(8)]
        tickets += [looked(8 + n, "billing", "billing", 0.2) for n in range(2)]
        cases = cases_of(tickets, settings, settings.desks["acme"], "acme")
        hours = hours_of(cases, settings, 3.0, 1000.0)
        assert hours
        assert (hours["right"], hours["wrong"], hours["left"]) == (0.6, 0.2, 0.2)
        assert hours["hours_per_month"] == pytest.approx(0.4 * 1000 * 3 / 60)
        assert hours_of([], settings, 3.0, None) is None


def reported(tickets: list[Looked], settings: Settings, *models: StoredModel, **asked: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "desk_name": "acme",
        "desk": settings.desks["acme"],
        "settings": settings,
        "since": NOW - 30 * DAY,
        "until": NOW,
        "in_period": len(tickets),
        "minutes_per_ticket": 2.0,
        "policy": "of settings and lessons",
        "source": "helpdesk",
    }
    return report_of(tickets, models, Asked(**values | asked), NOW)


class TestReport:
    def test_says_what_to_mind(self, settings: Settings) -> None:
        tickets = [looked(n, "billing", "billing", seen=["primary_team"]) for n in range(40)]
        tickets += [looked(50 + n, "billing", "Warehouse") for n in range(10)]
        model = StoredModel(1, "primary_team", NOW, {}, b"")
        said = " ".join(reported(tickets, settings, model, ours=3)["warnings"])
        for part in ("40 of 40", "flatter", "2026-11-20", "20% of the tickets", "Warehouse", "3 tickets", "too few"):
            assert part in said

    def test_says_nothing_where_nothing_is_wrong(self, settings: Settings) -> None:
        assert reported([looked(n, "billing", "billing") for n in range(120)], settings)["warnings"] == []

    def test_counts_what_the_model_costs_in_a_month(self, settings: Settings) -> None:
        paid = {"tokens_in": 1000, "tokens_out": 100, "cost_usd": 0.01, "classifier": "llm"}
        tickets = [looked(n, "billing", "billing", answer=paid if n < 50 else {}) for n in range(100)]
        cost = reported(tickets, settings, in_period=3000)["cost"]
        assert (cost["asked"], cost["share"], cost["tokens_in"], cost["usd"]) == (50, 0.5, 50_000, 0.5)
        assert cost["usd_per_month"] == pytest.approx(0.5 / 100 * 3000 / 30 * 365.25 / 12, abs=0.01)
        free = [looked(n, "billing", "billing", answer={"tokens_in": 5, "fallback_reason": "x"}) for n in range(100)]
        said = " ".join(reported(free, settings)["warnings"])
        assert "no price" in said
        assert "gave no answer for 100 tickets" in said

    def test_a_reached_cap_asks_nobody(self, settings: Settings) -> None:
        paid = {"tokens_in": 900, "tokens_out": 20, "cost_usd": 0.0011, "classifier": "llm"}
        capped = {"fallback_reason": "the daily cap is reached"}
        tickets = [looked(n, "billing", "billing", answer=capped if n else paid) for n in range(30)]
        report = reported(tickets, settings)
        cost = report["cost"]
        assert (cost["asked"], cost["no_answer"], cost["share"]) == (1, 29, pytest.approx(1 / 30, abs=1e-4))
        screen = Console(record=True, width=80, file=StringIO())
        show(report, screen)
        told = screen.export_text()
        assert "no answer for 29 tickets" in told
        assert "paid for 1 tickets (3%): 900 tokens in, 20 out" in told
        assert "USD 0.0011" in told
        assert "USD 0.0011" in page(report)
        assert "no answer for 29 tickets" in page(report)

    @pytest.mark.parametrize(
        ("usd", "said"), [(0, "0.00"), (12.5, "12.50"), (1234, "1,234.00"), (0.18, "0.18"), (0.00004, "0.000040")]
    )
    def test_small_sums_keep_their_digits(self, usd: float, said: str) -> None:
        assert dollars(usd) == f"USD {said}"

    def test_a_week_is_the_least_for_a_forecast(self, settings: Settings) -> None:
        tickets = [looked(n, "billing", "billing") for n in range(10)]
        hours = reported(tickets, settings, since=NOW - 3 * DAY)["hours"]
        assert hours["hours_per_month"] is None
        assert hours["hours_per_1000_tickets"] == pytest.approx(33.3)

    def test_left_out_tickets_are_counted_by_reason(self, settings: Settings) -> None:
        gone = replace(looked(1, "billing", "billing"), answer=None, reason="deleted")
        report = reported([gone, looked(2, "billing", "billing")], settings)
        assert report["tickets"] == {"closed": 2, "answered": 1, "skipped": {"deleted": 1}}
