"""Signatures, polite closings, disclaimers and footers, in the main languages.

Every rule takes whole lines, and gives up where a line could carry the question: a "?", a sentence, an order number.
"""

from __future__ import annotations

import re
from typing import Final

from triage.clean_quotes import MAX_HEADER_LINE, is_forward_line, lines_read
from triage.clean_words import DEVICES, REGARDS, SENT, THANKS

_DELIMITED_LINES: Final = 15  # a longer text below "--" is a part of the mail that the writer ruled off
_NAME_LINES: Final = 12  # name, title, company, two addresses, phones, web
_THANKS_LINES: Final = 4  # after a mere "Thanks" only a name counts as a signature
_CLOSING_WINDOW: Final = 40  # lines from the end in which a closing is looked for

_MOBILE: Final = re.compile(
    rf"^[*_\s<]{{0,3}}(?:{SENT})\b.{{0,70}}(?:{DEVICES})|^\S{{0,20}}(?:iphone|ipad|android)\S{{0,12}} ?(?:から送信"
    rf"|で送信|gönderildi|에서 보냄)|^.{{0,20}}(?:{DEVICES})\S{{0,12}} (?:gesendet|verzonden|gönderildi)\b"
    rf"|^(?:发自我的|發自我的|從我的|从我的|나의|내) ?\S"
    r"|^iphoneから送信|^von mein\w+ .{2,40} gesendet",
    re.IGNORECASE,
)
_MOBILE_LINE: Final = 100
_MOBILE_WORDS: Final = 12

# With a capital, or in a script that has none: "Best Ann" closes a mail, "best seller" does not.
_NAME: Final = r"(?-i:[^\W\d_a-zà-ÿ])[\w.'’-]{0,24}"
_NAMES: Final = rf"<?{_NAME}(?:,? (?:de |van |von |der |la |di |da )?{_NAME}){{0,3}}>?"
_MARKS: Final = r"[\s,.!*_~;:)。、，！–—-]"
_CLOSING: Final = re.compile(
    rf"^[-–—*_\s]{{0,3}}(?:{REGARDS})(?:{_MARKS}{{1,6}}{_NAMES})?{_MARKS}{{0,6}}$", re.IGNORECASE
)
_THANKING: Final = re.compile(rf"^[*_\s]{{0,3}}(?:{THANKS})(?:{_MARKS}{{1,6}}{_NAMES})?{_MARKS}{{0,6}}$", re.IGNORECASE)
# Below a mere "Thanks": "Ann", "ann" or "Ann van Dyk"; "login error" is the rest of the mail.
_NAME_LINE: Final = re.compile(rf"^[-–—/~*]{{0,2}} ?(?:[^\W\d_]{{1,20}}|{_NAMES})[.,!*]?$", re.IGNORECASE)
# "/John" and "-Anna Berg": how Scandinavians and mailing lists sign.
_DASHED_NAME: Final = re.compile(
    r"^(?:[/~]|[-–—])[A-ZÅÄÖØÆÜ][\w.'’-]{1,20}(?: (?:de|van|von|der|la|di|da|[A-ZÅÄÖØÆÜ][\w.'’-]{0,20})){0,3}$"
)

# What a line of a name block must not hold: it would be the customer speaking, or the number we need.
_SPEAKS: Final = re.compile(
    r"\b(?:version|windows|macos|linux|android|firefox|chrome|safari|browser|error|fehler|erreur|please|pls|help|need"
    r"|urgent|asap|don't|doesn't|can't|cannot|isn't|won't|still|bitte|dringend|brauche|nicht|kein\w*|s'il vous plaît"
    r"|svp|ne .{1,20} pas|urgente|por favor|necesito|preciso|não|per favore|non|graag|niet|dringende|proszę"
    r"|пожалуйста|не)\b|ください|下さい|ません|^p\.? ?s\b|^n\.? ?b\b|^edit\b|^update\b",
    re.IGNORECASE,
)
_NUMBER_WE_NEED: Final = re.compile(
    r"(?:order|invoice|ticket|case|account|customer|client|contract|license|licence|booking|reservation|serial"
    r"|bestell|rechnung|kunden|vertrag|auftrag|commande|facture|dossier|contrat|pedido|factura|fatura|cliente|conto"
    r"|ordine|fattura|bestelling|factuur|klant|注文|会員|订单|주문)[^\n]{0,25}\d",
    re.IGNORECASE,
)
# An account number on a line of its own; telephone numbers have a plus, a zero, brackets or gaps.
_BARE_NUMBER: Final = re.compile(r"^\W{0,3}[A-Z]{0,4}[-#]?[1-9]\d{4,}[A-Z0-9-]{0,20}\W{0,3}$")
_CONTACT: Final = re.compile(
    r"\d{3}|@|www\.|https?:|\||•|\b(?:tel|fax|phone|mobile?|mobil|gmbh|ltd|inc|llc|ag|kg|sarl|s\.?a|bv|co)\b",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"(?:https?://|www\.)\S{1,2000}")

