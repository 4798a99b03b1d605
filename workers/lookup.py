"""What a desk knows about a ticket, from an index in memory that follows the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from triage.classify.encoder import Encoder
from triage.clean import clean_ticket
from triage.knowledge.index import Entry, Hit, Index, Query, Rows
from triage.knowledge.relevance import LEAST_ARTICLE, LEAST_TICKET
from triage.knowledge.terms import from_bytes
from triage.settings import Settings
from triage.sources import ARTICLE, FILE, SHOWN, TICKET, Source, Sources, url_of
from triage.store import Store
from triage.ticket import Ticket

logger = logging.getLogger(__name__)
EVERYTHING = float("-inf")
LOOK_EVERY_SECONDS = 30.0
"""An article that was changed or has gone is so in every worker after this time at the latest."""


@dataclass(frozen=True)
class _Shelf:
    version: str
    index: Index
    checked_at: float


class Lookup:
    """Finds sources; one per process, shared by its threads."""

    def __init__(self, store: Store, settings: Callable[[], Settings], encoder: Encoder) -> None:
        self._store = store
        self._current = settings
        self._encoder = encoder
        self._shelves: dict[str, _Shelf] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def find(self, name: str, ticket: Ticket, *, far: bool = False) -> Sources:
        """Return what desk `name` knows about `ticket`; nothing for mail that no person wrote.

        `far`: also what is not close enough for a note, for people who want to see why something is missing.
        """
        index = self.index(name)
        said = clean_ticket(ticket)
        if not index.size or said.automatic or not (said.subject or said.text):
            return Sources()
        query = Query.of(said.subject, said.text, said.language, self._encoder.encode)
        articles = index.search(query, (ARTICLE, FILE), SHOWN, EVERYTHING if far else LEAST_ARTICLE)
        # One more than is shown: the ticket itself may be among them when it is looked at again.
        tickets = index.search(query, (TICKET,), SHOWN + 1, EVERYTHING if far else LEAST_TICKET)
        others = [hit for hit in tickets if hit.entry.key != ticket.id][:SHOWN]
        return self._sources(name, articles, others)

    def index(self, name: str) -> Index:
        """Return the index of desk `name`, at most LOOK_EVERY_SECONDS old.

        While one thread builds a new one the others go on with the old one; only the first is waited for.
        """
        shelf = self._shelves.get(name)
        if shelf and time.monotonic() - shelf.checked_at < LOOK_EVERY_SECONDS:
            return shelf.index
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        if not lock.acquire(blocking=shelf is None):
            assert shelf  # else it would have waited
            return shelf.index
        try:
            return self._refresh(name, self._shelves.get(name))
        finally:
            lock.release()

    def _refresh(self, name: str, shelf: _Shelf | None) -> Index:
        now = time.monotonic()
        if shelf and now - shelf.checked_at < LOOK_EVERY_SECONDS:
            return shelf.index
        # Before the documents: what changes in between is then read again, and never missed.
        version = self._store.knowledge.version(name)
        fresh = shelf.index if shelf and shelf.version == version else load(self._store, name, self._encoder)
        self._shelves[name] = _Shelf(version, fresh, now)
        return fresh

    def _sources(self, name: str, articles: list[Hit], tickets: list[Hit]) -> Sources:
        texts = self._store.knowledge.texts([hit.passage for hit in (*articles, *tickets)])
        url = self._current().desks[name].url
        found = [
            tuple(_source(hit, url, texts[hit.passage]) for hit in hits if hit.passage in texts)
            for hits in (articles, tickets)
        ]
        return Sources(*found)


def load(store: Store, name: str, encoder: Encoder) -> Index:
    """Return the index of everything desk `name` has kept with this encoder's vectors."""
    start = time.perf_counter()
    kept = store.knowledge.rows(name, encoder.model_id)
    documents = {one.id: one for one in store.knowledge.documents(name)}
    # A document that came or went between the two queries is left to the next look.
    rows = [row for row in kept if row[0] in documents and len(row[3]) == encoder.dim]
    order: dict[int, int] = {}
    for row in rows:
        order.setdefault(row[0], len(order))
    entries = [Entry(**vars(documents[number])) for number in order]
    index = Index(
        entries,
        Rows(
            documents=np.asarray([order[row[0]] for row in rows], np.int64),
            parts=np.asarray([row[2] for row in rows], np.int8),
            passages=np.asarray([row[1] for row in rows], np.int64),
            vectors=np.frombuffer(b"".join(row[3] for row in rows), np.int8).reshape(len(rows), encoder.dim),
            scales=np.asarray([row[4] for row in rows], np.float32),
            words=[from_bytes(row[5]) for row in rows],
        ),
    )
    logger.info("knowledge: desk=%s loaded %d passages in %.1f s", name, len(rows), time.perf_counter() - start)
    return index


def _source(hit: Hit, desk_url: str, passage: str) -> Source:
    entry = hit.entry
    return Source(
        kind=entry.kind,
        key=entry.key,
        title=entry.title,
        url=url_of(desk_url, entry.path),
        language=entry.language,
        score=hit.score,
        close=hit.closeness >= (LEAST_TICKET if entry.kind == TICKET else LEAST_ARTICLE),
        passage=passage,
    )
