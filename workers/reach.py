"""Whether our own webhook address answers where the helpdesk would call it, asked from here."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.error import HTTPError, URLError

SECONDS = 5.0
MAX_BYTES = 4096
UNPROVEN = 401
NO_DESK = 404


class Answer(StrEnum):
    """What answered."""

    READY = "ready"
    """Tandem, and it knows the desk."""
    NO_DESK = "no desk"
    """Tandem, and it does not know the desk (yet)."""
    STRANGER = "stranger"
    """Something else."""
    NOBODY = "nobody"


@dataclass(frozen=True)
class Reached:
    """What answered at an address, and its words."""

    answer: Answer
    said: str = ""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nowhere: a helpdesk would not either."""


def reach(url: str) -> Reached:
    """Return what answers at a desk's webhook address to a call that proves nothing: 401 from us, 404 without desk."""
    request = urllib.request.Request(url, data=b"{}", headers={"Content-Type": "application/json"})  # noqa: S310  # nosec B310
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=SECONDS) as response:
            return Reached(Answer.STRANGER, f"answered {response.status}")
    except HTTPError as error:
        return _judged(error.code, error.read(MAX_BYTES))
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Reached(Answer.NOBODY, str(reason) or type(error).__name__)


def _judged(status: int, body: bytes) -> Reached:
    try:
        said = json.loads(body).get("error", "")
    except (ValueError, AttributeError):
        said = ""
    if status == UNPROVEN and said.startswith("no s"):
        return Reached(Answer.READY)
    if status == NO_DESK and said == "no such desk":
        return Reached(Answer.NO_DESK)
    return Reached(Answer.STRANGER, f"answered {status}")
