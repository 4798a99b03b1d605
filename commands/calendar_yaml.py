"""Imported business hours as lines of `tandem.yaml`, and put into that file with its comments and `${NAME}` kept."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from connectors.schedules import Schedule
from triage.errors import SettingsError
from triage.settings_file import VARIABLE

THERE = "{file} has a calendar '{name}' already; add --replace to write over it"
TWICE = "two sets of business hours would be called '{name}' here; rename one of them in the helpdesk"
NO_MAP = "{file}: '{key}' is no section; mend it first"
STAND_IN = re.compile(r"__ENV__([A-Za-z0-9_]+?)__END__")
# A list of dates longer than this takes a line each.
SHORT_LIST = 4


def lines(schedules: Sequence[Schedule]) -> str:
    """Return the section to paste."""
    tree = CommentedMap()
    _put(tree, schedules, "", replace=False)
    return _dumped(tree)


def added(text: str, schedules: Sequence[Schedule], file: str, *, replace: bool) -> str:
    """Return the settings file `text` with the calendars in it; everything else stays as it is.

    The helpdesk's default one becomes `sla.calendar` where none is named. Raises SettingsError for a calendar that is
    there already, unless `replace`.
    """
    tree = _yaml(text).load(VARIABLE.sub(r"__ENV__\1__END__", text))
    tree = CommentedMap() if tree is None else tree
    _put(tree, schedules, file, replace=replace)
    # The parser drops empty lines at the top.
    top = text[: len(text) - len(text.lstrip("\n"))]
    return top + STAND_IN.sub(r"${\1}", _dumped(tree, text))


def save(path: Path, text: str) -> None:
    """Write the file in one step, with the rights it had: a crash leaves the old one or the new one."""
    mode = path.stat().st_mode
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _put(tree: CommentedMap, schedules: Sequence[Schedule], file: str, *, replace: bool) -> None:
    sla = _section(tree, "sla", file)
    default = next((one for one in schedules if one.is_default), None)
    if default and "calendar" not in sla:
        sla["calendar"] = default.key
    calendars = _section(sla, "calendars", file)
    keys = [one.key for one in schedules]
    for one in schedules:
        if keys.count(one.key) > 1:
            raise SettingsError(TWICE.format(name=one.key))
        if one.key in calendars and not replace:
            raise SettingsError(THERE.format(file=file, name=one.key))
        calendars[one.key] = _calendar(one)


def _section(tree: CommentedMap, key: str, file: str) -> CommentedMap:
    if tree.get(key) is None:
        tree[key] = CommentedMap()
    if not isinstance(tree[key], CommentedMap):
        raise SettingsError(NO_MAP.format(file=file, key=key))
    found: CommentedMap = tree[key]
    return found


def _calendar(one: Schedule) -> CommentedMap:
    found = CommentedMap({"time_zone": one.time_zone})
    if one.hours:
        found["hours"] = CommentedMap(
            {day: times[0] if len(times) == 1 else _flow(times) for day, times in one.hours.items()}
        )
        found["hours"].fa.set_flow_style()
    if one.closed:
        found["closed"] = _flow(one.closed) if len(one.closed) <= SHORT_LIST else CommentedSeq(one.closed)
    return found


def _flow(items: Sequence[Any]) -> CommentedSeq:
    listed = CommentedSeq(items)
    listed.fa.set_flow_style()
    return listed


def _yaml(text: str = "") -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    # Lines stay as long as they are.
    yaml.width = 1_000_000
    if re.search(r"^( *)[^ #\n][^\n]*:[^\S\n]*(?:#[^\n]*)?\n\1 +- ", text, re.MULTILINE):
        yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dumped(tree: CommentedMap, text: str = "") -> str:
    out = io.StringIO()
    _yaml(text).dump(tree, out)
    return out.getvalue()