# A disclaimer speaks of this message, of secrecy and of its addressee; never of "me".
_THIS_MESSAGE: Final = re.compile(
    r"(?:this|the|these) (?:e-?mail|message|communication|transmission|information|contents?)|confidentiality notice"
    r"|disclaimer|dies\w* (?:e-?mail|nachricht|mail|mitteilung)"
    r"|(?:ce|cet|le présent) (?:message|courriel|e-?mail|mail)|este (?:mensaje|correo|e-?mail)"
    r"|est[ae] (?:mensagem|e-?mail)|quest[oa] (?:messaggio|e-?mail|comunicazione)|(?:dit|deze) (?:bericht|e-?mail)"
    r"|(?:detta|dette|denne) (?:meddelande|e-?post|e-?mail|mail)|(?:ta|niniejsza) wiadomość|это (?:сообщение|письмо)"
    r"|本メール|このメール|本邮件",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"confiden[tc]i|privileged|vertraulich|riservat|vertrouwelijk|konfident|fortrolig|poufn|конфиденциальн|機密|秘密"
    r"|保密",
    re.IGNORECASE,
)
_ADDRESSEE: Final = re.compile(
    r"intended|recipient|addressee|unauthori[sz]ed|disclos|dissemin|prohibited|strictly|empfänger|adressat|unbefugt"
    r"|irrtümlich|gestattet|destinat|diffusion|interdit|prohibid|proibid|vietat|geadresseerde|ontvanger|bestemd"
    r"|mottagare|modtager|adresat|получател|宛先|受信者|收件人",
    re.IGNORECASE,
)
_MACHINE_FOOTER: Final = re.compile(
    r"scanned (?:for|by)|virus-?(?:free|frei)|avast|checked by avg|consider the environment|before printing"
    r"|an die umwelt|umwelt zuliebe|pensez à l'environnement|n'imprimez|medio ?ambiente|meio ambiente"
    r"|rispetta l'ambiente|denk aan het milieu|(?:originated|came|sent|mail|message) (?:from )?(?:an )?(?:outside"
    r"|external)|external (?:e-?mail|sender|message)|externe (?:e-?mail|absender)",
    re.IGNORECASE,
)
_FOOTER_ADVICE: Final = re.compile(
    r"virus|malware|print|druck|imprim|stamp|umwelt|environ|ambient|milieu|click|links?\b|attachment|anhäng|caution",
    re.IGNORECASE,
)
_FIRST_PERSON: Final = re.compile(
    r"\b(?:i|i'm|i've|my|me|ich|mein\w*|mir|je|j'ai|mon|ma|yo|mi|me|eu|meu|minha|io|mio|mia|ik|mijn)\b", re.IGNORECASE
)
_HEADING: Final = re.compile(
    r"^\W{0,4}(?:legal )?(?:disclaimer|confidentiality(?: notice)?|haftungsausschluss|vertraulichkeitshinweis"
    r"|avis de confidentialité)\W{0,4}$",
    re.I,
)

_LIST_FOOTER: Final = re.compile(
    r"mailing list|mailman/listinfo|mailinglist|unsubscribe|you (?:are receiving|received) this"
    r"|reply to this email directly|groups\.google\.com|abbestellen|se désabonner|lista de correo|uitschrijven",
    re.IGNORECASE,
)
_RULE: Final = re.compile(r"^\s*(?:[-_=*]{2,}|—|–)\s*$")


def strip_signature(text: str) -> str:
    """Return `text` without signature, closing, disclaimers and list footers, or all of it when nothing else is there.

    A forwarded mail below the text is cleaned on its own, so that a signature above it never takes it away.
    """
    parts: list[list[str]] = [[]]
    for line in lines_read(text):
        if is_forward_line(line):
            parts.append([])
        parts[-1].append(line)
    cleaned = ["\n".join(_strip_part(part)).strip("\n") for part in parts]
    return "\n\n".join(part for part in cleaned if part.strip()) or text.strip()


def _strip_part(lines: list[str]) -> list[str]:
    if not any(line.strip() for line in lines):
        return []
    lines = _without_disclaimers(lines)
    for rule in (_without_list_footer, _without_delimited, _without_mobile, _without_closing, _without_mobile):
        lines = rule(_trimmed(lines))
    return _trimmed(lines)


