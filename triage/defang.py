"""Other people's words in a note: no address in them can be clicked, no quotation mark closed. Pure.

Both helpdesks make a link of whatever looks like an address, wherever it stands in a note.
"""

from __future__ import annotations

import re

_SCHEME = re.compile(r":(?=//)|\b(mailto|javascript|vbscript|data|tel|sms|callto|skype):(?=\S)", re.IGNORECASE)
_AT = re.compile(r"(?<=[^\s\[])[@\uff20](?=\S)")
_DOT = re.compile(r"[.\uff0e\uff61\u3002]")
_LABEL = r"[\w\u00ad\u200c\u200d-]+"
# The ideographic full stop ends sentences, too: it counts where Latin letters follow.
_HOST = re.compile(
    rf"(?<![\w-])(?:{_LABEL}(?:[.\uff0e\uff61]|\u3002(?=[A-Za-z0-9])))+"
    r"(?P<last>xn--[A-Za-z0-9-]+|[^\W\d_]{2,24})(?!\w)"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?=[:/])"
)
# None of them is a top-level domain.
_FILE = re.compile(
    r"avi|bmp|cer|conf|csv|dat|dll|docx?|eml|exe|gif|gz|heic|html?|ico|ics|ini|jpe?g|js|json|log|msg|odt|pdf|pem|php|png"
    r"|pptx?|psd|rar|rtf|sql|svg|tar|tiff?|txt|webp|xlsx?|xml|ya?ml",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"[/@\uff20]")
# Zendesk fills in {{ticket...}} wherever an agent's comment holds it.
_PLACEHOLDER = re.compile(r"\{(?=[{%])")
_MARKS = re.compile("[“”„‟«»〝〞＂]")


def defanged(text: str) -> str:
    """Return `text` with addresses that nobody can click: `https[:]//evil[.]example`, `ada[@]customer[.]example`.

    Names of files stay as they are.
    """
    text = _PLACEHOLDER.sub("{ ", _SCHEME.sub(lambda found: f"{found[1] or ''}[:]", text))
    return _AT.sub("[@]", _HOST.sub(_dots, text))


def unclosed(text: str) -> str:
    """Return `text` without quotation marks that would end the quotation it stands in."""
    return _MARKS.sub('"', text)


def _dots(found: re.Match[str]) -> str:
    before, after = found.string[max(0, found.start() - 2) : found.start()], found.string[found.end() : found.end() + 1]
    is_file = _FILE.fullmatch(found["last"] or "") and not _IN_ADDRESS.search(before + after)
    return found[0] if is_file else _DOT.sub("[.]", found[0])
