"""Replay histories and compare foresight with the clock: `python -m evaluation.foresight DATA [--out docs/sla.md]`.

Two questions. Who breaches: the probability of a breach against the time left, on real first replies and on simulated
teams. What to work on first: the plan against working in the order of the clock. Times of arrival are those of real
support questions; where a team is simulated, its replies, its habits and the targets are drawn with a fixed seed.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from evaluation.page import put
from evaluation.sources import read_rows
from triage.foresight import FIRST_MONDAY, HOUR, WEEK, Pace, Waiting, pace_of, plan, signs_of
from triage.habits import learn_habits

START, END = "<!-- foresight: make eval -->\n", "<!-- end of foresight -->\n"
DAY = 24 * HOUR
DAYS = 110
LEARNED_DAYS = 60
FORGOTTEN = 14 * DAY
"""Who waits longer is not in anybody's queue any more."""
TARGET_HOURS = (1, 4, 8, 24)
SHARES = (0.08, 0.22, 0.42, 0.28)
WEIGHTS = (8, 4, 2, 1)
"""What a breach costs, most urgent first."""
NEVER = float("inf")
SCORES = (roc_auc_score, average_precision_score)

Pick = Callable[[Sequence[Waiting], float], Waiting]
Seen = tuple[tuple[float, ...], bool, float]
"""Signs, breached, seconds left."""


@dataclass(frozen=True)
class History:
    """Tickets of one team and when each was answered."""

    tickets: list[Waiting]
    answered: dict[str, float]

    def late(self, ticket: Waiting) -> bool:
        """Say whether the answer came after the time was up."""
        return self.answered.get(ticket.ticket_id, NEVER) > ticket.due_at


def arrivals(data: Path) -> list[float]:
    """Return when the support questions came in."""
    rows = read_rows(data / "sumo-firefox-2019/tickets.jsonl.gz")
    return sorted(datetime.fromisoformat(row["created"]).timestamp() for row in rows)


def first_replies(data: Path, targets: Sequence[float]) -> History:
    """Return the real questions with the real time of the first reply by somebody else; targets (hours) are drawn."""
    created = {row["id"]: row["created"] for row in read_rows(data / "sumo-firefox-2019/tickets.jsonl.gz")}
    rng, tickets, answered = random.Random(5), [], {}
    for row in read_rows(data / "sumo-firefox-2019/answers.jsonl.gz"):
        opened = datetime.fromisoformat(created[row["id"]]).timestamp()
        replies = [
            datetime.fromisoformat(each["created"]).timestamp() for each in row["thread"] if not each["by_asker"]
        ]
        if replies and replies[0] > opened:
            tickets.append(Waiting(str(row["id"]), opened, opened + rng.choice(targets) * HOUR))
            answered[str(row["id"])] = replies[0]
    return History(sorted(tickets, key=lambda ticket: ticket.opened_at), answered)


def simulated(times: Sequence[float], load: float, pick: Pick, seed: int = 3) -> History:
    """Return what becomes of tickets that arrive at `times` in a team that could answer `load` times as many."""
    rng = random.Random(seed)
    drawn = rng.choices(range(len(SHARES)), SHARES, k=len(times))
    tickets = [
        Waiting(str(number), moment, moment + TARGET_HOURS[row] * HOUR, WEIGHTS[row])
        for number, (moment, row) in enumerate(zip(times, drawn, strict=True))
    ]
    waiting: dict[str, Waiting] = {}
    answered, next_one = {}, 0
    for moment in _reply_times(times, load, rng):
        while next_one < len(tickets) and tickets[next_one].opened_at <= moment:
            waiting[tickets[next_one].ticket_id] = tickets[next_one]
            next_one += 1
        if waiting:
            chosen = pick(list(waiting.values()), moment)
            answered[chosen.ticket_id] = moment
            del waiting[chosen.ticket_id]
    return History(tickets, answered)


