"""How a team's past turns into the weights foresight uses. Apart from it, for only the worker learns.

Pure; times are UTC seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from triage.foresight import UNTAUGHT, Habits, Pace, Waiting, signs_of

PULL = 10.0
"""How many observations the weights of an unknown team count for."""
TAUGHT_FROM = 30
FORGOTTEN = 14 * 86_400.0
"""Who waits longer is not in anybody's queue any more."""
LOOK_EVERY = 2 * 3600.0
MOST_LOOKS = 1000

Seen = tuple[Sequence[float], bool]
"""The signs of a ticket that is not yet due (see signs_of), and whether it breached in the end."""


@dataclass(frozen=True)
class Answered:
    """One ticket of the past and when it was answered."""

    ticket: Waiting
    answered_at: float


def learn_habits(seen: Sequence[Seen]) -> Habits:
    """Return the habits that fit the past.

    Logistic regression drawn towards UNTAUGHT: a short past changes little.
    """
    if len(seen) < TAUGHT_FROM:
        return Habits()
    rows = np.asarray([(1.0, *signs) for signs, _ in seen])
    # +1 for a breach, -1 for none: the loss of one row is log(1 + exp(-side * odds)).
    side = np.asarray([1.0 if breached else -1.0 for _, breached in seen])
    prior = np.asarray(UNTAUGHT)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = side * (rows @ weights)
        pull = weights - prior
        slope = -rows.T @ (side / (1 + np.exp(np.clip(margin, -30, 30))))
        return float(np.logaddexp(0, -margin).sum() + PULL / 2 * pull @ pull), slope + PULL * pull

    found = minimize(loss, prior, jac=True, method="L-BFGS-B")
    return Habits(tuple(float(weight) for weight in found.x), len(seen))


def look_back(past: Sequence[Answered], pace: Pace, start: float, end: float, most: int = 5000) -> list[Seen]:
    """Return what could be seen of one team's queue at looks between `start` and `end`, at most `most` of it.

    Looks are evenly spread, at least two hours apart; of a long queue some tickets are taken, with signs that tell of
    the whole queue.
    """
    by_start = sorted(past, key=lambda one: one.ticket.opened_at)
    every = max(LOOK_EVERY, (end - start) / MOST_LOOKS)
    looks = int(max(0.0, end - start) // every)
    share = max(1, most // max(1, looks))
    waiting: list[Answered] = []
    found: list[Seen] = []
    place = 0
    for number in range(looks):
        now = start + (number + 1) * every
        while place < len(by_start) and by_start[place].ticket.opened_at <= now:
            waiting.append(by_start[place])
            place += 1
        waiting = [one for one in waiting if now < one.answered_at and now - FORGOTTEN < one.ticket.opened_at]
        ahead = [one for one in waiting if one.ticket.due_at > now]
        some = ahead[:: -(-len(ahead) // share)] if ahead else []
        signs = signs_of([one.ticket for one in waiting], pace, now, [one.ticket for one in some])
        found += [(sign, one.answered_at > one.ticket.due_at) for sign, one in zip(signs, some, strict=True)]
    return found
