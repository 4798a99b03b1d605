"""Changes variables in the text of a `.env` file; every other line stays as it is, byte for byte."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from triage.errors import SettingsError

PLAIN = re.compile(r"[A-Za-z0-9_./:@=+%,~-]+", re.ASCII)
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# With which some editors begin a file; no part of the first name.
MARK = "\ufeff"
CANNOT = ".env: {name} cannot be written so that it reads back the same; write it there by hand"


def read_variables(text: str) -> dict[str, str]:
    """Return the variables that `text` sets."""
    found = dotenv_values(stream=io.StringIO(text.removeprefix(MARK), newline=""), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def set_variables(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with `values` set: in the line that sets each already, else at the end."""
    wanted = {name: value for name, value in values.items() if read_variables(text).get(name) != value}
    ending = "\r\n" if "\r\n" in text else "\n"
    waiting = dict(wanted)
    parts = []
    for binding in _bindings(text):
        if binding.key not in wanted:
            parts.append(binding.original.string)
        elif binding.key in waiting:
            parts.append(_before(binding) + _line(binding.key, waiting.pop(binding.key), ending))
        else:
            # Set twice: the last one would win.
            parts.append(_before(binding))
    together = _mark(text) + "".join(parts)
    if waiting and together and not together.endswith("\n"):
        together += ending
    together += "".join(_line(name, value, ending) for name, value in waiting.items())
    return _checked(together, read_variables(text) | wanted)


def drop_variables(text: str, names: Collection[str]) -> str:
    """Return `text` without the variables `names`."""
    parts = [_before(one) if one.key in names else one.original.string for one in _bindings(text)]
    rest = {name: value for name, value in read_variables(text).items() if name not in names}
    return _checked(_mark(text) + "".join(parts), rest)


def _mark(text: str) -> str:
    return MARK if text.startswith(MARK) else ""


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(io.StringIO(text.removeprefix(MARK), newline="")))


def _before(binding: Binding) -> str:
    """Return the empty lines that the parser counts as part of what follows them."""
    text = binding.original.string
    return text[: len(text) - len(text.lstrip("\r\n"))]


def _line(name: str, value: str, ending: str) -> str:
    if PLAIN.fullmatch(value):
        return f"{name}={value}{ending}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'{ending}"


def _checked(text: str, expected: Mapping[str, str]) -> str:
    found = read_variables(text)
    for name, value in expected.items():
        if found.get(name) != value:
            raise SettingsError(CANNOT.format(name=name))
    return text
