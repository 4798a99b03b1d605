"""Measure the search for sources: `python -m evaluation.retrieval DATA [--out docs/quality.md]`.

Real support questions of 2019 and what volunteers answered. Nobody has said which sources suit which question, so two
stand-ins are measured. *Answer*: of all answers, is the one that was given to this very question found? *Similar*: of
the older questions, are those found whose answers link to the same article? Both count many a good source as wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.cache import CACHE, CachedEncoder
from evaluation.sources import read_rows
from triage.classify.encoder import UseEncoder
from triage.knowledge.bm25 import Bm25
from triage.knowledge.documents import Document, keep
from triage.knowledge.index import Encode, Entry, Index, Query, Rows
from triage.knowledge.relevance import LEAST_ARTICLE, LEAST_TICKET
from triage.knowledge.terms import from_bytes, terms_of, to_bytes
from triage.sources import ARTICLE, TICKET

START, END = "<!-- retrieval: make eval -->\n", "<!-- end of retrieval -->\n"
OLDER = 0.7
"""The share of the questions, oldest first, that is known; the newest ask."""
MOST_LINKED = 30
"""An article linked to in more threads than this says "start in safe mode", not what the question is about."""
LONGEST_ANSWER = 6000
DEPTH = 100
FOREIGN = 500
LINK = re.compile(r"/kb/([a-z0-9-]{4,})", re.IGNORECASE)
EVERYTHING = float("-inf")
NOTHING = to_bytes(*terms_of(""))


@dataclass(frozen=True)
class Thread:
    """A question and its answers."""

    key: str
    title: str
    question: str
    answer: str
    links: frozenset[str]

    @property
    def query_text(self) -> str:
        """Return the question as one text."""
        return f"{self.title}\n{self.question}"


Search = Callable[[Thread], list[str]]
"""Returns the keys of what is found, best first."""


def threads_of(data: Path) -> list[Thread]:
    """Return the answered questions, oldest first."""
    tickets = {row["id"]: row for row in read_rows(data / "sumo-firefox-2019/tickets.jsonl.gz")}
    found = []
    for row in read_rows(data / "sumo-firefox-2019/answers.jsonl.gz"):
        answer = "\n".join(each["text"] for each in row["thread"] if not each["by_asker"])[:LONGEST_ANSWER]
        ticket = tickets[row["id"]]
        if answer:
            links = frozenset(link.lower() for link in LINK.findall(answer))
            thread = Thread(str(row["id"]), ticket["title"], ticket["text"], answer, links)
            found.append((ticket["created"], thread))
    return [thread for _, thread in sorted(found, key=lambda pair: pair[0])]


def index_of(documents: Sequence[Document], encode: Encode, *, words: bool = True) -> Index:
    """Return the index as production builds it; without `words` only vectors count."""
    rows = [(place, row) for place, one in enumerate(documents) for row in keep(one, encode)]
    entries = [Entry(place, one.kind, one.key, one.group, "en", one.title, "") for place, one in enumerate(documents)]
    return Index(
        entries,
        Rows(
            documents=np.asarray([place for place, _ in rows], np.int64),
            parts=np.asarray([row.part for _, row in rows], np.int8),
            passages=np.arange(len(rows)),
            vectors=np.stack([np.frombuffer(row.vector, np.int8) for _, row in rows]),
            scales=np.asarray([row.scale for _, row in rows], np.float32),
            words=[from_bytes(row.words if words else NOTHING) for _, row in rows],
        ),
    )


def by_index(index: Index, kind: str, encode: Encode, least: float = EVERYTHING, most: int = DEPTH) -> Search:
    """Search as production does."""

    def search(thread: Thread) -> list[str]:
        query = Query.of(thread.title, thread.question, "en", encode)
        return [hit.entry.key for hit in index.search(query, (kind,), most, least)]

    return search


def by_words(documents: Sequence[Document]) -> Search:
    """Search by plain BM25 over whole documents, as a search engine would."""
    engine = Bm25([terms_of(f"{one.title}\n{one.body}\n{one.answer}") for one in documents])

    def search(thread: Thread) -> list[str]:
        scores, _ = engine.scores(terms_of(thread.query_text)[0])
        return [documents[place].key for place in np.argsort(-scores, kind="stable")[:DEPTH]]

    return search


def figures(search: Search, asked: Sequence[Thread], right: Sequence[frozenset[str]]) -> tuple[float, float]:
    """Return recall@3 (is any of the right ones among the first three) and the mean reciprocal rank."""
    ranks = []
    for thread, wanted in zip(asked, right, strict=True):
        places = (place for place, key in enumerate(search(thread), 1) if key in wanted)
        ranks.append(1 / next(places, EVERYTHING * -1))
    found = np.asarray(ranks)
    return float((found >= 1 / 3).mean()), float(found.mean())


def answers(threads: Sequence[Thread]) -> tuple[list[Document], list[Thread], list[frozenset[str]]]:
    """Return the task *answer*: documents, who asks, and what is right."""
    documents = [Document(ARTICLE, one.key, one.key, "en", "", "", one.answer) for one in threads]
    asked = list(threads[int(len(threads) * OLDER) :])
    return documents, asked, [frozenset([one.key]) for one in asked]


def similar(threads: Sequence[Thread]) -> tuple[list[Document], list[Thread], list[frozenset[str]]]:
    """Return the task *similar*: older questions with their answers, newer ones that share a link with any."""
    counted = Counter(link for one in threads for link in one.links)
    telling = {link for link, count in counted.items() if count <= MOST_LINKED}
    cut = int(len(threads) * OLDER)
    documents = [
        Document(TICKET, one.key, one.key, "en", one.title, "", one.question, one.answer) for one in threads[:cut]
    ]
    pairs = []
    for one in threads[cut:]:
        wanted = one.links & telling
        right = frozenset(other.key for other in threads[:cut] if other.links & wanted)
        if right:
            pairs.append((one, right))
    return documents, [one for one, _ in pairs], [right for _, right in pairs]


def lines_of(name: str, task: tuple[list[Document], list[Thread], list[frozenset[str]]], encode: Encode) -> list[str]:
    """Return the table's lines of one task."""
    documents, asked, right = task
    kind = documents[0].kind
    rivals = {
        "plain BM25": by_words(documents),
        "vectors only": by_index(index_of(documents, encode, words=False), kind, encode),
        "**both, as Tandem searches**": by_index(index_of(documents, encode), kind, encode),
    }
    lines = []
    for rival, search in rivals.items():
        recall, rank = figures(search, asked, right)
        lines.append(f"| {name} | {len(documents):,} | {len(asked)} | {rival} | {recall:.2f} | {rank:.2f} |\n")
    return lines


