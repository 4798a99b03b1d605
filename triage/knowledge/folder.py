"""Markdown files of a folder as documents, for a desk without a help centre."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from triage.knowledge.documents import MAX_TITLE, Document, language_of, storable
from triage.sources import FILE

MAX_FILES = 5000
MAX_BYTES = 1024 * 1024
MAX_KEY = 300
NO_FOLDER = "{folder} is no folder that can be read; name one that holds .md files"
TOO_MANY = "{folder} holds more than {most} Markdown files; name a narrower folder"
TOO_LARGE = "larger than 1 MB: split it"
NO_TEXT = "not UTF-8 text: save it as UTF-8"
UNREADABLE = "cannot be read: {reason}"
ODD_NAME = "its name is not UTF-8: rename it"
LONG_NAME = "its path has more than 300 characters"
SUFFIXES = (".md", ".markdown")
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.DOTALL)
_SETTING = re.compile(r"^(title|lang|language|locale|draft|published)[ \t]*:[ \t]*(.*?)[ \t]*$", re.M | re.I)
_TITLE = re.compile(r"^#[ \t]+(.+?)[ \t]*#*$", re.M)
_LANGUAGE_IN_NAME = re.compile(r"^(.+)\.([a-z]{2}(?:-[A-Za-z]{2,4})?)$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_PICTURE = re.compile(r"!\[([^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])")
_MARKS = re.compile(r"(\*\*|__|~~|`)")
_BULLET = re.compile(r"^[ \t]*(?:[-*+]|>)[ \t]+", re.M)
_RULE = re.compile(r"^[ \t]*(?:```.*|~~~.*|[-*_]{3,}|\|?[ \t:|-]+\|[ \t:|-]*)$", re.M)
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,200}>")


class FolderError(Exception):
    """The folder as a whole cannot be read; the message says what to do."""


@dataclass
class Reading:
    """What a folder holds."""

    documents: list[Document] = field(default_factory=list)
    drafts: int = 0
    """Files that say of themselves that they are not published."""
    refused: dict[str, str] = field(default_factory=dict)
    """Path in the folder -> why it was not read."""


def read_folder(folder: Path) -> Reading:
    """Return the published Markdown files below `folder`. Raises FolderError where it cannot be listed."""
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        raise FolderError(NO_FOLDER.format(folder=folder))
    found = Reading()
    for place, path in enumerate(_files(folder.resolve())):
        if place == MAX_FILES:
            raise FolderError(TOO_MANY.format(folder=folder, most=MAX_FILES))
        key = path.relative_to(folder.resolve()).as_posix()
        try:
            _take(found, key, path)
        except OSError as error:
            found.refused[key] = UNREADABLE.format(reason=error.strerror or type(error).__name__)
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a fixed order; hidden ones, and links that lead out of the folder, are left alone."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in SUFFIXES and not hidden and path.is_file() and path.resolve().is_relative_to(folder):
            yield path


def _take(found: Reading, key: str, path: Path) -> None:
    if storable(key) != key:
        found.refused[storable(key)] = ODD_NAME
    elif len(key) > MAX_KEY:
        found.refused[key] = LONG_NAME
    elif path.stat().st_size > MAX_BYTES:
        found.refused[key] = TOO_LARGE
    else:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            found.refused[key] = NO_TEXT
            return
        document = of_markdown(key, text)
        found.drafts += document is None
        found.documents += [document] if document else []


def of_markdown(key: str, text: str) -> Document | None:
    """Return a file's document, None where it says that it is not published."""
    front = _FRONT.match(text)
    said = {name.lower(): value.strip("\"'") for name, value in _SETTING.findall(front[1] if front else "")}
    if said.get("draft", "").lower() in ("true", "yes") or said.get("published", "").lower() in ("false", "no"):
        return None
    body = storable(plain(text[front.end() :] if front else text))
    stem = Path(key).with_suffix("").as_posix()
    named = _LANGUAGE_IN_NAME.match(stem)
    heading = _TITLE.search(body)
    title = said.get("title") or (heading[1] if heading else Path(stem).name.replace("-", " ").replace("_", " "))
    told = said.get("lang") or said.get("language") or said.get("locale") or (named[2] if named else "")
    return Document(
        kind=FILE,
        key=key,
        group=named[1] if named else stem,
        language=language_of(told, body),
        title=storable(title)[:MAX_TITLE],
        path="",
        body=body,
    )


def plain(markdown: str) -> str:
    """Return Markdown as plain text that keeps its headings."""
    text = _COMMENT.sub("", markdown.replace("\r\n", "\n"))
    text = _LINK.sub(r"\1", _PICTURE.sub(r"\1", text))
    text = _TAG.sub("", _MARKS.sub("", _RULE.sub("", text)))
    return _BULLET.sub("", text).replace("|", " ").strip()
