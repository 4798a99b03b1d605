"""What Tandem has to beat: always the commonest label, and TF-IDF with logistic regression on the same examples."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from triage.classify.seeds import field_seeds, team_seeds, ticket_seeds

MOST_COLUMNS = 30_000
STEPS = 60
SENTENCES = {"priority": "priority", "sentiment": "sentiment", "churn_risk": "churn"}


class Baseline:
    """Word and character TF-IDF with logistic regression, fitted on our own examples for one field."""

    def __init__(self, field: str) -> None:
        texts = [f"{ticket.subject}\n{ticket.body}" for ticket in ticket_seeds()]
        labels = [ticket.labels[field] for ticket in ticket_seeds()]
        seeds = field_seeds(SENTENCES[field]) if field in SENTENCES else team_seeds()
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
        regression = LogisticRegression(C=10, max_iter=1000, class_weight="balanced")
        self._model: Any = make_pipeline(make_union(words, letters), regression)
        self._model.fit([*texts, *(seed.text for seed in seeds)], [*labels, *(seed.label for seed in seeds)])

    def chances(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return label -> probability for each text."""
        labels = [str(label) for label in self._model.classes_]
        return [dict(zip(labels, map(float, row), strict=True)) for row in self._model.predict_proba(texts)]


def plain_learner(texts: Sequence[str], labels: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Return the labels of `asked` by word and character TF-IDF with logistic regression, fitted on `texts`."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, max_features=MOST_COLUMNS)
    letters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2, max_features=MOST_COLUMNS
    )
    model: Any = make_pipeline(make_union(words, letters), LogisticRegression(C=10, max_iter=STEPS, tol=1e-3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early it answers alike
        return [str(label) for label in model.fit(texts, labels).predict(asked)]


def majority(truth: Sequence[str]) -> float:
    """Return the share of the commonest label."""
    return Counter(truth).most_common(1)[0][1] / len(truth)
