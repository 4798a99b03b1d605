"""How long one search among 50,000 passages takes on one core, how much memory it holds, and how long it loads."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.result import Figure, Result
from benchmarks.tickets import sample_tickets
from triage.classify.encoder import UseEncoder
from triage.clean import clean_ticket
from triage.knowledge.index import ANSWER, BODY, TITLE, Query
from triage.knowledge.relevance import LEAST_TICKET
from triage.knowledge.terms import terms_of, to_bytes
from triage.knowledge.vectors import pack
from triage.sources import TICKET
from triage.store import open_store
from triage.store.knowledge import NewDocument, NewPassage
from triage.store.migrate import migrate
from workers.lookup import load

PASSAGES = 50_000
SHORT = 1_000
PARTS = (TITLE, BODY, BODY, BODY, ANSWER)
WORDS = 160
VOCABULARY = 60_000
ROUNDS = 5
DESK = "bench"
MEGABYTE = 1024**2
MOST_MS = 50.0
MOST_MB = 200.0


def run(short: bool) -> Result:
    """Fill a database, then load and search it in a fresh process on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "knowledge.db"
        passages = SHORT if short else PASSAGES
        fill(path, passages)
        command = [sys.executable, "-m", "benchmarks.knowledge_search", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        loading, worst, middle, whole, held = map(float, done.stdout.split())
        size = path.stat().st_size / MEGABYTE
    return Result(
        "knowledge_search",
        (
            Figure("one search, CPU, median", middle, "ms", MOST_MS),
            Figure("one search, CPU, slowest", worst, "ms", MOST_MS),
            Figure("with encoding the ticket, median", whole, "ms"),
            Figure("loading the index, CPU", loading, "s"),
            Figure("memory of the index", held, "MB", MOST_MB),
            Figure("database", size, "MB"),
        ),
        (
            f"{passages:,} passages of {passages // len(PARTS):,} documents, {WORDS} words each, drawn by Zipf's law,",
            f"random vectors; the {len(sample_tickets())} sample tickets ask; one thread",
        ),
    )


def fill(path: Path, passages: int) -> None:
    """Put documents of made-up words into a fresh database."""
    store = open_store(f"sqlite:///{path}")
    migrate(store.engine)
    rng = np.random.default_rng(7)
    chances = 1 / np.arange(1, VOCABULARY + 1)
    drawn = rng.choice(VOCABULARY, passages * WORDS, p=chances / chances.sum())
    vectors = rng.standard_normal((passages, UseEncoder.dim)).astype(np.float32)
    packed, scales = pack(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    known = _common_words()
    for number, start in enumerate(range(0, passages, len(PARTS))):
        document = NewDocument(TICKET, str(number), str(number), "en", f"Title {number}", "", "", str(number), 0.0)
        rows = []
        for place, part in enumerate(PARTS, start):
            words = drawn[place * WORDS : (place + 1) * WORDS]
            # The commonest are words that the tickets hold too, so that their long lists are really walked.
            text = " ".join(known[word] if word < len(known) else f"w{word}" for word in words)
            counted = b"" if part == TITLE else to_bytes(*terms_of(text))
            row = packed[place].tobytes(), float(scales[place])
            rows.append(NewPassage(part, text, UseEncoder.model_id, UseEncoder.dim, *row, counted))
        store.knowledge.put(DESK, document, rows, 0.0)
    store.engine.dispose()


def _common_words() -> Sequence[str]:
    """Return the words of the sample tickets, the commonest first."""
    words = " ".join(clean_ticket(ticket).text for ticket in sample_tickets()).lower().split()
    return sorted(dict.fromkeys(words), key=words.count, reverse=True)


def measure(path: Path) -> Iterator[float]:
    """Yield seconds to load, slowest and median milliseconds of a search, the same with encoding, and megabytes."""
    encoder = UseEncoder()
    encoder.encode(["warm up"])
    said = [clean_ticket(ticket) for ticket in sample_tickets()]
    store = open_store(f"sqlite:///{path}")
    before, held = time.process_time(), _memory()
    index = load(store, DESK, encoder)
    yield time.process_time() - before
    searches, wholes = [], []
    for turn in range(ROUNDS):
        for one in said:
            start = time.process_time()
            query = Query.of(one.subject, one.text, one.language, encoder.encode)
            encoded = time.process_time()
            index.search(query, (TICKET,), 3, LEAST_TICKET)
            end = time.process_time()
            searches.append(1000 * (end - encoded))
            if turn == 0:
                wholes.append(1000 * (end - start))
    yield max(searches)
    yield median(searches)
    yield median(wholes)
    gc.collect()
    yield _memory() - held


def _memory() -> float:
    """Return the megabytes this process holds now, or at most has held where the system does not say."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text("ascii").split()[1]) * resource.getpagesize() / MEGABYTE
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE


if __name__ == "__main__":
    print(*measure(Path(sys.argv[1])))
