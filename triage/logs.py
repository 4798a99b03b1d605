"""Logging for every process: ids and plain words on one line, to standard output."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
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


def configure_logging(level: str) -> None:
    """Send everything from `level` up to standard output."""
    logging.basicConfig(level=level.upper(), format=FORMAT, stream=sys.stdout, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
