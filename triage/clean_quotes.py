"""The newest words of a mail: everything it quotes, and every reply header, taken off.

Order: the helpdesk's own "reply above this line", then our line rules (the mail programs' reply headers in many
languages, which quotequail lacks), then quotequail. A forwarded mail is content, not a quote: it stays.
"""

from __future__ import annotations

import re
from typing import Final

import quotequail

from triage.clean_words import FORWARDED, HEADER_WORDS, ORIGINAL, SEE_BELOW

# Longer lines are prose, data or an attack, never a header a mail program wrote; this also bounds every pattern below.
MAX_HEADER_LINE: Final = 300
MAX_LINES: Final = 10_000
"""Lines of one message that are read: 200 pages; more is a log, and costs a look per line."""
_MAX_WRAP: Final = 4  # "On <date>, <name>" / "<address>" / "wrote:" is the longest wrapping seen

# Zendesk puts its delimiter between ## and lets admins translate it; others write the sentence between dashes.
_FENCED: Final = re.compile(r"^[>\s|*]*##\s*-.{0,200}-\s*##")
_ABOVE_THIS_LINE: Final = re.compile(
    r"\b(?:reply|respond|write|type)\b.{0,40}\babove (?:this|the) line"
    r"|antwort\w*.{0,40}(?:über|oberhalb) dieser (?:zeile|linie)|répon\w+.{0,40}au-dessus de cette ligne"
    r"|respuesta.{0,40}(?:encima|arriba) de esta línea|respost\w+.{0,40}acima dest?a linha"
    r"|rispo\w+.{0,40}sopra (?:a )?questa (?:riga|linea)|(?:antwoord|reactie)\w*.{0,40}boven deze (?:regel|lijn)"
    r"|svar\w*.{0,40}(?:över|over) denn?a? (?:rad|linje)|odpowied\w+.{0,40}(?:nad|powyżej) t\w+ lini|この行より上に"
    r"|この行の上に|在此行上方|请在此行",
    re.IGNORECASE,
)
_FENCES: Final = ("--", "##", "==", "**", "__", "~~", "—", "- #", "# -")

_ORIGINAL: Final = re.compile(rf"^[-_=*\s]{{2,60}}(?:{ORIGINAL})\s?:?[-_=*\s]{{2,60}}$", re.IGNORECASE)
_FORWARD: Final = re.compile(
    rf"^(?:[-_=*\s]{{2,60}}(?:{FORWARDED})\s?:?[-_=*\s]{{0,60}}"
    rf"|\*?(?:begin|anfang|début|inicio|início|inizio)\b.{{0,60}}:)$",
    re.IGNORECASE,
)
_FORWARD_WORDS: Final = re.compile(FORWARDED, re.IGNORECASE)

# "wrote" as mail programs write it.
_WROTE: Final = re.compile(
    r"\b(?:wrote|writes|schrieb|geschrieben|a écrit|écrivait|escribió|escribio|escribe|escreveu|ha scritto|schreef"
    r"|skrev|skreiv|kirjoitti|napisał(?:\(a\)|a)?|pisze|napsala?|napsal\(a\)|написала?|написал\(а\)|пишет|пише|írta"
    r"|a scris|şunu yazdı|yazdı|έγραψε)(?!\w)|のメール|書きました|写道|寫道|님이 작성|wrote$",
    re.IGNORECASE,
)
# A customer citing himself ("On 3 March I wrote:") is content.
_PRONOUN: Final = (
    r"(?:i|we|you|he|she|they|it|ich|wir|ihr|du|er|je|j'ai|nous|vous|il|elle|yo|nosotros|usted|ella|eu|você|io|ik|wij"
    r"|jeg|jag|vi)"
)
_SAID_BY_PRONOUN: Final = re.compile(
    rf"(?i:\b{_PRONOUN} (?:have |had |avais |ai |habe |heb |ho )?(?:wrote|written|schrieb|écrit|schreef|skrev|scritto"
    rf"|escrevi|escribí)\b)"
    r"|\b(?:schrieb|schrieben|schreef|skrev) (?:ich|wir|[Ss]ie|du|er|ik|wij|u|jeg|jag|vi)\b"
    r"|\b(?:ai|avons|avez) écrit\b"
)
_DATE: Final = re.compile(
    r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d{2}\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[年/.-]\s?\d{1,2}|\d{1,2}월"
)
_ADDRESS: Final = re.compile(r"[^\s<>@\"(]{1,80}@[^\s<>@]{1,120}")
_ADDRESS_END: Final = re.compile(r"<\s?(?:mailto:)?[^\s<>@]{1,80}@[^\s<>@]{1,120}>?\s?>?\s?[:：]$")

_HEADERS: Final = {word: role for role, words in HEADER_WORDS.items() for word in words.split("|")}
_HEADER_LINE: Final = re.compile(r"^[>\s]{0,10}[*_]{0,2}([^\W\d_][\w '’-]{0,24}?)\s?[*_]{0,2}\s?[:：]")

