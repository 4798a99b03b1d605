"""Keep each desk's knowledge in step with its help centre, its solved tickets and its folder of Markdown files.

A round walks everything there is, a few calls a tick; what a whole round has not shown is deleted, so an article that
was unpublished or made internal goes with the next round. Solved tickets go on where the last round stood.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.base import Article, Changed, Connector
from triage.classify.encoder import Encoder
from triage.errors import FeatureOff, Retry, TandemError, Wait
from triage.knowledge.documents import MAX_TITLE, Document, keep, language_of, of_html, storable
from triage.knowledge.folder import FolderError, read_folder
from triage.settings import Desk, Mode, Settings
from triage.sources import ARTICLE, FILE, TICKET
from triage.store import Store
from triage.store.knowledge import NewDocument, NewPassage
from triage.ticket import Status
from workers.solved import document_of, take_solved

logger = logging.getLogger(__name__)
CALLS_A_TICK = 20
"""Steps of one kind on one desk: pages of articles, or replies of solved tickets. A tick comes every minute."""
TICK_SECONDS = 40.0
"""Reading new articles takes the encoder some seconds a page."""
LEASE_SECONDS = 600.0
# A help centre that is not read to its end by then has none: a list that goes in circles.
LONGEST_ROUND = 86_400.0
NO_END = "the help centre's list of articles did not end within a day; it is read anew"
LOOK_AGAIN_AFTER = 7 * 86_400.0
LOOKED_AT_AGAIN = 20
"""Solved tickets looked at again at the end of a round: 480 a day at a round an hour."""
OFF = "switched off"
SOLVED_STATUSES = {Status.SOLVED, Status.CLOSED}

Clock = Callable[[], float]


@dataclass(frozen=True)
class Room:
    """What reading one desk needs."""

    name: str
    desk: Desk
    connector: Connector
    store: Store
    encoder: Encoder
    calls: int = CALLS_A_TICK
    clock: Clock = time.time


def sync_due(settings: Settings, store: Store, open_: Callable[[str], Room], now: float) -> None:
    """Go on with each desk's rounds, and begin those whose interval has passed; one desk's trouble is its own."""
    for name, desk in settings.desks.items():
        for kind in (ARTICLE, FILE, TICKET):
            found = store.knowledge.round(name, kind)
            over = found.started_at is None
            if desk.mode is Mode.OFF or (over and now - (found.finished_at or 0) < desk.knowledge.every * 60 - 1):
                continue
            try:
                sync(open_(name), kind)
            except Wait as wait:
                logger.info("knowledge: desk=%s kind=%s waits: %s", name, kind, wait)
            except TandemError as error:
                logger.warning("knowledge: desk=%s kind=%s: %s", name, kind, error)
            except Exception as error:  # an answer nobody foresaw is that desk's trouble alone
                logger.error("knowledge: desk=%s kind=%s: unexpected %s", name, kind, type(error).__name__)


def sync(room: Room, kind: str) -> bool:
    """Take one tick's steps of a round; returns whether the round is over. Nothing happens while another is at it."""
    rounds, now = room.store.knowledge, room.clock()
    if not rounds.claim(room.name, kind, now + LEASE_SECONDS, now):
        return False
    try:
        if reason := _off(room, kind):
            return _close(room, kind, reason)
        started = rounds.round(room.name, kind).started_at
        if started is None:
            started = now
            rounds.save(room.name, kind, started_at=now)
        if kind == ARTICLE and now - started > LONGEST_ROUND:
            return _finish(room, kind, reason=NO_END)
        return _READERS[kind](room, started)
    except FeatureOff as error:
        if kind != FILE and rounds.round(room.name, kind).cursor:
            # Refused in the middle: a cursor that has grown old, a folder that was deleted. The next round tells.
            return _finish(room, kind, reason=str(error))
        # What cannot be checked any more is not shown any more.
        return _close(room, kind, str(error))
    except (Wait, Retry):
        # The round goes on with the next tick.
        raise
    except TandemError as error:
        _finish(room, kind, reason=str(error))
        raise
    finally:
        rounds.save(room.name, kind, lease_until=0.0)


def _off(room: Room, kind: str) -> str:
    """Return why this kind is not read on the desk, empty where it is."""
    wanted = room.desk.knowledge
    on = {ARTICLE: wanted.articles, FILE: bool(folder_of(room)), TICKET: wanted.tickets}
    return "" if on[kind] else OFF


def folder_of(room: Room) -> str:
    """Return the folder of the settings, else the one that was named by hand, which the round's cursor remembers."""
    return room.desk.knowledge.folder or room.store.knowledge.round(room.name, FILE).cursor


def remember_folder(room: Room, folder: str) -> None:
    """Read `folder` from now on, where the settings name none; empty forgets it and its files with the next round."""
    now = room.clock()
    room.store.knowledge.claim(room.name, FILE, now, now)
    room.store.knowledge.save(room.name, FILE, cursor=folder, started_at=None)


def _close(room: Room, kind: str, reason: str) -> bool:
    """End a round for which there is nothing to read, and forget what earlier ones have found."""
    now = room.clock()
    dropped = room.store.knowledge.drop_unseen(room.name, kind, now + 1, now)
    if dropped:
        logger.info("knowledge: desk=%s kind=%s: %d documents forgotten", room.name, kind, dropped)
    room.store.knowledge.save(room.name, kind, cursor="", started_at=None, finished_at=now, reason=reason)
    return True


