"""Cells of CSV files that a spreadsheet shows and does not carry out. Pure."""

from __future__ import annotations

import re

# What is taken for a formula, at the beginning of a cell and after the separator of some countries
# (https://owasp.org/www-community/attacks/CSV_Injection); the last four are theirs in full width.
FORMULA = re.compile(r"(^[\t\r\n]|(?:^|;)\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def safe_cell(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula."""
    return FORMULA.sub(_quoted, text)


def _quoted(found: re.Match[str]) -> str:
    return f";'{found[1][1:]}" if found[1].startswith(";") else f"'{found[1]}"
