"""The views of a learned model that know how near a ticket is: shape, random features, ridge, what is like nothing."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeClassifier, answer
from test_learned_parts import ENCODER, ticket

from triage.classify.choosing import choose
from triage.classify.head import LearnedHead
from triage.classify.learned import LearnedClassifier
from triage.classify.learned_features import read_features
from triage.classify.nearness import SIZE, WIDTH, Nearness, ridge
from triage.classify.novelty import ENOUGH, LEAST_TRUST, Novelty
from triage.classify.shape import SIZE as SHAPES
from triage.classify.shape import shape_of
from triage.classify.splits import groups_of
from triage.classify.training import Material, learn
from triage.classify.views import NEAR
from triage.settings import DEFAULT_TEAMS

RANDOM = np.random.RandomState(7)
FIRST = (-0.021897595, 0.022635829, 0.024850322, -0.008701948)
"""The first random features of the vector (1, 0, 0, ...), as version 2 of the features has them."""


def directions(count: int, around: int, spread: float = 0.02, dim: int = 40) -> np.ndarray:
    """Return unit vectors near axis `around`."""
    found = np.eye(dim)[around] + spread * np.random.RandomState(around).standard_normal((count, dim))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


class TestShape:
    def test_a_report_a_wish_and_a_question_differ(self) -> None:
        report = shape_of("Import fails", "Steps:\n1. open\n2. import\n\nTraceback\n  at main (a.js:3)\nError: 0x80ff")
        wish = shape_of("Please add dark mode", "We would like a dark mode.")
        question = shape_of("How do I export?", "How do I export my data? Is there a limit?")
        assert len({report.tobytes(), wish.tobytes(), question.tobytes()}) == 3
        assert all(shape.shape == (SHAPES,) for shape in (report, wish, question))

    @pytest.mark.parametrize("text", ["", "\ud800", "?" * 100_000, "🙂" * 5000, "\n" * 50_000, "a" * 1_000_000])
    def test_stands_any_text(self, text: str) -> None:
        shape = shape_of(text[:500], text)
        assert np.isfinite(shape).all()
        assert np.abs(shape).max() < 20


class TestNearness:
    def test_products_of_random_features_are_the_kernel(self) -> None:
        vectors = np.vstack([directions(1, 0), directions(1, 1), directions(1, 0, spread=0.1)])
        shapes = np.zeros((3, SHAPES), np.float32)
        found = Nearness.fit(shapes, by_shape=False).apply(vectors, shapes)
        apart = np.square(vectors[:, None] - vectors[None]).sum(axis=2)
        assert found @ found.T == pytest.approx(np.exp(-WIDTH * apart), abs=0.08)

    def test_shape_counts_only_where_it_is_asked_for(self) -> None:
        vectors, shapes = directions(6, 0), np.zeros((6, SHAPES), np.float32)
        shapes[:3, 0], other = 1.0, shapes[::-1]
        blind, seeing = (Nearness.fit(shapes, by_shape=by_shape) for by_shape in (False, True))
        assert (blind.apply(vectors, shapes) == blind.apply(vectors, other)).all()
        assert np.abs(seeing.apply(vectors, shapes) - seeing.apply(vectors, other)).max() > 1e-3

    def test_the_random_numbers_never_change(self) -> None:
        shapes = np.zeros((1, SHAPES), np.float32)
        found = Nearness.fit(shapes, by_shape=False).apply(np.eye(1, 512, dtype=np.float32), shapes)[0]
        # Stored weights stand on these: with others every learned model would answer nonsense.
        assert found[:4] == pytest.approx(FIRST, abs=1e-5)

    @pytest.mark.parametrize("count", [30, SIZE + 10])
    def test_ridge_is_the_same_by_either_way_of_solving_it(self, count: int) -> None:
        inputs = RANDOM.standard_normal((count, SIZE)).astype(np.float32) / np.sqrt(SIZE)
        truth = np.arange(count) % 3
        weights, bias = ridge(inputs, truth, 3, 0.5)
        residual = inputs @ weights + bias - np.eye(3)[truth] + 1 / 3
        # The slope of the loss is zero: pull times the weights balances the products with what is left.
        slope = (inputs - inputs.mean(axis=0)).T @ residual + 0.5 * weights
        assert np.abs(slope).max() < 1e-3


class TestNovelty:
    def test_what_is_like_nothing_is_none_and_what_is_doubtful_keeps_its_order(self) -> None:
        vectors = np.vstack([directions(ENOUGH, 0), directions(ENOUGH, 1)])
        novelty, nearest = Novelty.fit(vectors, np.arange(len(vectors)))
        assert novelty.strange < novelty.doubtful < novelty.usual
        assert (nearest < novelty.doubtful).mean() == pytest.approx(0.05, abs=0.02)
        sure = np.asarray([[0.8, 0.2]] * 3)
        between = (novelty.strange + novelty.doubtful) / 2
        found = novelty.doubted(sure, np.asarray([novelty.usual, between, novelty.strange - 0.01], np.float32))
        assert found.sum(axis=1) == pytest.approx(1)
        assert found[0].tolist() == pytest.approx([0.8, 0.2, 0.0])
        assert found[1].argmax() == 0
        assert found[1].max() < 0.8
        assert found[2].tolist() == pytest.approx([0.8 * LEAST_TRUST, 0.2 * LEAST_TRUST, 1 - LEAST_TRUST])

    def test_near_duplicates_say_nothing_about_each_other(self) -> None:
        vectors = np.repeat(directions(200, 0, spread=0.1), 2, axis=0)
        _, alone = Novelty.fit(vectors, np.arange(400))
        _, grouped = Novelty.fit(vectors, np.repeat(np.arange(200), 2))
        assert alone.min() > 0.98
        assert grouped.mean() < alone.mean() - 0.01

    def test_a_small_desk_calls_little_strange(self) -> None:
        novelty, _ = Novelty.fit(directions(60, 0), np.arange(60))
        # All its tickets are alike; that the next one is not must not make it nobody's.
        assert (novelty.strange, novelty.doubtful) == (0.3, 0.45)


WORDS = {"red": "apple cherry rose ruby", "blue": "ocean sky berry jeans"}


@pytest.fixture(scope="module")
def head() -> LearnedHead:
    bodies = [f"{one} {other}" for words in WORDS.values() for one in words.split() for other in words.split()] * 3
    labels = [label for label in WORDS for _ in range(16)] * 3
    features = read_features([ticket(body) for body in bodies], ENCODER)
    material = Material("primary_team", features, labels, groups_of(features.texts), [None] * len(bodies))
    return learn(material, "letters").head


def asked(head: LearnedHead, said_by_base: str, body: str, subject: str = "") -> str:
    base = FakeClassifier(answer(said_by_base))
    learned = LearnedClassifier(base, {"primary_team": head}, ENCODER, DEFAULT_TEAMS)
    return learned.classify(ticket(body, subject=subject)).primary_team


class TestNobodysTickets:
    def test_a_ticket_like_none_that_was_taught_is_nobodys(self, head: LearnedHead) -> None:
        assert asked(head, "billing", "ocean sky") == "blue"
        assert asked(head, "billing", "zzz www xxx") == "none"

    def test_automatic_mail_is_nobodys_unless_the_desk_has_taught_it(self, head: LearnedHead) -> None:
        away = "Automatic reply: out of office"
        assert asked(head, "none", "I am on leave until Monday and will answer then.", away) == "none"
        # A base that does not know the desk's teams says "none" of many tickets: alone that counts for nothing.
        assert asked(head, "none", "ocean sky") == "blue"

    def test_other_fields_have_no_none(self) -> None:
        features = read_features([ticket(body) for body in ["apple", "ocean"] * 20], ENCODER)
        material = Material("priority", features, ["now", "later"] * 20, np.arange(40), [None] * 40)
        found = learn(material, "letters").head
        assert found.novelty is None
        assert set(found.probabilities(features)[0]) == {"now", "later"}

    def test_novelty_is_stored_with_the_model(self, head: LearnedHead) -> None:
        back = LearnedHead.from_bytes(head.to_bytes(), "letters")
        assert back.novelty
        assert head.novelty
        assert (back.novelty.strange, back.novelty.usual) == (head.novelty.strange, head.novelty.usual)
        assert (back.novelty.examples == head.novelty.examples).all()


def test_shape_is_chosen_where_only_shape_tells() -> None:
    bodies = [f"{word} {other}" for word in ("tea", "ate", "eat") for other in ("net", "ten")] * 10
    tickets = [ticket(body + ("?" * (1 + row % 4) if row % 2 else "."), subject="x") for row, body in enumerate(bodies)]
    features = read_features(tickets, ENCODER)
    # Words and letters are the same on both sides: only the marks differ, and no view of words counts them.
    chosen = choose(features, np.arange(60) % 2, np.arange(60), 2)
    assert [recipe.kind for recipe in chosen.recipes if recipe.kind in NEAR] == ["shape"]
