"""Which tickets a model is tested on: the newest, or a random part; near-duplicates stay on one side."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

TEST_SHARE = 0.2
DATED = 0.9
"""Split by time from this share of dated tickets on; the undated ones are then taken for the oldest."""
BANDS, ROWS_PER_BAND = 3, 5
"""Two texts with 90 % of their word pairs in common meet with a chance of 93 %, with 50 % in common of 9 %."""
SEED = 20260601
_PRIME = (1 << 31) - 1
_DIGITS = re.compile(r"\d+")
_WORDS = re.compile(r"\w+")


def groups_of(texts: Sequence[str]) -> Rows:
    """Return one group number per text; texts that say nearly the same share theirs (MinHash of word pairs)."""
    random = np.random.default_rng(SEED)
    factors = random.integers(1, _PRIME, (2, BANDS * ROWS_PER_BAND), dtype=np.int64)
    parent = list(range(len(texts)))
    first_with: dict[tuple[int, bytes], int] = {}
    for row, text in enumerate(texts):
        for band, key in enumerate(_keys(text, factors)):
            other = first_with.setdefault((band, key), row)
            parent[_root(parent, row)] = _root(parent, other)
    return np.asarray([_root(parent, row) for row in range(len(texts))], np.int64)


def _keys(text: str, factors: NDArray[np.int64]) -> list[bytes]:
    words = _WORDS.findall(_DIGITS.sub("0", text.casefold()))
    pairs = {f"{one} {two}" for one, two in pairwise(words)} or {" ".join(words)}
    hashes = np.asarray([crc32(pair.encode("utf-8", "replace")) % _PRIME for pair in pairs], np.int64)
    lowest = ((hashes[:, None] * factors[0] + factors[1]) % _PRIME).min(axis=0)
    return [part.tobytes() for part in np.split(lowest, BANDS)]


def _root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


def split(labels: Sequence[str], groups: Rows, times: Sequence[float | None]) -> tuple[Rows, Rows, str]:
    """Return rows to learn from, rows to test on and how they were told apart: "time" or "random"."""
    known = [time for time in times if time is not None]
    if len(known) >= DATED * len(times) and len(set(known)) > 1:
        order = sorted(range(len(times)), key=lambda row: (times[row] or 0.0, row))
        cut = len(order) - max(1, round(TEST_SHARE * len(order)))
        return np.asarray(order[:cut]), np.asarray(order[cut:]), "time"
    # The fold of a fifth; stratified, so that rare labels are on both sides. The last one: the largest groups, like
    # hundreds of the same alert, are in the first, and a test on one alert says nothing about the others.
    fold = folds(labels, groups, round(1 / TEST_SHARE))
    last = fold == fold.max()
    return np.flatnonzero(~last), np.flatnonzero(last), "random"


def untaught(labels: Sequence[str], train: Rows, test: Rows) -> dict[str, int]:
    """Return the labels that only the test has, with their tickets: no answer to these can be right."""
    taught = {labels[row] for row in train}
    return dict(Counter(labels[row] for row in test if labels[row] not in taught))


def folds(labels: Sequence[str], groups: Rows, count: int) -> Rows:
    """Return the fold of each row, 0 to count-1: groups whole, labels in like shares, always the same way."""
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[int(group)].append(row)
    usual = {group: Counter(labels[row] for row in rows).most_common(1)[0][0] for group, rows in members.items()}
    shuffled = np.random.default_rng(SEED).permutation(list(members))
    # Big groups first: they are the hard ones to place evenly.
    order = sorted(shuffled, key=lambda group: -len(members[int(group)]))
    sizes = {label: np.zeros(count) for label in set(usual.values())}
    total = np.zeros(count)
    fold = np.zeros(len(labels), np.int64)
    for group in order:
        rows, label = members[int(group)], usual[int(group)]
        chosen = int(np.lexsort((total, sizes[label]))[0])
        sizes[label][chosen] += len(rows)
        total[chosen] += len(rows)
        fold[rows] = chosen
    return fold
