"""What a desk knows: documents, their passages with vectors and words, and how far each round of reading is.

Rounds are how deletion is followed: what a whole round has not shown is gone. Any number of processes may read; one at
a time writes for a desk and kind, under a lease.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from triage.store.engine import insert_into, reader_of
from triage.store.marks import Cursors
from triage.store.tables import knowledge_documents as documents
from triage.store.tables import knowledge_passages as passages
from triage.store.tables import knowledge_rounds as rounds

VERSION = "knowledge"
"""The mark that changes whenever a desk's documents do."""
REASON_LENGTH = 300
BATCH = 500


@dataclass(frozen=True)
class NewDocument:
    """A document to keep; `key` is unique for desk and kind."""

    kind: str
    key: str
    group: str
    language: str
    title: str
    path: str
    stamp: str
    fingerprint: str
    created_at: float


@dataclass(frozen=True)
class NewPassage:
    """One row of a document; vector and words are opaque here."""

    part: int
    text: str
    encoder: str
    dim: int
    vector: bytes
    scale: float
    words: bytes


@dataclass(frozen=True)
class KeptDocument:
    """A document as it is known, without its passages."""

    id: int
    kind: str
    key: str
    group: str
    language: str
    title: str
    path: str


@dataclass(frozen=True)
class Round:
    """How far reading is; `started_at` is None while no round is under way."""

    cursor: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    reason: str = ""


