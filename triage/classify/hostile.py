"""Make text from a model fit to be shown: it may repeat whatever a ticket told the model to say."""

from __future__ import annotations

import re

LINK = "[link removed]"

_TAG = re.compile(r"<[^<>]{0,500}>")
_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\([^()]{0,500}\)")
_URL = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}:(?://)?|//|\bwww\.)[^\s<>\"')]*[./@][^\s<>\"')]*", re.IGNORECASE)
# Mail programs make a link of a bare host name too.
_HOST = re.compile(
    r"(?:[\w.+-]{1,64}@)?\b(?:[A-Za-z0-9-]{1,63}\.){1,5}"
    r"(?:com|net|org|io|co|info|biz|app|dev|ru|cn|xyz|top|de|fr|es|br|pt|uk|eu)\b(?:/\S*)?"
)
_SCRIPT = re.compile(r"\b(?:javascript|vbscript|data):", re.IGNORECASE)
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def harmless(text: str, longest: int) -> str:
    """Return `text` without control characters, HTML and links, at most `longest` characters."""
    # Bounded before the patterns run: an answer of a megabyte must not cost a second.
    text = _CONTROL.sub("", text[: 4 * longest])
    text = _MARKDOWN_LINK.sub(r"\1", _TAG.sub("", text)).replace("<", "").replace(">", "")
    text = _SCRIPT.sub(" ", _HOST.sub(LINK, _URL.sub(LINK, text)))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]{2,}", " ", text)).strip()[:longest].rstrip()
