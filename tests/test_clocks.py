"""The clocks of a ticket: counted from what it shows, whatever the order of the readings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.clocks import FOREVER, Clock, Held, Judged, Picture, count
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.sla import Stage
from triage.ticket import Author, Message, Organization, Status, Ticket

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PLAIN = Settings()


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def said(*lines: tuple[str, float], **more: Any) -> tuple[Message, ...]:
    authors = {"c": Author.CUSTOMER, "a": Author.AGENT, "s": Author.SYSTEM}
    return tuple(
        Message(str(number), authors[who[0]], "Hello", created_at=after(at), public=len(who) == 1, **more)
        for number, (who, at) in enumerate(lines)
    )


def ticket(*lines: tuple[str, float], **changes: Any) -> Ticket:
    values: dict[str, Any] = {"created_at": START, "updated_at": START, "priority": "high"} | changes
    return Ticket(desk="acme", id="7", messages=said(*(lines or (("c", 0),))), **values)


def counted(one: Ticket, minutes: float, **more: Any) -> Picture:
    return count(one, more.pop("settings", PLAIN), after(minutes).timestamp(), **more)


def clock(picture: Picture, metric: str) -> Clock:
    return next(one for one in picture.clocks if one.metric == metric)


def states(picture: Picture) -> dict[str, str]:
    return {one.metric: one.state for one in picture.clocks}


def test_a_new_ticket_waits_for_answer_and_solution() -> None:
    picture = counted(ticket(), 30)
    assert states(picture) == {"first_response": "running", "resolution": "running"}
    assert clock(picture, "first_response").reading.left == 30
    assert picture.stage is Stage.OK
    assert counted(ticket(), 45).stage is Stage.AT_RISK
    assert states(counted(ticket(), 60))["first_response"] == "breached"


def test_a_public_answer_ends_the_first_clock_and_a_question_begins_the_next() -> None:
    talk = ticket(("c", 0), ("a-", 5), ("a", 20), ("c", 50), ("c", 55))
    picture = counted(talk, 60)
    first, following = clock(picture, "first_response"), clock(picture, "next_response")
    assert (first.state, first.ended_at, first.reading.age) == ("met", after(20).timestamp(), 20)
    assert (following.state, following.started_at, following.reading.age) == ("running", after(50).timestamp(), 10)
    assert following.cycle == int(after(50).timestamp())
    answered = replace(talk, messages=(*talk.messages, *said(("a", 70))))
    assert states(counted(answered, 80))["next_response"] == "met"


def test_a_late_answer_is_met_and_late() -> None:
    first = clock(counted(ticket(("c", 0), ("a", 90)), 100), "first_response")
    assert (first.state, first.reading.stage, first.reading.left) == ("met", Stage.BREACHED, -30)


def test_automatic_mail_neither_asks_nor_answers() -> None:
    mail = ticket(("c", 0))
    robot = said(("a", 1), ("c", 2), automatic=True)
    picture = counted(replace(mail, messages=(*mail.messages, *robot, *said(("s", 3)))), 10)
    assert states(picture) == {"first_response": "running", "resolution": "running"}


def test_a_ticket_an_agent_opened_waits_once_the_customer_writes() -> None:
    assert states(counted(ticket(("a", 0)), 10)) == {"resolution": "running"}
    picture = counted(ticket(("a", 0), ("c", 5)), 10)
    assert states(picture) == {"next_response": "running", "resolution": "running"}


def test_a_pause_is_remembered_between_readings() -> None:
    pending = ticket(status=Status.PENDING, updated_at=after(10))
    paused = counted(pending, 100)
    assert states(paused) == {"first_response": "paused", "resolution": "paused"}
    assert clock(paused, "first_response").reading.left == 50
    assert clock(paused, "first_response").reading.next_check_at is None
    assert paused.held.paused == ((after(10).timestamp(), FOREVER),)
    again = counted(ticket(status=Status.OPEN, updated_at=after(130)), 140, held=paused.held)
    assert clock(again, "first_response").reading.left == 40
    assert clock(again, "first_response").reading.due_at == after(180).timestamp()
    assert Held.from_json(again.held.as_json()) == again.held


def test_the_helpdesks_own_time_of_the_status_is_the_better_one() -> None:
    pending = ticket(status=Status.HOLD, updated_at=after(50), status_since=after(20))
    assert clock(counted(pending, 60), "first_response").reading.age == 20


def test_what_does_not_pause_runs_on() -> None:
    own = parse_settings("sla: {paused_by: [pending]}", {})
    assert states(counted(ticket(status=Status.HOLD), 5, settings=own))["resolution"] == "running"


def test_a_breach_before_the_pause_stays_one() -> None:
    picture = counted(ticket(status=Status.PENDING, updated_at=after(70)), 100)
    assert states(picture) == {"first_response": "breached", "resolution": "paused"}


def test_solved_ends_the_clocks_and_opened_again_they_go_on() -> None:
    talk = (("c", 0), ("a", 20))
    solved = counted(ticket(*talk, status=Status.SOLVED, updated_at=after(100)), 200)
    assert states(solved) == {"first_response": "met", "resolution": "met"}
    assert clock(solved, "resolution").ended_at == after(100).timestamp()
    closed = counted(ticket(*talk, status=Status.CLOSED, updated_at=after(900)), 900, held=solved.held)
    assert clock(closed, "resolution").ended_at == after(100).timestamp()
    reopened = ticket(*talk, ("c", 300), status=Status.OPEN, updated_at=after(300))
    again = counted(reopened, 310, held=solved.held)
    assert states(again) == {"first_response": "met", "next_response": "running", "resolution": "running"}
    assert clock(again, "resolution").reading.age == 110


def test_solved_without_an_answer_cancels_the_wait() -> None:
    picture = counted(ticket(status=Status.SOLVED, updated_at=after(5)), 100)
    assert states(picture) == {"first_response": "cancelled", "resolution": "met"}


@pytest.mark.parametrize("status", [Status.DELETED, Status.SPAM])
def test_what_is_gone_waits_for_nobody(status: Status) -> None:
    assert set(states(counted(ticket(status=status), 100)).values()) == {"cancelled"}


def test_team_tier_and_priority_come_from_the_ticket_then_from_triage() -> None:
    plain = ticket(priority=None, group="technical support", organization=Organization(tier="gold"))
    picture = counted(plain, 1, judged=Judged("P0_critical", "billing"))
    assert (picture.team, picture.tier, picture.terms.priority) == ("technical_bug", "gold", "P0_critical")
    assert counted(ticket(priority=None), 1).terms.priority == "P2_medium"
    assert counted(ticket(), 1, judged=Judged("P0_critical", "billing")).terms.priority == "P1_high"


def test_our_own_escalation_does_not_shorten_the_target() -> None:
    raised = ticket(priority="urgent")
    assert counted(raised, 1, own_priority=("urgent", "P1_high")).terms.priority == "P1_high"
    assert counted(raised, 1, own_priority=("high", "P2_medium")).terms.priority == "P0_critical"


def test_hostile_dates_do_not_hang() -> None:
    for year in (1, 1970, 9999):
        picture = counted(ticket(created_at=datetime(year, 1, 2, tzinfo=UTC)), 10)
        assert clock(picture, "resolution").reading.target == 24 * 60


readings = st.lists(
    st.tuples(st.sampled_from((Status.OPEN, Status.PENDING, Status.HOLD, Status.SOLVED)), st.integers(1, 500)),
    min_size=1,
    max_size=8,
)


@given(readings, st.data())
def test_repeated_readings_change_nothing(steps: list[tuple[Status, int]], data: st.DataObject) -> None:
    """Once, or each reading several times at later moments: the same pauses and the same clocks."""
    once, often, now = Held(), Held(), 0
    for status, length in steps:
        changed = now
        now += length
        one = ticket(status=status, updated_at=after(changed))
        once = counted(one, now, held=once).held
        for moment in sorted(data.draw(st.lists(st.integers(changed, now), min_size=1, max_size=3))):
            often = counted(one, moment, held=often).held
    assert often == once
    open_minutes = sum(length for status, length in steps if status is Status.OPEN)
    reopened = ticket(status=Status.OPEN, updated_at=after(now))
    age = clock(counted(reopened, now + 5, held=often), "resolution").reading.age
    assert age == pytest.approx(open_minutes + 5)