_SEE_BELOW: Final = re.compile(SEE_BELOW, re.IGNORECASE)
_FEW_WORDS: Final = 20
_ONLY_RULES: Final = re.compile(r"^[\s\-_=*~#>|–—.]*$")
_INDENT: Final = re.compile(r"^\s?>\s?")


def strip_quotes(text: str, *, forwarded: bool = False) -> str:
    """Return `text` without quoted mail, or all of it when nothing else is there.

    `text` is plain, quoted HTML already marked by `html_to_marked_text`; `forwarded` says that the subject has a
    forward prefix, which settles what a bare reply header means. Never raises.
    """
    return newest_words(text, forwarded=forwarded) or text.strip()


def newest_words(text: str, *, forwarded: bool = False) -> str:
    """Return what the writer of this mail wrote or passed on; "" when there is only quoted mail."""
    lines = lines_read(text)
    mail = _Reader(lines, forwarded)
    while mail.at < len(lines) and not mail.done:
        mail.step()
    return _tidy(_by_quotequail(mail.kept) + mail.forward)


def lines_read(text: str) -> list[str]:
    """Return the lines of `text`, at most MAX_LINES: the first, and a quarter from the end, where long mails ask."""
    lines = text.split("\n")
    tail = MAX_LINES // 4
    return lines if len(lines) <= MAX_LINES else [*lines[: MAX_LINES - tail], *lines[-tail:]]


class _Reader:
    """Walks down the lines of a mail once, keeping what its writer wrote."""

    def __init__(self, lines: list[str], forwarded: bool) -> None:
        self.lines = lines
        self.forwarded = forwarded
        self.at = 0
        self.kept: list[str] = []
        self.forward: list[str] = []
        self.written = False  # something but rules and empty lines is kept
        self.answered = False  # a reply header was seen: ">" lines are ours, not the customer's
        self.done = False

    def step(self) -> None:
        """Deal with the block that begins on this line, and go behind it."""
        line = self.lines[self.at]
        if len(line) > MAX_HEADER_LINE or not line.strip():
            self._keep(self.at + 1)
        elif is_reply_delimiter(line):
            self.done = self.written
            self.at += 1
        elif is_forward_line(line):
            self._pass_on(self.lines[self.at :])
        elif line.lstrip().startswith(">"):
            self._quote()
        elif end := _intro_end(self.lines, self.at):
            self._reply(end)
        elif end := _header_end(self.lines, self.at):
            self._header(end)
        else:
            self._keep(self.at + 1)

    def _keep(self, end: int) -> None:
        new = self.lines[self.at : end]
        self.kept += new
        self.written = self.written or not all(_ONLY_RULES.match(line) for line in new)
        self.at = end

    def _pass_on(self, lines: list[str]) -> None:
        self.forward = [_INDENT.sub("", line, count=1) for line in lines]
        self.done = True

    def _quote(self) -> None:
        end = _quote_end(self.lines, self.at)
        block = [line.strip("> \t") for line in self.lines[self.at : end]]
        if any(is_forward_line(line) for line in block[:3]):
            self._pass_on(["", *self.lines[self.at :]])
            return
        words = [line for line in block if line]
        # With a reply header it is our own mail again; without one it is context, or a log that a customer set off.
        ours = self.answered or _intro_end(words, 0) or _header_end(words, 0)
        if words and not ours:
            self._keep(end)
        else:
            self.kept.append("")
            self.at = end

    def _reply(self, end: int) -> None:
        self.answered = True
        below = _next_written(self.lines, end)
        if below < len(self.lines) and self.lines[below].lstrip().startswith(">"):
            self.kept.append("")
            self.at = _quote_end(self.lines, below)  # what stands below it is an answer between or under the quotes
        elif self.written and not (self.forwarded and _passes_on(self.kept, True)):
            self.done = True
        else:
            self._keep(end)

    def _header(self, end: int) -> None:
        if self.written and not _passes_on(self.kept, self.forwarded):
            self.done = True
        else:
            self._keep(end)


def is_reply_delimiter(line: str) -> bool:
    """Tell whether a helpdesk wrote `line` for "reply above this line"."""
    line = line[: MAX_HEADER_LINE + 1].strip("> \t")
    fenced = line.startswith(_FENCES) or line.endswith(_FENCES)
    return bool(fenced and (_FENCED.match(line) or _ABOVE_THIS_LINE.search(line)))


def is_forward_line(line: str) -> bool:
    """Tell whether a forwarded mail begins below `line`."""
    return len(line) <= MAX_HEADER_LINE and bool(_FORWARD.match(line.strip("> \t")) and _FORWARD_WORDS.search(line))


def _passes_on(above: list[str], forwarded: bool) -> bool:
    """Tell whether the words above a reply header only hand over what is below it."""
    words: list[str] = []
    for line in above:
        words += line[:MAX_HEADER_LINE].split()
        if len(words) > _FEW_WORDS:
            return False
    return forwarded or bool(_SEE_BELOW.search(" ".join(words)))


