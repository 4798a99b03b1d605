"""Measure redaction: `python -m evaluation.redaction DATA [--out docs/quality.md]` (part of `make eval DATA=...`)."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.page import put
from triage.redact import find
from triage.redact_spans import CARD, EMAIL, IBAN, ID, IP, NAME, PHONE, SECRET, URL, Span

START, END = "<!-- redaction: make eval -->\n", "<!-- end of redaction -->\n"
FILE = Path("pii-synth") / "presidio_synth_v2_dev.jsonl.gz"
KIND_OF = {
    "EMAIL_ADDRESS": EMAIL, "PHONE_NUMBER": PHONE, "CREDIT_CARD": CARD, "IBAN_CODE": IBAN, "US_SSN": ID,
    "IP_ADDRESS": IP, "PERSON": NAME,
}  # fmt: skip
"""What the set calls it -> our kind. Addresses, places, organizations, ages and dates are not redacted."""
HEADER = "| kind | in the set | wholly hidden | masked as this kind | of these right | private all the same |\n"
RULE = "| --- | --- | --- | --- | --- | --- |\n"


@dataclass(frozen=True)
class Sample:
    """One text and where private data stands in it, in the set's own words."""

    text: str
    spans: Sequence[tuple[str, int, int]]


@dataclass
class Score:
    """How one kind fared."""

    wanted: int = 0
    hidden: int = 0
    """Every character of it is masked, as whatever kind."""
    made: int = 0
    right: int = 0
    """Overlaps a span of this kind."""
    private: int = 0
    """Overlaps any span of the set, like a name inside a company's."""


def read(file: Path) -> Iterator[Sample]:
    """Yield the samples of the set."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Sample(row["text"], [(str(kind), int(start), int(end)) for kind, start, end in row["spans"]])


def score(samples: Sequence[Sample]) -> dict[str, Score]:
    """Return kind -> score."""
    scores = {kind: Score() for kind in (*KIND_OF.values(), SECRET, URL)}
    for sample in samples:
        found = find(sample.text)
        masked = bytearray(len(sample.text))
        for span in found:
            masked[span.start : span.end] = b"\x01" * (span.end - span.start)
        for name, start, end in sample.spans:
            if kind := KIND_OF.get(name):
                scores[kind].wanted += 1
                scores[kind].hidden += 0 not in masked[start:end]
        for span in found:
            _count(scores[span.kind], span, sample)
    return scores


def _count(one: Score, span: Span, sample: Sample) -> None:
    over = {name for name, start, end in sample.spans if start < span.end and span.start < end}
    one.made += 1
    one.right += any(KIND_OF.get(name) == span.kind for name in over)
    one.private += bool(over)


def table(samples: Sequence[Sample]) -> str:
    """Return the table of docs/quality.md."""
    started = time.process_time()
    scores = score(samples)
    each = 1000 * (time.process_time() - started) / max(sum(len(sample.text) for sample in samples) / 1000, 1)
    lines = [
        f"| {kind} | {one.wanted} | {_share(one.hidden, one.wanted)} | {one.made} "
        f"| {_share(one.right, one.made)} | {_share(one.private, one.made)} |\n"
        for kind, one in scores.items()
        if one.wanted or one.made
    ]
    about = f"{len(samples)} texts, {each:.1f} ms of CPU time per 1,000 characters.\n\n"
    return about + HEADER + RULE + "".join(lines) + "\n"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else ""


def main() -> None:
    """Print the table and put it between its marks on the page."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", type=Path)
    reader.add_argument("--out", type=Path)
    asked = reader.parse_args()
    figures = table(list(read(asked.data / FILE)))
    sys.stdout.write(figures)
    if asked.out:
        put(asked.out, START, END, figures)


if __name__ == "__main__":
    main()
