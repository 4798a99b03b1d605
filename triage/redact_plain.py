"""A text as the finders read it: digits and signs of other scripts and widths as ASCII, one character for each."""

from __future__ import annotations

import unicodedata
from typing import Final

_SPACES: Final = frozenset("\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
_HYPHENS: Final = frozenset("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d")
_WIDE_FIRST, _WIDE_LAST, _WIDE_SHIFT = 0xFF01, 0xFF5E, 0xFEE0
"""The fullwidth forms stand in the order of ASCII (Unicode block U+FF00)."""


class _Table(dict[int, int]):
    """Character -> character, worked out once for each that occurs."""

    def __missing__(self, code: int) -> int:
        self[code] = _plain(code)
        return self[code]


_TABLE: Final = _Table()


def plain(text: str) -> str:
    """Return `text` in the same length, so that places found in it are places in `text`."""
    return text if text.isascii() else text.translate(_TABLE)


def _plain(code: int) -> int:
    character = chr(code)
    if character in _HYPHENS:
        return ord("-")
    if _WIDE_FIRST <= code <= _WIDE_LAST:
        return code - _WIDE_SHIFT
    if character in _SPACES:
        return 0xA0
    digit = unicodedata.decimal(character, None)
    return code if digit is None else ord("0") + digit
