"""The answers of `classify` while it is at work: asked for in threads, kept in a file that outlives an interruption."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

import click

from triage.classification import Classification
from triage.ticket import Ticket

OTHER_WORK = "{file} is of another input, classifier or settings: begun anew"
STOPPING = "\nstopping: the answers under way are waited for, they are paid for"
GOING_ON = "going on with {file}: {count} tickets are answered already"


@dataclass(frozen=True)
class Answer:
    """One row as it goes out, and what it took."""

    row: str
    """JSON."""
    day: str
    """On which it was given, ISO."""
    by_model: bool
    tokens_in: int
    tokens_out: int
    cost_usd: float
    reason: str
    """Why a model did not answer, "" where it did or none was asked."""

    @classmethod
    def of(cls, said: Classification, row: dict[str, Any], day: str) -> Self:
        """Return what is kept of `said`."""
        by_model = said.classifier.startswith("llm")
        paid = said.tokens_in, said.tokens_out, said.cost_usd
        return cls(json.dumps(row, ensure_ascii=False), day, by_model, *paid, said.fallback_reason or "")

    @property
    def worth_keeping(self) -> bool:
        """Say whether asking again would cost; what a model did not answer for nothing is asked again."""
        return not self.reason or bool(self.tokens_in or self.tokens_out)


@dataclass
class Bill:
    """What a batch took; a model that gave nothing usable is paid too, and has not answered."""

    tickets: int = 0
    by_model: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    today_usd: float = 0.0
    """Of it, what was spent on the day it is."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why a model did not answer, and how often."""

    def add(self, answer: Answer, today: str) -> None:
        """Count one answer."""
        self.tickets += 1
        self.by_model += answer.by_model
        self.tokens_in += answer.tokens_in
        self.tokens_out += answer.tokens_out
        self.cost_usd += answer.cost_usd
        self.today_usd += answer.cost_usd if answer.day == today else 0.0
        if answer.reason:
            self.reasons[answer.reason] += 1

    def __str__(self) -> str:
        share = self.by_model / self.tickets if self.tickets else 0.0
        return (
            f"{self.tickets} tickets classified, {self.by_model} ({share:.0%}) by the language model: "
            f"{self.tokens_in} tokens in, {self.tokens_out} out, {self.cost_usd:.4f} USD"
        )


class Answers:
    """Answers by the place of their row; those of `file` first, where it belongs to the same `work`."""

    def __init__(self, file: Path | None, work: str, say: Callable[[str], None]) -> None:
        self.by_place: dict[int, Answer] = {}
        self._file, self._work = file, work
        if file and file.exists():
            found = _read(file, work)
            say(OTHER_WORK.format(file=file) if found is None else GOING_ON.format(file=file, count=len(found)))
            self.by_place = found or {}
        self._out: TextIO | None = None

    def __enter__(self) -> Self:
        if self._file:
            self._out = self._file.open("a" if self.by_place else "w", encoding="utf-8")
            # After a line that was cut short, too.
            self._write({"work": self._work} if not self.by_place else {})
        return self

    def __exit__(self, *_: object) -> None:
        if self._out:
            self._out.close()

    @property
    def kept(self) -> bool:
        """Say whether a later start can go on."""
        return self._file is not None

    def add(self, place: int, answer: Answer) -> None:
        """Keep `answer`, once."""
        self.by_place[place] = answer
        if answer.worth_keeping:
            self._write({"place": place, **asdict(answer)})

    def _write(self, line: dict[str, Any]) -> None:
        if self._out:
            self._out.write(f"{json.dumps(line) if line else ''}\n")
            self._out.flush()

    def whole(self, target: Path, *, replace: bool) -> None:
        """Write all rows to `target` in their order, at once where it is a file to `replace`."""
        draft = target.with_name(target.name + ".new") if replace else target
        with draft.open("w", encoding="utf-8") as out:
            out.writelines(f"{self.by_place[place].row}\n" for place in sorted(self.by_place))
        if replace:
            draft.replace(target)
        if self._file:
            self._file.unlink(missing_ok=True)


def _read(file: Path, work: str) -> dict[int, Answer] | None:
    """Return the answers of `file`, None where it is of other work; a line cut short is left out."""
    found = {}
    with file.open(encoding="utf-8", errors="replace") as lines:
        if lines.readline() != json.dumps({"work": work}) + "\n":
            return None
        for line in lines:
            with suppress(ValueError, TypeError, KeyError):
                known = json.loads(line)
                place = int(known.pop("place"))
                found[place] = Answer(**known)
    return found


def ask_all(
    tickets: Mapping[int, Ticket],
    classify: Callable[[Ticket], Classification],
    threads: int,
    take: Callable[[int, Classification], None],
) -> None:
    """Hand the answer to each ticket to `take` as it comes.

    Stopped by an error or by Ctrl-C it begins no other ticket, and hands over those under way when they are done.
    """
    pool = ThreadPoolExecutor(threads)
    waiting = {pool.submit(classify, ticket): place for place, ticket in tickets.items()}
    try:
        for done in as_completed(list(waiting)):
            take(waiting[done], done.result())
            del waiting[done]
    except KeyboardInterrupt:
        click.echo(STOPPING, err=True)
        raise
    finally:
        # They are paid for.
        pool.shutdown(cancel_futures=True)
        for done, place in waiting.items():
            if not done.cancelled() and not done.exception():
                take(place, done.result())
