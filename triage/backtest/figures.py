"""How the answers of a backtest compare with what people made of the tickets: plain data in, plain data out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triage.backtest.replay import answer_of
from triage.classification import DECIDED_FIELDS, Classification
from triage.classify import calibration, measures
from triage.decision import Decision, decide
from triage.people import one_of_its_group
from triage.settings import Desk, Settings
from triage.store.backtests import Looked
from triage.ticket import Ticket

PRECISION = 0.95
"""The target where the settings name none."""
LEAST_UNSEEN = 30
"""From so many tickets that a learned model has not seen, only these are scored."""
CURVE_POINTS = 80
PAIRS = 8
HEAT_LABELS = 12
WORST = 10
OTHERS = "(others)"

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One ticket that was answered: what people said, what Tandem says, and what it would do in the desk's own mode."""

    ticket_id: str
    url: str
    requester: str
    truth: dict[str, str]
    answer: Classification
    decision: Decision
    seen: frozenset[str]
    created_at: float | None = None

    def chosen(self, field: str, settings: Settings) -> str:
        """Return the label chosen for `field`, as people could have chosen it."""
        label = str(getattr(self.answer, field))
        return one_of_its_group(label, settings) if field == "primary_team" else label

    def decided(self, field: str) -> bool:
        """Say whether Tandem is sure enough of `field`."""
        return field not in self.decision.abstained


def cases_of(looked: Sequence[Looked], settings: Settings, desk: Desk, name: str) -> list[Case]:
    """Return the tickets that were answered; decided again, for the rules are quick and pure."""
    cases = []
    for one in looked:
        if one.answer is not None:
            answer = answer_of(one.answer)
            decision = decide(Ticket(desk=name, id=one.ticket_id), answer, settings, desk)
            requester = one.requester or one.ticket_id
            seen = frozenset(one.seen)
            cases.append(Case(one.ticket_id, one.url, requester, one.truth, answer, decision, seen, one.created_at))
    return cases


@dataclass(frozen=True)
class Scored:
    """The cases of one field that can be compared, as parallel columns."""

    field: str
    cases: list[Case]
    truth: list[str]
    chosen: list[str]
    unknown: dict[str, int]
    """Labels of people that Tandem has no name for, with their number: not scored."""
    learned_from: int
    """Tickets whose text a learned model has seen."""
    flatters: bool
    """These are among the scored ones, because too few others are left."""

    @property
    def confidence(self) -> calibration.Scores:
        """Return the probability of each chosen label."""
        return np.asarray([case.answer.probability(self.field) for case in self.cases], np.float64)

    @property
    def right(self) -> calibration.Mask:
        """Return where the chosen label is that of people."""
        return np.asarray([one == other for one, other in zip(self.truth, self.chosen, strict=True)], bool)

    @property
    def decided(self) -> calibration.Mask:
        """Return where Tandem is sure enough."""
        return np.asarray([case.decided(self.field) for case in self.cases], bool)


def scored(cases: Sequence[Case], field: str, settings: Settings) -> Scored:
    """Return the cases with a label of people for `field` that Tandem could have given."""
    labelled = [case for case in cases if case.truth.get(field)]
    names = {label for case in cases for label in case.answer.probabilities.get(field, {})}
    known = names | {one_of_its_group(name, settings) for name in names} if field == "primary_team" else names
    unknown = Counter(case.truth[field] for case in labelled if case.truth[field] not in known)
    usable = [case for case in labelled if case.truth[field] in known]
    unseen = [case for case in usable if field not in case.seen]
    flatters = len(unseen) < min(LEAST_UNSEEN, len(usable))
    picked = usable if flatters else unseen
    return Scored(
        field,
        picked,
        [case.truth[field] for case in picked],
        [case.chosen(field, settings) for case in picked],
        dict(unknown.most_common()),
        len(usable) - len(unseen),
        flatters,
    )