class Knowledge:
    """Keeps and finds documents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)
        self._marks = Cursors(engine)

    def version(self, desk: str) -> str:
        """Return a text that is another one after every change of the desk's documents."""
        found = self._marks.get(desk, VERSION)
        return found[0] if found else ""

    def known(self, desk: str, kind: str, keys: Collection[str]) -> dict[str, tuple[str, str]]:
        """Return stamp and fingerprint of those documents that are kept, by key."""
        query = select(documents.c.key, documents.c.stamp, documents.c.fingerprint).where(
            documents.c.desk == desk, documents.c.kind == kind, documents.c.key.in_(list(keys))
        )
        with self._reader.connect() as connection:
            return {row.key: (row.stamp, row.fingerprint) for row in connection.execute(query)}

    def seen(self, desk: str, kind: str, keys: Collection[str], now: float) -> None:
        """Write down that the source still shows these documents, unchanged."""
        mine = documents.c.desk == desk, documents.c.kind == kind, documents.c.key.in_(list(keys))
        with self._engine.begin() as connection:
            connection.execute(update(documents).where(*mine).values(seen_at=now))

    def restamp(self, desk: str, kind: str, key: str, stamp: str) -> None:
        """Write down that the source has changed a document without changing what we keep of it."""
        mine = documents.c.desk == desk, documents.c.kind == kind, documents.c.key == key
        with self._engine.begin() as connection:
            connection.execute(update(documents).where(*mine).values(stamp=stamp))

    def put(self, desk: str, document: NewDocument, found: Sequence[NewPassage], now: float) -> None:
        """Keep `document` with its passages in place of what was known of it."""
        values = {
            "group_key": document.group,
            "language": document.language,
            "title": document.title,
            "path": document.path,
            "stamp": document.stamp,
            "fingerprint": document.fingerprint,
            "created_at": document.created_at,
            "seen_at": now,
        }
        key = {"desk": desk, "kind": document.kind, "key": document.key}
        with self._engine.begin() as connection:
            row = connection.execute(
                insert_into(self._engine, documents)
                .values(**key, **values)
                .on_conflict_do_update(index_elements=list(key), set_=values)
                .returning(documents.c.id)
            ).one()
            connection.execute(delete(passages).where(passages.c.document_id == row.id))
            if found:
                rows = [{"document_id": row.id, "place": place, **vars(one)} for place, one in enumerate(found)]
                connection.execute(insert(passages), rows)
        self._changed(desk, now)

    def drop(self, desk: str, kind: str, keys: Collection[str], now: float) -> int:
        """Forget these documents; returns how many there were."""
        return self._drop(desk, now, documents.c.kind == kind, documents.c.key.in_(list(keys))) if keys else 0

    def drop_unseen(self, desk: str, kind: str, since: float, now: float) -> int:
        """Forget what the source has not shown since then; returns how many."""
        return self._drop(desk, now, documents.c.kind == kind, documents.c.seen_at < since)

    def drop_older(self, desk: str, kind: str, before: float, now: float) -> int:
        """Forget what was created before then; returns how many."""
        return self._drop(desk, now, documents.c.kind == kind, documents.c.created_at < before)

    def _drop(self, desk: str, now: float, *which: Any) -> int:
        dropped = 0
        while True:
            with self._engine.begin() as connection:
                query = select(documents.c.id).where(documents.c.desk == desk, *which).limit(BATCH)
                ids = list(connection.execute(query).scalars())
                _delete(connection, ids)
            dropped += len(ids)
            if len(ids) < BATCH:
                break
        if dropped:
            self._changed(desk, now)
        return dropped

    def _changed(self, desk: str, now: float) -> None:
        self._marks.set(desk, VERSION, secrets.token_hex(8), now)

    def documents(self, desk: str) -> list[KeptDocument]:
        """Return all documents of `desk`, in the order of their ids."""
        columns = documents.c.id, documents.c.kind, documents.c.key, documents.c.group_key.label("group")
        more = documents.c.language, documents.c.title, documents.c.path
        query = select(*columns, *more).where(documents.c.desk == desk).order_by(documents.c.id)
        with self._reader.connect() as connection:
            return [KeptDocument(**row) for row in connection.execute(query).mappings()]

    def rows(self, desk: str, encoder: str) -> list[tuple[int, int, int, bytes, float, bytes]]:
        """Return document, passage, part, vector, scale and words of each passage, by document, part and place."""
        columns = passages.c.document_id, passages.c.id, passages.c.part, passages.c.vector, passages.c.scale
        query = (
            select(*columns, passages.c.words)
            .join(documents, documents.c.id == passages.c.document_id)
            .where(documents.c.desk == desk, passages.c.encoder == encoder)
            .order_by(passages.c.document_id, passages.c.part, passages.c.place)
        )
        with self._reader.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def texts(self, passage_ids: Collection[int]) -> dict[int, str]:
        """Return the texts of some passages by id; one that was replaced meanwhile is left out."""
        query = select(passages.c.id, passages.c.text).where(passages.c.id.in_(list(passage_ids)))
        with self._reader.connect() as connection:
            return {row.id: row.text for row in connection.execute(query)}

    def least_seen(self, desk: str, kind: str, before: float, limit: int) -> list[str]:
        """Return the keys of documents that were not seen since `before`, the longest unseen first."""
        mine = documents.c.desk == desk, documents.c.kind == kind, documents.c.seen_at < before
        query = select(documents.c.key).where(*mine).order_by(documents.c.seen_at).limit(limit)
        with self._reader.connect() as connection:
            return list(connection.execute(query).scalars())

    def counts(self, desk: str) -> dict[str, tuple[int, int]]:
        """Return how many documents and passages there are of each kind."""
        inner = (
            select(documents.c.kind, documents.c.id, func.count(passages.c.id).label("rows"))
            .outerjoin(passages, passages.c.document_id == documents.c.id)
            .where(documents.c.desk == desk)
            .group_by(documents.c.kind, documents.c.id)
            .subquery()
        )
        query = (
            select(inner.c.kind, func.count(), func.sum(inner.c.rows)).where(inner.c.rows > 0).group_by(inner.c.kind)
        )
        with self._reader.connect() as connection:
            return {kind: (int(count), int(total)) for kind, count, total in connection.execute(query)}

    def round(self, desk: str, kind: str) -> Round:
        """Return how far reading is."""
        columns = rounds.c.cursor, rounds.c.started_at, rounds.c.finished_at, rounds.c.reason
        with self._reader.connect() as connection:
            row = connection.execute(select(*columns).where(*_of(desk, kind))).mappings().one_or_none()
        return Round(**row) if row else Round()

    def claim(self, desk: str, kind: str, until: float, now: float) -> bool:
        """Take the lease of a round until `until`; False while somebody else holds it."""
        new = {"desk": desk, "kind": kind, "cursor": "", "reason": "", "lease_until": 0.0}
        with self._engine.begin() as connection:
            connection.execute(insert_into(self._engine, rounds).values(new).on_conflict_do_nothing())
            free = update(rounds).where(*_of(desk, kind), rounds.c.lease_until < now).values(lease_until=until)
            return connection.execute(free).rowcount == 1

    def save(self, desk: str, kind: str, **values: Any) -> None:
        """Change the row of a round: cursor, started_at, finished_at, reason, lease_until."""
        if "reason" in values:
            values["reason"] = str(values["reason"])[:REASON_LENGTH]
        with self._engine.begin() as connection:
            connection.execute(update(rounds).where(*_of(desk, kind)).values(**values))


def _of(desk: str, kind: str) -> tuple[Any, Any]:
    return rounds.c.desk == desk, rounds.c.kind == kind


def _delete(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(delete(passages).where(passages.c.document_id.in_(ids)))
    connection.execute(delete(documents).where(documents.c.id.in_(ids)))
