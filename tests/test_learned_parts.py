"""The parts of a learned model: splits, stored heads, the classifier over another, store and worker."""

from __future__ import annotations

import io
import json
import pickle
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeClassifier, answer
from scipy.sparse import csr_matrix
from sqlalchemy.exc import IntegrityError

from triage.classify import with_learned
from triage.classify.batch import row_from, ticket_from_row
from triage.classify.head import ForeignModelError, LearnedHead
from triage.classify.head_file import read_arrays
from triage.classify.learned import LearnedClassifier
from triage.classify.learned_features import BUCKETS, Features, read_features
from triage.classify.nearness import SIZE, Nearness
from triage.classify.novelty import Novelty
from triage.classify.shape import SIZE as SHAPES
from triage.classify.splits import folds, groups_of, split
from triage.classify.training import Material, learn
from triage.classify.views import Lens, Linear, Recipe, Wording, fit_view
from triage.decision import decide
from triage.draft_quotes import no_model_draft
from triage.environment import Environment
from triage.settings import DEFAULT_TEAMS, Mode, Settings
from triage.store import Store
from triage.store.models import KEPT, NewModel
from triage.ticket import Ticket
from workers import runtime as runtime_module
from workers.runtime import Answers, Runtime

WORDS = {"red": "apple cherry rose ruby", "blue": "ocean sky berry jeans", "grey": "stone cloud ash steel"}