def shown_line(name: str, kind: str, index: Index, encode: Encode, least: float, asked: Sequence[Thread]) -> str:
    """Return how often anything is shown at all."""
    search = by_index(index, kind, encode, least, 3)
    shown = [len(search(one)) for one in asked]
    any_, mean = np.mean([count > 0 for count in shown]), np.mean(shown)
    return f"| {name} | {len(asked)} | {least:.2f} | {any_:.0%} | {mean:.1f} |\n"


def foreign_questions(data: Path) -> list[Thread]:
    """Return customers' questions to a bank: no answer about a browser suits them."""
    rows = list(read_rows(data / "banking77/train.jsonl.gz"))
    every = max(1, len(rows) // FOREIGN)
    return [Thread(f"bank-{n}", row["text"], row["text"], "", frozenset()) for n, row in enumerate(rows[::every])]


def tables(data: Path, encode: Encode) -> str:
    """Return both tables."""
    threads = threads_of(data)
    tasks = {"answer": answers(threads), "similar": similar(threads)}
    parts = ["| task | documents | questions | search | recall@3 | MRR |\n| --- | --- | --- | --- | --- | --- |\n"]
    for name, task in tasks.items():
        parts += lines_of(name, task, encode)
    parts.append("\n| questions | n | shown from | anything shown | on average |\n| --- | --- | --- | --- | --- |\n")
    foreign = foreign_questions(data)
    newest = threads[int(len(threads) * OLDER) :]
    for name, kind, least in (("answer", ARTICLE, LEAST_ARTICLE), ("similar", TICKET, LEAST_TICKET)):
        index = index_of(tasks[name][0], encode)
        parts.append(shown_line(f"about the product, {kind}s", kind, index, encode, least, newest))
        parts.append(shown_line(f"a bank's, {kind}s", kind, index, encode, least, foreign))
    return "".join(parts)


def main() -> None:
    """Print the tables and put them between the marks of the page."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", type=Path)
    reader.add_argument("--out", type=Path)
    asked = reader.parse_args()
    found = tables(asked.data, CachedEncoder(UseEncoder(), CACHE).encode)
    sys.stdout.write(found)
    if asked.out:
        page = asked.out.read_text("utf-8")
        before, rest = page.split(START)
        asked.out.write_text(before + START + "\n" + found + END + rest.split(END)[1], "utf-8")


if __name__ == "__main__":
    main()
