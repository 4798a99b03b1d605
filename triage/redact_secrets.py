"""Keys, tokens and passwords, and addresses that carry one."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from triage.redact_spans import SECRET, URL, Span
from triage.redact_words import TALK

# How the vendors' own keys begin; each as published in its vendor's documentation.
_KNOWN: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"sk-[A-Za-z0-9_-]{16,200}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,100}|whsec_[A-Za-z0-9+/=]{16,100}"
    r"|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}|glpat-[A-Za-z0-9_-]{16,64}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,200}|xapp-[A-Za-z0-9-]{10,200}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,45}"
    r"|ya29\.[A-Za-z0-9_-]{20,300}|SG\.[A-Za-z0-9_-]{10,40}\.[A-Za-z0-9_-]{20,60}|key-[0-9a-f]{32}|npm_[A-Za-z0-9]{30,60}"
    r"|pypi-[A-Za-z0-9_-]{30,300}|hf_[A-Za-z0-9]{20,60}|dop_v1_[0-9a-f]{40,80}|shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{20,60}"
    r"|EAA[A-Za-z0-9]{60,300}|sq0(?:atp|csp)-[A-Za-z0-9_-]{20,60}|lin_api_[A-Za-z0-9]{20,60}|AC[0-9a-f]{32}"
    r"|eyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{4,4000}(?:\.[A-Za-z0-9_-]{0,1000})?"
    r")"
)
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,30}(?:PRIVATE KEY|CERTIFICATE)[A-Z ]{0,20}-----")
_KEY_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,50}-----")
MAX_KEY: Final = 20_000
_BEARER: Final = re.compile(
    r"(?P<header>\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?)?\b(?:bearer|basic)\s{1,3}"
    r"(?P<value>[A-Za-z0-9._~+/=-]{4,2000})",
    re.IGNORECASE,
)
LEAST_BEARER, LONGEST_PROSE = 12, 23
"""Characters of a token outside a header, and of the longest word that may follow in a sentence."""
_WORDS: Final = (
    r"pass ?words?|passwd|passphrase|pass ?code|pwd|login code|pin(?: ?code)?|otp|one[- ]time code|verification code"
    r"|security code|2fa code|cvv2?|cvc|passw[oö]rt|kennwort|zugangscode|passcode|mot de passe|mdp|code secret"
    r"|contrase[ñn]a|clave|senha|palavra[- ]passe|password|parola|wachtwoord|hasło|lösenord"
    r"|api[ _-]?key|api[ _-]?token|secret(?:[ _-]?(?:key|token))?|access[ _-]?(?:key|token)|auth[ _-]?token"
    r"|(?:account|storage|subscription|shared[ _-]?access|encryption)[ _-]?key"
    r"|client[ _-]?secret|token|private key|licen[sc]e key|webhook secret"
)
_ASSIGNED: Final = re.compile(
    rf"(?<![A-Za-z])(?:{_WORDS})[\"'`)]{{0,2}}(?P<how>\s{{0,3}}(?::|=>|=|->|→)\s{{0,3}}|\s{{1,3}}(?:is|are|was|ist|war|lautet|est|es|era|é|to)\s{{1,3}}:?\s?"
    rf"|\s{{1,3}})(?P<open>[\"'`«„“]?)(?P<value>[^\s\"'`«»„“”<>]{{3,200}})",
    re.IGNORECASE,
)
# "pass" alone passes tests and borders too: it counts after a user's name, or with a digit or sign in the value.
_PASS: Final = re.compile(r"(?<![A-Za-z])pass\s{0,3}[:=]\s{0,3}[\"']?(?P<value>[^\s\"'<>]{3,200})", re.IGNORECASE)
_WITH_USER: Final = re.compile(r"(?:user|login|account|benutzer|usuario|usuário|utilisateur|e-?mail)", re.IGNORECASE)
_SCORE: Final = re.compile(r"[0-9]{1,4}(?:[/.,%-][0-9]{0,4})*%?")
# What command lines and XML call a password.
_GIVEN_TO: Final = (
    re.compile(r"\bsshpass\s{1,3}-p\s{0,3}[\"']?(?P<value>[^\s\"']{1,200})"),
    re.compile(r"\b(?:mysql|mariadb)[\w-]{0,12}\b[^\n|;]{0,200}?\s-p[\"']?(?P<value>[^\s\"']{2,200})"),
    re.compile(r"\bcurl\b[^\n|;]{0,200}?\s(?:-u|--user)[ =]{0,2}[\"']?(?P<value>[^\s\"':]{1,100}:[^\s\"']{1,200})"),
    re.compile(
        rf"<(?:\w{{1,20}}:)?(?:{_WORDS})(?:\s[^<>]{{0,100}})?>\s{{0,3}}(?P<value>[^<>\s][^<>]{{0,200}})</",
        re.IGNORECASE,
    ),
)
# 32, 40 or 64 hexadecimal digits are commits and checksums, unless a word close by says that they let somebody in.
_HEX_KEY: Final = re.compile(
    r"\b(?:token|key|secret|credential|schlüssel|clé|clave|chave)s?\b(?P<between>[^\n]{0,30}?)"
    r"(?<![A-Za-z0-9/_-])(?P<value>[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![A-Za-z0-9/_-])",
    re.IGNORECASE,
)
_CHECKSUM: Final = re.compile(r"commit|sha|md5|checksum|hash|revision|digest|fingerprint", re.IGNORECASE)
# A path, a variable, stars: what people write in place of the secret.
_STANDS_FOR: Final = re.compile(r"/\S*/|\$[A-Z_{(]|%[A-Z_]+%|[*•xX]{3,}$|\{\{|<")
_SENTENCE_END: Final = re.compile(r"[.!,;]?(?:\n|$)|[.!,;]\s")
_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s<>\"'«»]{4,2000}", re.IGNORECASE)
# Up to the last @: passwords hold one too.
_USERINFO: Final = re.compile(r"(?<=//)[^/?#\s]{1,200}@")
_QUERY: Final = re.compile(
    r"(?<=[?&#;])((?:[\w-]{0,30}(?:token|key|secret|passw(?:or)?d|pwd|auth|sig(?:nature)?|session|code|jwt|credential|hash|otp|invite)"
    r"[\w-]{0,20}|email|e-mail|mail|phone|name|user|username|sid|uid))=([^&#\s]{1,2000})",
    re.IGNORECASE,
)
_ANY_QUERY: Final = re.compile(r"(?<=[?&#;])(?P<key>[\w-]{1,40})=(?P<value>[A-Za-z0-9_~.+-]{20,2000})(?=[&#]|$)")
_HEX: Final = re.compile(r"(?=[0-9]{0,200}[a-f])[0-9a-f]{20,200}", re.IGNORECASE)
_VERSION_KEY: Final = re.compile(
    r"id|hb?|sha\w{0,4}|md5|commit|rev(?:ision)?|ref|v|ver(?:sion)?|checksum|etag", re.IGNORECASE
)
_LETS_IN: Final = re.compile(
    r"/[\w-]{0,30}(?:reset|verif|confirm|activat|invit|magic|login|signin|auth|recover|passw|unsubscribe|token|session|secret)"
    r"[\w-]{0,20}/(?P<value>(?=[a-f-]{0,60}[0-9])[0-9a-f-]{16,200})(?=[/?#]|$)",
    re.IGNORECASE,
)
_SEGMENT: Final = re.compile(r"(?<=/)[A-Za-z0-9_~.+=-]{20,2000}(?=[/?#]|$)")
_LONG: Final = re.compile(r"(?<![A-Za-z0-9_/+.@=-])[A-Za-z0-9_-]{32,}+={0,2}(?![A-Za-z0-9_/+@.])")
LONGEST_WORD: Final = 16
SEGMENT_BITS, LONG_BITS = 3.9, 4.2
"""Shannon entropy per character from which letters and digits were drawn by a machine: of an address's part of 20
characters, and of a word of 32 that stands alone (file names and identifiers reach 4.1)."""


def find_secrets(text: str) -> Iterator[Span]:
    """Yield keys and tokens by how they begin or how random they are, and passwords by the words before them."""
    yield from _blocks(text)
    for found in _KNOWN.finditer(text):
        yield Span(SECRET, found.start(), found.end())
    for found in _BEARER.finditer(text):
        value = found["value"]
        if found["header"] or len(value) > LONGEST_PROSE or (len(value) >= LEAST_BEARER and _mixed(value)):
            yield Span(SECRET, found.start("value"), found.end("value"))
    yield from _assigned(text)
    yield from _named_otherwise(text)
    for found in _LONG.finditer(text):
        if _random(found.group(), LONG_BITS):
            yield Span(SECRET, found.start(), found.end())


def _blocks(text: str) -> Iterator[Span]:
    at = 0
    while start := _PRIVATE_KEY.search(text, at):
        end = _KEY_END.search(text, start.end(), start.end() + MAX_KEY)
        at = end.end() if end else min(start.end() + MAX_KEY, len(text))
        yield Span(SECRET, start.start(), at)


def _assigned(text: str) -> Iterator[Span]:
    for found in _ASSIGNED.finditer(text):
        value = found["value"].rstrip(".,;:!?)]}") if not found["open"] else found["value"]
        start = found.start("value")
        after = text[start + len(value) : start + len(value) + 2]
        quoted = found["open"] and found["how"].strip()
        if len(value) >= 3 and not _STANDS_FOR.match(value) and (quoted or _is_given(value, found["how"], after)):
            yield Span(SECRET, start, start + len(value))


def _named_otherwise(text: str) -> Iterator[Span]:
    """Yield what "pass:", command lines, XML and words near a hexadecimal key say."""
    for found in _PASS.finditer(text):
        value = found["value"].rstrip(".,;:!?)]}")
        known_user = _WITH_USER.search(text[max(found.start() - 80, 0) : found.start()])
        if (known_user or _mixed(value)) and not (_SCORE.fullmatch(value) or _STANDS_FOR.match(value)):
            yield Span(SECRET, found.start("value"), found.start("value") + len(value))
    for pattern in _GIVEN_TO:
        for found in pattern.finditer(text):
            if not _STANDS_FOR.match(found["value"]):
                yield Span(SECRET, found.start("value"), found.end("value"))
    for found in _HEX_KEY.finditer(text):
        if not _CHECKSUM.search(found["between"]):
            yield Span(SECRET, found.start("value"), found.end("value"))


def _is_given(value: str, how: str, after: str) -> bool:
    """Say whether `value` is the secret itself and not the sentence going on; `after` are the two characters behind."""
    if value.casefold() in TALK:
        return False
    if _mixed(value) or any(sign in how for sign in ":=>→"):
        return True
    # "my password is sunshine." but not "password is somehow rejected", and not "password manager".
    return bool(how.strip()) and bool(_SENTENCE_END.match(after))


def _mixed(text: str) -> bool:
    """Say whether `text` has a digit, or a sign inside, as secrets have and words have not."""
    return any(map(str.isdigit, text)) or bool(re.search(r"\w[^\w\s.'’/-]+(?:\w|$)", text))


def find_urls(text: str) -> Iterator[Span]:
    """Yield the parts of web addresses that let somebody in or name somebody."""
    for address in _URL.finditer(text):
        at, whole = address.start(), address.group()
        for found in _USERINFO.finditer(whole):
            yield Span(URL, at + found.start(), at + found.end() - 1)
        for found in _QUERY.finditer(whole):
            yield Span(URL, at + found.start(2), at + found.end(2))
        for found in _ANY_QUERY.finditer(whole):
            is_hex = _HEX.fullmatch(found["value"]) and not _VERSION_KEY.fullmatch(found["key"])
            if is_hex or _random(found["value"], SEGMENT_BITS):
                yield Span(URL, at + found.start("value"), at + found.end("value"))
        for found in _LETS_IN.finditer(whole):
            yield Span(URL, at + found.start("value"), at + found.end("value"))
        for found in _SEGMENT.finditer(whole):
            if _random(found.group(), SEGMENT_BITS):
                yield Span(URL, at + found.start(), at + found.end())


def _random(text: str, bits: float) -> bool:
    """Say whether `text` looks drawn by a machine: letters of both cases, digits, nearly all different."""
    text = text[:200]
    # Slugs and identifiers are words with hyphens between them.
    if max(map(len, re.split(r"[_-]+", text))) < LONGEST_WORD:
        return False
    cases = any(map(str.islower, text)) and any(map(str.isupper, text)) and sum(map(str.isdigit, text)) >= 2
    return cases and entropy(text) >= bits


def entropy(text: str) -> float:
    """Return the Shannon entropy of `text` in bits per character."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