def _finish(room: Room, kind: str, cursor: str = "", reason: str = "") -> bool:
    now = room.clock()
    room.store.knowledge.save(room.name, kind, cursor=cursor, started_at=None, finished_at=now, reason=reason)
    return True


def _read_articles(room: Room, started: float) -> bool:
    """Walk on through the help centre; at its end forget what it has not shown."""
    rounds = room.store.knowledge
    until = room.clock() + TICK_SECONDS
    for _ in range(room.calls):
        if room.clock() > until:
            break
        cursor = rounds.round(room.name, ARTICLE).cursor
        page = room.connector.articles(cursor)
        put_all(room, [_article(one) for one in page.articles])
        if not page.more:
            rounds.drop_unseen(room.name, ARTICLE, started, room.clock())
            return _finish(room, ARTICLE)
        rounds.save(room.name, ARTICLE, cursor=page.cursor, lease_until=room.clock() + LEASE_SECONDS)
    return False


def _article(one: Article) -> Document:
    body = of_html(one.html)
    return Document(
        kind=ARTICLE,
        key=f"{one.id}:{one.language}",
        group=one.id,
        language=language_of(one.language, f"{one.title}\n{body}"),
        title=storable(" ".join(one.title.split()))[:MAX_TITLE],
        path=one.path,
        body=body,
        stamp=one.updated_at,
    )


def _read_folder(room: Room, started: float) -> bool:
    """Read the whole folder: files cost no calls. A folder that is away is an error, not an empty one."""
    folder = folder_of(room)
    # The settings need no reminder, and forget a folder by no longer naming it.
    kept = "" if room.desk.knowledge.folder else folder
    try:
        found = read_folder(Path(folder))
    except FolderError as error:
        return _finish(room, FILE, kept, reason=str(error))
    put_all(room, found.documents)
    # A file that cannot be read now is not known to be gone.
    room.store.knowledge.seen(room.name, FILE, list(found.refused), room.clock())
    room.store.knowledge.drop_unseen(room.name, FILE, started, room.clock())
    refused = "; ".join(f"{key} {why}" for key, why in found.refused.items())
    return _finish(room, FILE, kept, reason=refused)


def _read_tickets(room: Room, _started: float) -> bool:
    rounds = room.store.knowledge
    earliest = room.clock() - room.desk.knowledge.tickets_days * 86_400
    cursor = rounds.round(room.name, TICKET).cursor
    for past, following, over in take_solved(room.connector, room.store, room.name, cursor, earliest, room.calls):
        put_all(room, [document_of(one, replies, room.desk.url) for one, replies in past])
        rounds.save(room.name, TICKET, cursor=following, lease_until=room.clock() + LEASE_SECONDS)
        if over:
            rounds.drop_older(room.name, TICKET, earliest, room.clock())
            _look_again(room)
            return _finish(room, TICKET, cursor=following)
    return False


def _look_again(room: Room) -> None:
    """Forget some of the longest unseen tickets if they are no longer solved: Freshdesk lists no deleted tickets."""
    kept, now = room.store.knowledge, room.clock()
    keys = kept.least_seen(room.name, TICKET, now - LOOK_AGAIN_AFTER, LOOKED_AT_AGAIN)
    if not keys:
        return
    there = {past.ticket.id for past in room.connector.past(keys) if past.ticket.status in SOLVED_STATUSES}
    kept.drop(room.name, TICKET, set(keys) - there, now)
    kept.seen(room.name, TICKET, there, now)


_READERS: dict[str, Callable[[Room, float], bool]] = {
    ARTICLE: _read_articles,
    FILE: _read_folder,
    TICKET: _read_tickets,
}


def put_all(room: Room, documents: Sequence[Document]) -> int:
    """Keep what is new or has changed, and note that the rest is still there; returns how many were encoded."""
    kept, now = room.store.knowledge, room.clock()
    changed = 0
    by_kind: dict[str, list[Document]] = {}
    for document in documents:
        by_kind.setdefault(document.kind, []).append(document)
    for kind, some in by_kind.items():
        known = kept.known(room.name, kind, [one.key for one in some])
        kept.seen(room.name, kind, list(known), now)
        for one in some:
            fingerprint = one.fingerprint(room.encoder.model_id)
            stamp, print_ = known.get(one.key, ("", ""))
            if print_ != fingerprint:
                kept.put(room.name, _new(one, fingerprint, now), _passages(one, room.encoder), now)
                changed += 1
            elif stamp != one.stamp:
                kept.restamp(room.name, kind, one.key, one.stamp)
    return changed


def _new(one: Document, fingerprint: str, now: float) -> NewDocument:
    return NewDocument(
        kind=one.kind,
        key=one.key,
        group=one.group,
        language=one.language[:10],
        title=one.title,
        path=one.path,
        stamp=one.stamp,
        fingerprint=fingerprint,
        created_at=one.created_at or now,
    )


def _passages(one: Document, encoder: Encoder) -> list[NewPassage]:
    rows = keep(one, encoder.encode)
    return [
        NewPassage(row.part, row.text, encoder.model_id, encoder.dim, row.vector, row.scale, row.words) for row in rows
    ]


def forget_reopened(store: Store, name: str, tickets: Sequence[Changed]) -> None:
    """Forget solved tickets that are open again, deleted or spam; a look at each page of changed tickets, no call."""
    store.knowledge.drop(name, TICKET, [t.ticket_id for t in tickets if t.status not in SOLVED_STATUSES], time.time())
