"""Logging for every process: ids and plain words on one line, to standard output."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
# Libraries that log addresses or bodies at INFO.
QUIET = ("httpx2", "httpcore2", "openai", "urllib3", "alembic")


def configure_logging(level: str) -> None:
    """Send everything from `level` up to standard output."""
    logging.basicConfig(level=level.upper(), format=FORMAT, stream=sys.stdout, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
