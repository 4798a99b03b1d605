"""What `finetune` remembers of the job it started: ids only."""

from __future__ import annotations

import json
from typing import Any

from commands.shared import DATA
from triage.errors import SettingsError

STATE = DATA / "finetune.json"
LONGEST = 300
DAMAGED = "{state} cannot be read; delete it to forget the job"


def read_state() -> dict[str, Any]:
    """Return the state, {} where there is none: `job`, `status`, `model`, `files` (hash of content -> id)."""
    if not STATE.exists():
        return {}
    try:
        return dict(json.loads(STATE.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise SettingsError(DAMAGED.format(state=STATE)) from None


def keep_state(state: dict[str, Any]) -> None:
    """Replace the state at once: a torn file would lose the job."""
    STATE.parent.mkdir(parents=True, exist_ok=True)
    draft = STATE.with_name(STATE.name + ".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(state), encoding="utf-8")
    draft.replace(STATE)


def plain(text: object) -> str:
    """Return what the vendor says on one line, without what a terminal would obey."""
    return "".join(character for character in str(text)[:LONGEST] if character.isprintable())