class LetterEncoder:
    """Counts letters: enough to tell the words apart, and no weights to load."""

    model_id = "letters"
    dim = 26

    def encode(self, texts: Sequence[str]) -> Any:
        """Return one row per text."""
        counts = np.asarray([[text.lower().count(chr(97 + one)) for one in range(26)] for text in texts], np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


ENCODER = LetterEncoder()


def ticket(body: str, **more: Any) -> Ticket:
    return ticket_from_row({"id": "1", "body": body, **more})


def material(count: int = 150, noise: float = 0.0, field: str = "primary_team") -> Material:
    """Return `count` tickets of two words each, a share of them with a wrong label."""
    random = np.random.default_rng(5)
    labels, bodies = [], []
    for number in range(count):
        label = list(WORDS)[number % len(WORDS)]
        bodies.append(" ".join(random.choice(WORDS[label].split(), 2)) + f" number {random.integers(10**6)}")
        labels.append(str(random.choice(list(WORDS))) if random.uniform() < noise else label)
    features = read_features([ticket(body) for body in bodies], ENCODER)
    return Material(field, features, labels, groups_of(features.texts), [None] * count)


@pytest.fixture(scope="module")
def head() -> LearnedHead:
    return learn(material(), "letters").head


class TestSplits:
    def test_near_duplicates_share_a_group_and_others_do_not(self) -> None:
        long = "my order {} of the blue garden chairs has not arrived yet and nobody answers the phone at your shop"
        texts = [
            long.format(12),
            long.format(998877),
            long.format(5).upper(),
            "the invoice for the chairs is wrong",
            "",
        ]
        groups = groups_of(texts)
        assert groups[0] == groups[1] == groups[2]
        assert len(set(groups)) == 3

    def test_the_newest_fifth_is_the_test(self) -> None:
        train, test, how = split(["a"] * 10, np.arange(10), [float(-row) for row in range(10)])
        assert (how, sorted(test)) == ("time", [0, 1])
        assert len(train) == 8

    @pytest.mark.parametrize("times", [[None] * 10, [1.0] * 10, [1.0, 2.0] + [None] * 8])
    def test_without_times_the_test_is_random(self, times: list[float | None]) -> None:
        assert split(["a", "b"] * 5, np.arange(10), times)[2] == "random"

    def test_groups_stay_whole_and_labels_are_spread(self) -> None:
        labels = ["rare"] * 10 + ["usual"] * 190
        groups = np.repeat(np.arange(100), 2)
        fold = folds(labels, groups, 5)
        assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
        assert [int((fold[:10] == one).sum()) for one in range(5)] == [2] * 5
        assert [int((fold == one).sum()) for one in range(5)] == [40] * 5


class TestLearning:
    def test_figures_come_from_tickets_it_has_not_seen(self) -> None:
        lesson = learn(material(300, noise=0.3), "letters")
        # 30 % drawn at random leave 80 % right: who reports more has looked.
        assert 0.65 < lesson.figures.accuracy < 0.95
        assert lesson.figures.error < 0.12
        assert len(lesson.test_rows) == lesson.figures.tickets == 60
        assert [count for count, _ in lesson.curve] == [60, 120, 240]

    def test_thresholds_of_noisy_labels_ask_for_more_than_there_is(self) -> None:
        noisy, clean = learn(material(300, noise=0.3), "letters").head, learn(material(300), "letters").head
        assert noisy.threshold(0.95) == 1.0
        assert (clean.threshold(0.95) or 1) <= 0.95

    def test_hundreds_of_labels_work(self) -> None:
        bodies = [f"word{label}x thing{label} {copy}" for label in range(150) for copy in range(4)]
        features = read_features([ticket(body) for body in bodies], ENCODER)
        labels = [f"team {number // 4}" for number in range(600)]
        lesson = learn(Material("primary_team", features, labels, np.arange(600), [None] * 600), "letters")
        assert lesson.figures.macro_f1 > 0.8

    def test_nearness_learns_with_many_labels(self) -> None:
        vectors = np.repeat(np.eye(100, 128, dtype=np.float32), 5, axis=0)
        features = Features(("",) * 500, vectors, np.zeros((500, SHAPES), np.float32), csr_matrix((500, BUCKETS)))
        truth = np.repeat(np.arange(100), 5)
        lens = Lens.fit(features, 100, ["meaning"])
        inputs = lens.apply(features)
        said = fit_view(Recipe("meaning", 10), lens, inputs, truth, 100).scores(inputs.of("meaning")).argmax(axis=1)
        assert (said == truth).all()


def whole(head: LearnedHead) -> LearnedHead:
    """Return `head` with every part it may have, of the right shape."""
    labels = len(head.labels)
    near = (
        Nearness(np.zeros(SHAPES, np.float32), np.full(SHAPES, np.inf, np.float32)),
        Linear(np.ones((SIZE, labels), np.float32), np.ones(labels, np.float32)),
    )
    words = (
        Wording(np.arange(5, dtype=np.int32), np.ones(5, np.float32)),
        Linear(np.ones((5, labels), np.float32), np.ones(labels, np.float32)),
    )
    made = replace(head, nearness=near, wording=words, novelty=Novelty(np.ones((4, 26), np.int8), 0.1, 0.2, 0.3))
    assert LearnedHead.from_bytes(made.to_bytes(), "letters", 26).labels == head.labels
    return made


def stored_with(head: LearnedHead, **changed: Callable[[Any], Any]) -> bytes:
    with np.load(io.BytesIO(head.to_bytes())) as file:
        arrays = dict(file)
    arrays |= {name: change(arrays.get(name)) for name, change in changed.items()}
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


class TestStoredHeads:
    def test_come_back_as_they_were(self, head: LearnedHead) -> None:
        back = LearnedHead.from_bytes(head.to_bytes(), "letters")
        features = read_features([ticket("ruby and rose"), ticket("sky")], ENCODER)
        for one, other in zip(head.probabilities(features), back.probabilities(features), strict=True):
            assert one == pytest.approx(other, abs=2e-3)
        assert (back.labels, back.thresholds, back.seen) == (head.labels, head.thresholds, head.seen)

    def test_of_other_vectors_are_refused(self, head: LearnedHead) -> None:
        with pytest.raises(ForeignModelError, match=r"another version of Tandem.*learn --desk"):
            LearnedHead.from_bytes(head.to_bytes(), "another encoder")

    def test_never_run_code(self, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> Any:
                return (Path.touch, (tmp_path / "ran",))

        file = io.BytesIO()
        np.savez(file, about=np.asarray([Trap()], dtype=object))
        for stored in (file.getvalue(), pickle.dumps(Trap()), b"", b"PK\x03\x04 broken"):
            with pytest.raises(ForeignModelError, match="cannot be read"):
                LearnedHead.from_bytes(stored, "letters")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("name", "broken"),
        [
            ("wording", lambda one: one * np.float16("nan")), ("nearness", lambda one: one + np.float16("inf")),
            ("wording_bias", lambda one: one * np.nan), ("nearness_bias", lambda one: one[1:]),
            ("middle", lambda one: one * np.float32("nan")), ("spread", lambda one: one * np.float32(0)),
            ("spread", lambda one: one[1:]), ("idf", lambda one: one * np.float32("inf")),
            ("columns", lambda one: one - 10_000_000), ("columns", lambda one: one.astype(np.float64)),
            ("columns", lambda one: one[::-1]), ("columns", lambda one: np.zeros_like(one)),
            ("limits", lambda one: one * np.nan), ("limits", lambda one: one[1:]),
            ("examples", lambda one: one[:, :7]), ("examples", lambda one: one[:0]), ("examples", lambda one: one[0]),
            ("examples", lambda one: one.astype(np.float32)), ("seen", lambda one: one.astype(np.float64)),
            ("seen", lambda _one: np.zeros(20_000_000, np.uint64)), ("spare", lambda _one: np.zeros(600_000)),
            ("spare", lambda _one: np.zeros(3, np.complex128)),
        ],
    )  # fmt: skip
    def test_with_numbers_that_cannot_be_are_refused(
        self, head: LearnedHead, name: str, broken: Callable[[Any], Any]
    ) -> None:
        with pytest.raises(ForeignModelError, match="cannot be read"):
            LearnedHead.from_bytes(stored_with(whole(head), **{name: broken}), "letters", 26)

    @pytest.mark.parametrize(
        "said",
        [
            {"labels": []}, {"labels": ["red", "red", "blue"]}, {"labels": "rgb"}, {"labels": ["red", "blue", 3]},
            {"labels": ["red", "blue", ""]}, {"thresholds": {"0.9": "0.5"}}, {"thresholds": {"0.9": float("nan")}},
            {"thresholds": {"0.9": 7}}, {"thresholds": {"much": 0.5}}, {"thresholds": []}, {"thresholds": None},
        ],
        ids=str,
    )  # fmt: skip
    def test_with_words_that_cannot_be_are_refused(self, head: LearnedHead, said: dict[str, Any]) -> None:
        def told(about: Any) -> Any:
            return np.frombuffer(json.dumps(json.loads(about.tobytes()) | said).encode(), np.uint8)

        with pytest.raises(ForeignModelError, match="cannot be read"):
            LearnedHead.from_bytes(stored_with(whole(head), about=told), "letters", 26)

    def test_without_a_view_are_refused(self, head: LearnedHead) -> None:
        with pytest.raises(ForeignModelError, match="cannot be read"):
            LearnedHead.from_bytes(replace(head, nearness=None, wording=None).to_bytes(), "letters")

    def test_that_would_fill_the_memory_are_refused_unread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out, out.open("seen.npy", "w") as entry:
            for _ in range(80):
                entry.write(bytes(1_000_000))
        monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("was read"))
        with pytest.raises(ForeignModelError, match="ValueError"):
            LearnedHead.from_bytes(file.getvalue(), "letters")

    def test_whose_header_promises_more_than_there_is_are_refused(self) -> None:
        raw = io.BytesIO()
        np.lib.format.write_array_header_1_0(raw, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as out:
            out.writestr("limits.npy", raw.getvalue())
        with pytest.raises(ValueError, match="shape"):
            read_arrays(file.getvalue())

    def test_hold_no_word_of_a_customer(self, head: LearnedHead) -> None:
        with np.load(io.BytesIO(head.to_bytes())) as arrays:
            raw = b"".join(arrays[name].tobytes() for name in arrays)
        assert b"cherry" not in raw


class TestLearnedClassifier:
    def classifier(self, head: LearnedHead, **more: Any) -> LearnedClassifier:
        base = FakeClassifier(answer("billing", evidence=["a sentence"], issue_category="refund"))
        return LearnedClassifier(base, {"primary_team": head}, ENCODER, DEFAULT_TEAMS, **more)

    def test_replaces_what_was_learned_and_nothing_else(self, head: LearnedHead) -> None:
        said = self.classifier(head).classify(ticket("ocean sky"))
        assert (said.primary_team, said.priority) == ("blue", "P1_high")
        assert (said.evidence, said.issue_category) == ([], "")  # they spoke for billing
        assert set(said.probabilities["primary_team"]) == {*WORDS, "none"}
        assert said.classifier == "fake+learned"
        assert said.thresholds == {}

    def test_target_precision_sets_the_threshold(self) -> None:
        noisy = learn(material(300, noise=0.3), "letters").head
        said = self.classifier(noisy, target_precision=0.95).classify(ticket("ocean sky"))
        assert said.thresholds == {"primary_team": 1.0}
        assert row_from(said, 1, Settings().thresholds)["abstained"] == ["primary_team"]
        said = self.classifier(noisy, target_precision=0.6).classify(ticket("ocean sky"))
        assert row_from(said, 1, Settings().thresholds)["abstained"] == []

    def test_without_words_nothing_is_claimed(self, head: LearnedHead) -> None:
        said = self.classifier(head).classify(ticket(""))
        assert said.probability("primary_team") == pytest.approx(1 / 3)

    def test_a_model_that_cannot_be_read_leaves_the_base_alone(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        base = FakeClassifier()
        assert with_learned(base, {"priority": b"junk"}, settings, "acme") is base
        assert "desk acme, priority: the stored model cannot be read" in caplog.text


def test_own_names_are_never_written_as_priority_or_tag(settings: Settings) -> None:
    said = answer(
        priority="whenever",
        sentiment="calm",
        probabilities={"priority": {"whenever": 0.9, "now": 0.1}, "sentiment": {"calm": 0.9, "tense": 0.1}},
    )
    desk = settings.desks["acme"].model_copy(update={"mode": Mode.WRITE})
    decision = decide(Ticket("acme", "1"), said, settings, desk)
    assert decision.priority is None
    assert [tag for tag in decision.tags if "priority" in tag or "sentiment" in tag] == []
    assert "ai_team_billing" in decision.tags


def new(field: str = "primary_team", blob: bytes = b"1") -> NewModel:
    return NewModel(field, "kind", ["a"], {"macro_f1": 0.5}, {"0.95": 0.8}, "letters", blob)


class TestStore:
    def test_one_model_per_field_is_active(self, store: Store) -> None:
        first = store.models.activate("acme", new(), 1.0)
        store.models.activate("acme", new("priority"), 1.0)
        store.models.activate("globex", new(), 1.0)
        assert len(store.models.active_ids("acme")) == 2
        second = store.models.activate("acme", new(blob=b"2"), 2.0)
        assert first not in store.models.active_ids("acme")
        assert {model.id: model.blob for model in store.models.active("acme")}[second] == b"2"

    def test_the_database_refuses_a_second_active_one(self, store: Store) -> None:
        store.models.activate("acme", new(), 1.0)
        with pytest.raises(IntegrityError), store.engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO models (desk, field, created_at, kind, labels, metrics, thresholds, encoder, active, blob)"
                " SELECT desk, field, created_at, kind, labels, metrics, thresholds, encoder, active, blob FROM models"
            )

    def test_old_lessons_are_deleted(self, store: Store) -> None:
        for number in range(KEPT + 3):
            store.models.activate("acme", new(), float(number))
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM models").scalar_one() == KEPT


def test_a_worker_uses_a_newly_activated_model_without_a_restart(
    sqlite_store: Store, settings: Settings, head: LearnedHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triage.classify.shared_encoder", lambda: ENCODER)
    worker = Runtime(Environment(), settings)
    fake = FakeClassifier(answer("billing"))
    worker.__dict__ |= {"store": sqlite_store, "_build": lambda given: Answers(given, fake, no_model_draft)}
    before = worker.classifier_of("acme")
    assert before.classify(ticket("ocean")).primary_team == "billing"
    sqlite_store.models.activate("acme", new(blob=head.to_bytes()), time.time())
    assert worker.classifier_of("acme") is before  # the database is not asked for every ticket
    assert runtime_module.LOOK_EVERY_SECONDS <= 60
    monkeypatch.setattr(runtime_module, "LOOK_EVERY_SECONDS", 0.0)
    assert worker.classifier_of("acme").classify(ticket("ocean")).primary_team == "blue"
    assert worker.classifier_of("globex").classify(ticket("ocean")).primary_team == "billing"
    assert worker.classifier_of("acme") is worker.classifier_of("acme")