def field_figures(one: Scored, target: float) -> Json:
    """Return the figures of one field as plain data; only the counts where nothing can be compared."""
    about: Json = {
        "n": len(one.truth),
        "labels_nobody_told_us": one.unknown,
        "learned_from": one.learned_from,
        "flatters": one.flatters,
    }
    if not one.truth:
        return about
    right, confidence = one.right, one.confidence
    groups = [case.requester for case in one.cases]
    label, count = Counter(one.truth).most_common(1)[0]
    accuracy = measures.with_interval(measures.weighted_accuracy(right), groups)
    macro = measures.with_interval(measures.weighted_macro_f1(one.truth, one.chosen), groups)
    threshold = calibration.threshold_for(target, confidence, right)
    at = calibration.coverage(confidence, right, threshold)
    decided = one.decided
    return about | {
        "accuracy": _figure(accuracy),
        "macro_f1": _figure(macro),
        "accuracy_counting_all": round(float(right.sum()) / (len(right) + sum(one.unknown.values())), 4),
        "majority": {"label": label, "share": round(count / len(one.truth), 4)},
        "ece": round(calibration.calibration_error(confidence, right), 4),
        "reliability": [_bin(each) for each in calibration.reliability(confidence, right)],
        "curve": _thinned([_coverage(point) for point in measures.curve(confidence, right)]),
        "target": {"wanted": target, "reachable": threshold < 1, **_coverage(at)},
        "now": {
            "share": round(float(decided.mean()), 4),
            "precision": round(float(right[decided].mean()), 4) if decided.any() else None,
        },
        "confused": _confused(one),
        "table": _table(one),
    }


def mistakes(all_scored: Sequence[Scored], most: int = WORST) -> list[Json]:
    """Return the wrong answers of which Tandem was surest, surest first."""
    wrong = [
        {
            "ticket": case.ticket_id,
            "url": case.url,
            "field": one.field,
            "people": truth,
            "tandem": chosen,
            "probability": round(case.answer.probability(one.field), 4),
            "decided": case.decided(one.field),
        }
        for one in all_scored
        for case, truth, chosen in zip(one.cases, one.truth, one.chosen, strict=True)
        if truth != chosen
    ]
    return sorted(wrong, key=lambda entry: (-float(str(entry["probability"])), str(entry["ticket"])))[:most]


def figures_of(cases: Sequence[Case], settings: Settings, target: float) -> tuple[list[Scored], Json]:
    """Return the scored fields and field -> figures; fields without any label of people are left out."""
    every = [scored(cases, field, settings) for field in DECIDED_FIELDS]
    told = [one for one in every if one.truth or one.unknown]
    return told, {one.field: field_figures(one, target) for one in told}


def _figure(figure: measures.Figure) -> Json:
    return {"value": round(figure.value, 4), "low": round(figure.low, 4), "high": round(figure.high, 4)}


def _bin(one: calibration.Bin) -> Json:
    return {
        "from": round(one.start, 4),
        "n": one.tickets,
        "claimed": round(one.confidence, 4),
        "right": round(one.right, 4),
    }


def _coverage(point: calibration.Coverage) -> Json:
    return {
        "threshold": round(point.threshold, 4),
        "share": round(point.share, 4),
        "precision": round(point.precision, 4),
    }


def _thinned(points: list[Json]) -> list[Json]:
    """Return at most CURVE_POINTS points, the last one always."""
    if len(points) <= CURVE_POINTS:
        return points
    places = np.unique(np.linspace(0, len(points) - 1, CURVE_POINTS).astype(int))
    return [points[place] for place in places]


def _confused(one: Scored) -> list[Json]:
    pairs = Counter((truth, chosen) for truth, chosen in zip(one.truth, one.chosen, strict=True) if truth != chosen)
    return [{"people": truth, "tandem": chosen, "n": count} for (truth, chosen), count in pairs.most_common(PAIRS)]


def _table(one: Scored) -> Json:
    """Return the confusion table: the most frequent labels by name, the rest as one."""
    counted = Counter(one.truth) + Counter(one.chosen)
    named = [label for label, _ in counted.most_common(HEAT_LABELS)]
    if one.field != "primary_team":
        # P0 to P3, high to low: their names are in order.
        named.sort()
    labels = [*named, OTHERS] if len(counted) > len(named) else named
    place = {label: number for number, label in enumerate(labels)}
    rows = np.zeros((len(labels), len(labels)), int)
    for truth, chosen in zip(one.truth, one.chosen, strict=True):
        rows[place.get(truth, len(labels) - 1), place.get(chosen, len(labels) - 1)] += 1
    return {"labels": labels, "rows": rows.tolist()}
