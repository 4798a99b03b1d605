"""What every section of `tandem.yaml` is made of."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MINUTES = {"m": 1, "h": 60, "d": 1440}
# A year: what is promised for later is no service level.
LONGEST_TARGET = 366 * 1440


def parse_minutes(value: Any) -> Any:
    """Return the minutes of `15m`, `4h`, `7d` or a plain number."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d{1,6})\s*([mhd])?\s*", value)
        if not found:
            raise ValueError("is no duration; write it like 15m, 4h or 7d")
        return int(found[1]) * MINUTES[found[2] or "m"]
    return value


Minutes = Annotated[int, BeforeValidator(parse_minutes), Field(ge=1)]
Target = Annotated[int, BeforeValidator(parse_minutes), Field(ge=1, le=LONGEST_TARGET)]


class Section(BaseModel):
    """A part of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
