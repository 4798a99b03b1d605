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
from typing import Any, Literal

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


def configure_logging(level: str, style: Style = "text") -> None:
    """Send everything from `level` up to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if style == "json" else LineFormatter(FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