def _next_written(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _quote_end(lines: list[str], at: int) -> int:
    """Return the index behind the last ">" line of the block that begins on line `at`."""
    end = at
    while at < len(lines) and (not lines[at].strip() or lines[at].lstrip().startswith(">")):
        end = at + 1 if lines[at].strip() else end
        at += 1
    return end


def _intro_end(lines: list[str], at: int) -> int:
    """Return the index behind a "On <date>, <name> wrote:" that begins on line `at`, or 0."""
    if not lines[at : at + 1] or not (_DATE.search(lines[at]) or "@" in lines[at] or _WROTE.search(lines[at])):
        return 0
    joined = ""
    for end in range(at, min(at + _MAX_WRAP, len(lines))):
        part = lines[end].strip("> \t\ufeff")
        if not part or (end > at and lines[end].lstrip().startswith(">") and not lines[at].lstrip().startswith(">")):
            return 0
        joined = f"{joined} {part}".strip()
        if len(joined) > MAX_HEADER_LINE:
            return 0
        if joined.endswith((":", "：")):
            below = _next_written(lines, end + 1)
            return end + 1 if _is_intro(joined, lines[below : below + 1]) else 0
    return 0


def _is_intro(line: str, below: list[str]) -> bool:
    dated, addressed = bool(_DATE.search(line)), bool(_ADDRESS.search(line))
    if _WROTE.search(line):
        return (
            dated or addressed or bool(below and below[0].lstrip().startswith(">"))
        ) and not _SAID_BY_PRONOUN.search(line)
    # Any other language, and the Japanese Gmail header: a date, then an address just before the colon.
    return dated and bool(_ADDRESS_END.search(line)) and not _HEADER_LINE.match(line[:12])


def _header_end(lines: list[str], at: int) -> int:
    """Return the index behind a quoted mail's header block that begins on line `at`, or 0."""
    if not lines[at : at + 1]:
        return 0
    if len(lines[at]) <= MAX_HEADER_LINE and _ORIGINAL.match(lines[at].strip("> \t")):
        return at + 1
    # A block that failed from its first line fails from the next too; trying each would be work without end.
    if at and _role(lines[at - 1]):
        return 0
    roles: set[str] = set()
    end, wrapped = at, 0
    for index in range(at, min(at + 16, len(lines))):
        role = _role(lines[index])
        if role:
            roles.add(role)
            end, wrapped = index + 1, 0
        elif index == at or (lines[index].strip() and wrapped >= 3):
            break
        elif lines[index].strip():
            # A form ("From: ... Message: ...") goes on with a word that no mail header has.
            if index == end and _HEADER_LINE.match(lines[index]) and "@" not in lines[index]:
                return 0
            wrapped += 1
    known = roles - {"other"}
    # "from: 9:00, to: 10:00, subject: ..." is prose: a header tells when, or an address.
    told = "date" in known or any("@" in line for line in lines[at:end])
    return end if "from" in known and len(known) >= 3 and told else 0


def _role(line: str) -> str:
    match = _HEADER_LINE.match(line[:60]) if len(line) <= 4 * MAX_HEADER_LINE else None
    return _HEADERS.get(match[1].strip().lower(), "") if match else ""


def _by_quotequail(lines: list[str]) -> list[str]:
    """Cut where quotequail, the library, sees a reply begin."""
    # Its patterns nest `.*`: a line that is long or full of brackets is cubic, and no reply header looks like that.
    safe = [
        line if len(line) <= MAX_HEADER_LINE and line.count("<") <= 2 and line.count("@") <= 2 else "."
        for line in lines[:900]
    ]
    if not _may_introduce("\n".join(safe)):
        return lines
    parts = quotequail.quote("\n".join(safe), limit=1_000, quote_intro_line=True)
    if len(parts) < 2 or not parts[0][1].strip():
        return lines
    cut = parts[0][1].count("\n") + 1
    intro = " ".join(safe[cut : cut + 2])
    # It takes any "On ... wrote:" and any rule of 32 underscores; without a date, an address or a title that is prose.
    plausible = (
        _DATE.search(intro) or _ADDRESS.search(intro) or intro.startswith("-")
    ) and not _SAID_BY_PRONOUN.search(intro)
    return lines[:cut] if plausible and not all(map(_ONLY_RULES.match, lines[:cut])) else lines


def _may_introduce(text: str) -> bool:
    """Say whether a line of `text` could pass for an introduction: the library's look costs many times as much."""
    return bool(text.startswith("-") or "\n-" in text or _DATE.search(text) or _ADDRESS.search(text))


def _tidy(lines: list[str]) -> str:
    """Join `lines` without the empty ones and rules left hanging at either end."""
    first, last = 0, len(lines)
    while last > first and _ONLY_RULES.match(lines[last - 1]) and lines[last - 1].strip() not in ("--", "—"):
        last -= 1
    while first < last and not lines[first].strip():
        first += 1
    text = "\n".join(lines[first:last])
    return "" if all(_ONLY_RULES.match(line) for line in lines[first:last]) else text