def _reply_times(times: Sequence[float], load: float, rng: random.Random) -> list[float]:
    """Draw the moments at which the team answers: busy from 8 to 18 on weekdays, less on weekends, little at night."""
    shape = [(1.0 if 8 <= hour % 24 < 18 else 0.25) * (1.0 if hour < 5 * 24 else 0.4) for hour in range(168)]
    per_hour = len(times) * load / ((times[-1] - times[0]) / HOUR) / (sum(shape) / len(shape))
    moments, moment = [], times[0]
    while moment < times[-1]:
        moment += rng.expovariate(per_hour) * HOUR
        if rng.random() < shape[int((moment - FIRST_MONDAY) % WEEK // HOUR)]:
            moments.append(moment)
    return moments


def by_clock(queue: Sequence[Waiting], _: float) -> Waiting:
    """Take the ticket that is or was due first."""
    return min(queue, key=lambda ticket: ticket.due_at)


def by_clock_not_late(queue: Sequence[Waiting], now: float) -> Waiting:
    """Take the ticket that is due next; those that are late come last."""
    return by_clock([ticket for ticket in queue if ticket.due_at > now] or queue, now)


def by_age(queue: Sequence[Waiting], _: float) -> Waiting:
    """Take the oldest ticket."""
    return min(queue, key=lambda ticket: ticket.opened_at)


def by_plan(pace: Pace) -> Pick:
    """Take the first ticket of the plan."""

    def pick(queue: Sequence[Waiting], now: float) -> Waiting:
        made = plan(queue, pace, now)
        return (*made.first, *made.later, *made.lost)[0]

    return pick


def like_people(seed: int = 2) -> Pick:
    """Take now the most pressing, now the newest, now just any ticket."""
    rng = random.Random(seed)

    def pick(queue: Sequence[Waiting], now: float) -> Waiting:
        chance = rng.random()
        if chance < 0.4:
            return by_clock(queue, now)
        return rng.choice(queue) if chance < 0.75 else max(queue, key=lambda ticket: ticket.opened_at)

    return pick


def seen(history: History, pace: Pace, start: float, end: float, every: float = 2 * HOUR) -> list[Seen]:
    """Return what could be seen of each waiting ticket at each look, and what became of it."""
    found, now = [], start
    while now < end:
        queue = [
            ticket for ticket in history.tickets
            if now - FORGOTTEN < ticket.opened_at <= now < history.answered.get(ticket.ticket_id, NEVER)
        ]  # fmt: skip
        for ticket, signs in zip(queue, signs_of(queue, pace, now), strict=True):
            if ticket.due_at > now:
                found.append((signs, history.late(ticket), ticket.due_at - now))
        now += every
    return found


def breach_line(name: str, history: History, start: float, cut: float, end: float) -> str:
    """Return one line of the table: learned before `cut`, measured after it."""
    replies = [moment for moment in history.answered.values() if moment < cut]
    pace = pace_of(replies, start, cut)
    past, test = seen(history, pace, start + FORGOTTEN, cut), seen(history, pace, cut, end)
    late = np.asarray([breached for _, breached, _ in test])
    habits = learn_habits([(signs, breached) for signs, breached, _ in past])
    ours = np.asarray([habits.probability(signs) for signs, _, _ in test])
    clock = np.asarray([-left for _, _, left in test])
    cells = [
        name, str(len(test)), f"{late.mean():.2f}",
        *(f"{score(late, clock):.2f} / **{score(late, ours):.2f}**" for score in SCORES),
        f"{brier_score_loss(late, np.full(len(late), np.mean([b for _, b, _ in past]))):.3f} / "
        f"**{brier_score_loss(late, ours):.3f}**",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def order_line(times: Sequence[float], load: float, cut: float) -> str:
    """Return one line of the table: breaches of the tickets after `cut` under each order of work."""
    pace = pace_of(_reply_times([moment for moment in times if moment < cut], load, random.Random(11)), times[0], cut)
    cells = [f"{load:.1f}"]
    for pick in (by_age, by_clock, by_clock_not_late, by_plan(pace)):
        history = simulated(times, load, pick)
        judged = [ticket for ticket in history.tickets if cut <= ticket.opened_at and ticket.due_at < times[-1]]
        late = [ticket for ticket in judged if history.late(ticket)]
        weight = sum(ticket.weight for ticket in late) / sum(ticket.weight for ticket in judged)
        cells.append(f"{len(late) / len(judged):.0%} / {weight:.0%}")
    return f"| {' | '.join(cells)} |\n"


def tables(data: Path) -> str:
    """Return both tables."""
    times = arrivals(data)
    times = [moment for moment in times if moment < times[0] + DAYS * DAY]
    cut, end = times[0] + LEARNED_DAYS * DAY, times[-1] - 3 * DAY
    lines = [
        "| history | looks at a waiting ticket | breached | AUC clock / **foresight** "
        "| average precision clock / **foresight** | Brier base rate / **foresight** |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
    ]
    for targets, name in ((TARGET_HOURS, "1 to 24 h"), ((4,), "4 h"), ((24,), "24 h")):
        real = first_replies(data, targets)
        first, last = real.tickets[0].opened_at, max(real.answered.values())
        last = min(last, real.tickets[-1].opened_at)
        lines.append(breach_line(f"real volunteers, {name}", real, first, first + 0.6 * (last - first), last - 2 * DAY))
    for load in (1.2, 1.5, 2.0):
        for name, pick in (("people", like_people()), ("oldest first", by_age)):
            team = simulated(times, load, pick)
            lines.append(breach_line(f"simulated {name}, capacity {load}", team, times[0], cut, end))
    lines.append(
        "\n| capacity / arrivals | oldest first | clock order | clock order, late ones last | **the plan** |\n"
        "| --- | --- | --- | --- | --- |\n"
    )
    lines += [order_line(times, load, cut) for load in (0.9, 1.1, 1.3, 1.6)]
    return "".join(lines)


def main() -> None:
    """Print the tables and put them between the marks of the page."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", type=Path)
    reader.add_argument("--out", type=Path)
    asked = reader.parse_args()
    figures = tables(asked.data)
    sys.stdout.write(figures)
    if asked.out:
        put(asked.out, START, END, figures + "\n")


if __name__ == "__main__":
    main()
