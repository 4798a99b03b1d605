"""Logging for every process: ids and plain words on one line, to standard output, for people or as JSON."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

Style = Literal["text", "json"]
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# Also what no terminal may be told by a value.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Libraries that log addresses or bodies at INFO, or two lines a task where our own line says more.
QUIET = (
    "alembic",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.strategy",
    "httpcore2",
    "httpx2",
    "openai",
    "urllib3",
)
_ids: ContextVar[Mapping[str, str | int]] = ContextVar("ids", default={})  # noqa: B039 - never changed in place


@contextmanager
def about(**ids: str | int) -> Iterator[None]:
    """Name what the block works on (delivery, run, desk, ticket) in each of its log lines written as JSON."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


class LineFormatter(logging.Formatter):
    """One line for people; below it, of an exception, where it happened and its kind."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        """Return the line: what a value brings along cannot begin another one."""
        return CONTROL.sub(lambda found: repr(found[0])[1:-1], super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class's name
        """Return the places in the code; the exception's own text may hold what a customer wrote."""
        kind, _, where = ei
        return "".join(traceback.format_tb(where)) + (kind.__name__ if kind else "")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the ids of `about`; of an exception only its kind."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_ids.get(),
        }
        if record.exc_info and record.exc_info[0]:
            # Its text may hold what a customer wrote.
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


class Lines(logging.StreamHandler[TextIO]):
    """Writes each line at once and without a lock: threads that wait for each other to log cost more than the line."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one piece, which the stream does not mix with another."""
        try:
            self.stream.write(self.format(record) + self.terminator)
            self.stream.flush()
        except Exception:  # as the standard handlers: what cannot be logged must not end what is logged about
            self.handleError(record)


def configure_logging(level: str, style: Style = "text") -> None:
    """Send everything from `level` up to standard output."""
    handler = Lines(sys.stdout)
    handler.setFormatter(JsonFormatter() if style == "json" else LineFormatter(FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Waitress warns of every request that waits for a thread.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