def _trimmed(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _asks(line: str) -> bool:
    """Tell whether `line` could be the customer's question or the number we need to answer it."""
    if len(line) > MAX_HEADER_LINE:
        return True
    bare = _URL.sub("", line)
    return "?" in bare or "？" in bare or bool(_NUMBER_WE_NEED.search(bare) or _BARE_NUMBER.match(bare))


def _is_block_line(line: str) -> bool:
    """Tell whether `line` can stand in a name block: short, or an address, and no sentence."""
    line = line.strip()
    if _asks(line) or _SPEAKS.search(line):
        return False
    words = len(line.split())
    if _CONTACT.search(line):
        return words <= 20
    return words <= 7 and len(line) <= 80 and not (line.endswith((".", "!", "。", ":")) and words >= 5)


def _without_list_footer(lines: list[str]) -> list[str]:
    for at in range(max(1, len(lines) - 12), len(lines)):
        if _RULE.match(lines[at]) and any(
            _LIST_FOOTER.search(line[:MAX_HEADER_LINE]) for line in lines[at + 1 : at + 4]
        ):
            return lines[:at]
    return lines


def _without_delimited(lines: list[str]) -> list[str]:
    for at in range(max(1, len(lines) - 1 - _DELIMITED_LINES), len(lines)):
        if lines[at].rstrip() in ("--", "—", "––", "__") and any(line.strip() for line in lines[:at]):
            tail = [line for line in lines[at + 1 :] if line.strip()]
            # "-- " with its blank is what mail programs write; the bare dashes are also a ruler people draw.
            if not any(_asks(line) for line in tail) and (lines[at] == "-- " or all(map(_is_block_line, tail))):
                return lines[:at]
    return lines


def _without_mobile(lines: list[str]) -> list[str]:
    for at in range(len(lines) - 1, max(0, len(lines) - 8), -1):
        alone = not lines[at - 1].strip() or _RULE.match(lines[at - 1]) or at == len(lines) - 1
        if alone and _is_mobile(lines[at].strip()):
            end = at - 1 if _RULE.match(lines[at - 1]) else at
            lines = [*lines[:end], *lines[at + 1 :]]
    return lines


def _is_mobile(line: str) -> bool:
    if len(line) > _MOBILE_LINE or len(_URL.sub("", line).split()) > _MOBILE_WORDS or ", " in line or _asks(line):
        return False
    return bool(_MOBILE.search(line))


def _without_closing(lines: list[str]) -> list[str]:
    """Cut the closing formula and the name block under it, up to the first line that says something."""
    first = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    for at in range(max(first + 1, len(lines) - _CLOSING_WINDOW), len(lines)):
        line = lines[at].strip()
        if not line or len(line) > 160:
            continue
        tail = [below for below in lines[at + 1 :] if below.strip()]
        if _DASHED_NAME.match(line) and not tail and not lines[at - 1].strip():
            return lines[:at]
        if _CLOSING.match(line):
            return lines[:at] + ([""] if lines[at - 1].strip() else []) + _after_name_block(lines[at + 1 :])
        named = not tail or _NAME_LINE.match(tail[0].strip()[:80])
        if _THANKING.match(line) and named and len(tail) <= _THANKS_LINES and all(map(_is_block_line, tail)):
            return lines[:at]
    return lines


def _after_name_block(lines: list[str]) -> list[str]:
    named = 0
    for at, line in enumerate(lines):
        if line.strip() and (named >= _NAME_LINES or not (_is_block_line(line) or _CLOSING.match(line.strip()[:160]))):
            return lines[at:]
        named += bool(line.strip())
    return []


def _without_disclaimers(lines: list[str]) -> list[str]:
    """Drop the paragraphs that a mail server or a legal department wrote."""
    kept: list[str] = []
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
            continue
        if paragraph and not _is_disclaimer(paragraph):
            kept += paragraph
        paragraph = []
        kept.append(line)
    return kept if any(line.strip() for line in kept) else lines


def _is_disclaimer(paragraph: list[str]) -> bool:
    if len(paragraph) == 1 and _HEADING.match(paragraph[0][:80]):
        return True
    text = " ".join(paragraph)[:4_000]
    if "?" in text or _FIRST_PERSON.search(text):
        return False
    if _MACHINE_FOOTER.search(text) and _FOOTER_ADVICE.search(text):
        return True
    cues = (_THIS_MESSAGE, _SECRET, _ADDRESSEE)
    return len(text) > 80 and all(cue.search(text) for cue in cues)
