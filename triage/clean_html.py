"""HTML mail as the plain text its reader saw: nothing hidden, nothing executable, quoted mail marked.

Two parsers because each has a gap that was measured: inscriptis gives the better text but none at all below about
250 nested elements, selectolax reads any depth. Both are kept away from the shapes that make them slow.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from inscriptis import get_text
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_properties import Display
from inscriptis.model.config import ParserConfig
from inscriptis.model.html_element import HtmlElement
from inscriptis.model.tag import CustomHtmlTagHandlerMapping
from selectolax.lexbor import LexborHTMLParser, LexborNode

from triage.clean_words import FORWARDED

MAX_HTML: Final = 200_000
"""Characters of HTML that are read, inline images not counted; the newest words of a mail stand at its top."""

QUOTE_MARK: Final = "&gt;"
"""What stands where quoted mail was: a line of its own that `strip_quotes` reads like any ">" line."""

REPLY_LINE: Final = "-----Original Message-----"
"""Put before a block that a mail program marks as the mail replied to, whatever language its headers are in."""

# Pictures pasted into a mail are megabytes of base64 in front of or between the words.
_DATA_URI: Final = re.compile(r"data:[\w.+/-]{1,60};base64,[A-Za-z0-9+/=]*")

# HTML5 re-opens unclosed formatting elements in every later block: a few thousand of them are gigabytes. A span is not
# re-opened and carries the same style attribute.
_FORMATTING: Final = re.compile(
    r"<(/?)(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE
)
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,30})")
# Without attributes an element neither hides nor marks anything: it can go without a trace.
_BARE_TAG: Final = re.compile(r"</?(?:div|span|table|ul|ol|blockquote|section|center)\s{0,9}>", re.IGNORECASE)
# The parser's check for an open paragraph walks all open elements, so depth costs its square; browsers stop at 512.
_MAX_DEPTH: Final = 1_000
# Elements that close themselves: unclosed ones are common and nest nothing.
_NO_DEPTH: Final = frozenset({
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p",
    "param", "source", "tbody", "td", "tfoot", "th", "thead", "tr", "wbr",
})  # fmt: skip

_DROP: Final = frozenset({
    "head", "title", "style", "script", "noscript", "template", "iframe", "object", "embed", "svg", "math", "select",
    "textarea", "input", "button", "audio", "video", "canvas",
})  # fmt: skip
_BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "br", "center", "dd", "div", "dl", "dt", "footer", "form", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr",
    "ul",
})  # fmt: skip

# Styles that take an element and all it holds out of sight. Tiny sizes and far-off positions are the usual variants.
_GONE: Final = re.compile(
    r"(?:^|;)(?:display:none|opacity:(?:0|0?\.0\d*|0%)(?:;|!|$)|mso-hide:all|clip:rect\(0"
    r"|(?:max-)?(?:height|width):0(?:px|pt|em|%)?(?:;|!|$)|text-indent:-\d{3,}|(?:left|top|right|bottom):-\d{3,})"
)
# These two are inherited and a child may undo them: newsletter builders set font-size:0 on wrappers of visible text.
_FONT_SIZE: Final = re.compile(r"(?:^|;)font(?:-size)?:([^;]*)")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(px|pt|r?em|ex|%|)")
_CSS_COMMENT: Final = re.compile(r"\s+|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/")
# The largest size in each unit that nobody reads.
_UNREADABLE: Final = {"px": 1.0, "pt": 1.0, "": 1.0, "em": 0.1, "rem": 0.1, "ex": 0.1, "%": 10.0}
_VISIBILITY: Final = re.compile(r"(?:^|;)visibility:(\w+)")
_NO_COLOUR: Final = re.compile(r"(?:^|;)color:(?:transparent|rgba\([^)]{0,40},0(?:\.0+)?\))")

_QUOTE_CLASSES: Final = frozenset({
    "gmail_attr", "moz-cite-prefix", "yahoo_quoted", "protonmail_quote", "tutanota_quote", "zmail_extra",
})  # fmt: skip
_GMAIL_QUOTES: Final = frozenset({"gmail_quote", "gmail_quote_container", "gmail_extra"})
_SIGNATURE_CLASSES: Final = frozenset({
    "gmail_signature", "gmail_signature_prefix", "moz-signature", "protonmail_signature_block",
})  # fmt: skip
_SIGNATURE_IDS: Final = frozenset({"ms-outlook-mobile-signature", "applemailsignature"})
_REPLY_IDS: Final = frozenset({"divrplyfwdmsg", "stopspelling"})
_FORWARD_START: Final = re.compile(rf"\W*(?:{FORWARDED})", re.IGNORECASE)


def _inscriptis_config() -> ParserConfig:
    # Table layout pads every row to the widest cell (a hostile table is gigabytes of spaces); mail uses tables for
    # layout anyway. A row becomes a line, its cells words on it; lists lose their indent for the same reason.
    css = dict(STRICT_CSS_PROFILE)
    css["table"] = css["tr"] = css["ul"] = css["ol"] = css["hr"] = HtmlElement(display=Display.block)
    css["td"] = css["th"] = HtmlElement(display=Display.inline, prefix=" ", suffix=" ", limit_whitespace_affixes=True)
    nothing = dict.fromkeys(("table", "tr", "td", "th"), None)
    mapping = CustomHtmlTagHandlerMapping(start_tag_mapping=nothing, end_tag_mapping=nothing)
    return ParserConfig(css=css, custom_html_tag_handler_mapping=mapping)


_CONFIG: Final = _inscriptis_config()


class _Inherited(NamedTuple):
    """What a child takes over from its parent."""

    unseen: bool = False
    tiny: bool = False
    gmail: bool = False
    forwarded: bool = False


def without_pictures(html: str) -> str:
    """Return the part of `html` that is read: no inline images, at most MAX_HTML characters."""
    return _DATA_URI.sub("", html)[:MAX_HTML]


def html_to_text(html: str) -> str:
    """Return the visible text of `html`, one block a line; never raises, "" when nothing is visible."""
    return _convert(html, mark_quotes=False)


def html_to_marked_text(html: str) -> str:
    """Return the visible text with quoted mail as ">" lines and marked signatures left out; for `strip_quotes`."""
    return _convert(html, mark_quotes=True)


def _convert(html: str, mark_quotes: bool) -> str:
    html = _FORMATTING.sub(r"<\1span", without_pictures(html))
    try:
        tree = LexborHTMLParser(_flatten(html))
        blocks = _prune(tree, mark_quotes)
        plain = tree.root.text() if tree.root else ""
        text = _inscriptis_text(tree.html or "")
        # Too deep for libxml2: it stops reading there and says nothing.
        if len("".join(text.split())) < 0.9 * len("".join(plain.split())):
            text = _selectolax_text(tree, blocks)
        return text
    except Exception:  # the parser gave up; stripping the tags crudely would show what was hidden
        return ""


def _flatten(html: str) -> str:
    """Return `html` with no element nested deeper than browsers draw; what is too deep to be seen is left out."""
    if _too_deep(html) is None:
        return html
    bare = _BARE_TAG.sub("\n", html)
    return bare[: _too_deep(bare)]


def _too_deep(html: str) -> int | None:
    """Return the index at which elements are nested too deep, or None."""
    depth = 0
    for tag in _TAG.finditer(html):
        if tag[2].lower() not in _NO_DEPTH:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            if depth > _MAX_DEPTH:
                return tag.start()
    return None


def _prune(tree: LexborHTMLParser, mark_quotes: bool) -> list[LexborNode]:
    """Take what is not seen out of `tree`, mark quotes, and return the block elements that remain."""
    doomed: list[LexborNode] = []
    blocks: list[LexborNode] = []
    stack = [(tree.root, _Inherited())] if tree.root else []
    while stack:
        node, state = stack.pop()
        for child in node.iter(include_text=True):
            if child.is_text_node:
                if state.unseen or state.tiny:
                    doomed.append(child)
                continue
            attributes = {name.lower(): (value or "") for name, value in child.attributes.items()}
            if _is_dropped(child, attributes) or (mark_quotes and _is_signature(attributes)):
                doomed.append(child)
                continue
            if child.tag in _BLOCKS:
                blocks.append(child)
            inherited = _inherit(attributes, state)
            if mark_quotes and not state.forwarded:
                inherited = _mark(tree, child, attributes, inherited)
            stack.append((child, inherited))
    for node in doomed:
        node.decompose()
    return blocks


def _is_dropped(node: LexborNode, attributes: dict[str, str]) -> bool:
    return not node.is_element_node or node.tag in _DROP or _is_gone(attributes)


def _style(attributes: dict[str, str]) -> str:
    return _CSS_COMMENT.sub("", attributes.get("style", "")[:2000].lower())


def _is_gone(attributes: dict[str, str]) -> bool:
    style = _style(attributes)
    return "hidden" in attributes or bool(style and (_GONE.search(style) or _NO_COLOUR.search(style)))


def _inherit(attributes: dict[str, str], parent: _Inherited) -> _Inherited:
    """Return what the children of an element with these attributes take over."""
    state = parent
    if style := _style(attributes):
        if size := _FONT_SIZE.findall(style):
            state = state._replace(tiny=_is_tiny(size[-1]))
        if visibility := _VISIBILITY.findall(style):
            state = state._replace(unseen=visibility[-1] in ("hidden", "collapse"))
    if _classes(attributes) & _GMAIL_QUOTES:
        state = state._replace(gmail=True)
    return state


def _is_tiny(size: str) -> bool:
    number = _SIZE.search(size)
    return number is not None and float(number[1]) <= _UNREADABLE[number[2]]


def _classes(attributes: dict[str, str]) -> set[str]:
    return set(attributes.get("class", "").lower().split())


def _is_signature(attributes: dict[str, str]) -> bool:
    # Only marks that the mail program sets itself. Outlook's own "Signature" div is left alone: people type into it.
    if attributes.get("data-signatureblock") == "true" or attributes.get("id", "").lower() in _SIGNATURE_IDS:
        return True
    return bool(_classes(attributes) & _SIGNATURE_CLASSES)


def _mark(tree: LexborHTMLParser, node: LexborNode, attributes: dict[str, str], state: _Inherited) -> _Inherited:
    """Put a mark in the place of a quote, or a line before a reply; return what the children inherit."""
    if attributes.get("id", "").lower() in _REPLY_IDS:
        line = tree.create_node("p")
        line.inner_html = REPLY_LINE
        node.insert_before(line)
    elif _is_quote(node.tag or "", attributes, state):
        # A forwarded mail sits in the same wrappers and is what the customer wants us to read, with all it quotes.
        if _FORWARD_START.match((node.text() or "")[:200]):
            return state._replace(forwarded=True)
        node.inner_html = QUOTE_MARK
    return state


def _is_quote(tag: str, attributes: dict[str, str], state: _Inherited) -> bool:
    classes = _classes(attributes)
    if tag != "blockquote":
        return bool(classes & _QUOTE_CLASSES)
    # Gmail's "quote" button makes the same element outside of the wrapper it puts around the mail replied to.
    return attributes.get("type", "").lower() == "cite" or ("gmail_quote" in classes and state.gmail)


def _inscriptis_text(html: str) -> str:
    # Styles have done their work: margins and paddings would only be turned into (millions of) blanks.
    html = re.sub(r'\sstyle="[^"]*"', "", html)
    try:
        return str(get_text(html, _CONFIG))
    except Exception:  # a layout engine fed by strangers: whatever it raises, selectolax answers instead
        return ""


def _selectolax_text(tree: LexborHTMLParser, blocks: list[LexborNode]) -> str:
    for node in blocks:
        node.insert_before("\n")
    return tree.root.text() if tree.root else ""
