"""Changes single keys in the text of `tandem.yaml`; every other line stays as it is, byte for byte.

The parser only says where things stand: lines are cut out and put in, so that comments, blanks and line endings
survive. The result is read again and compared with what it should say; a file that cannot be changed like this (keys
taken from anchors, say) is refused with what to write by hand.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from triage.errors import SettingsError
from triage.settings_file import STAND_IN, VARIABLE, Reader, read_yaml

Keys = tuple[str, ...]
# As the parser counts lines.
LINE = re.compile(r"[^\n\r\x85\u2028\u2029]*(?:\r\n|[\n\r\x85\u2028\u2029])|[^\n\r\x85\u2028\u2029]+")
PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*", re.ASCII)
WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
WHOLE_VARIABLE = re.compile(VARIABLE.pattern)
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
STEP = 2
CANNOT = (
    "{name} cannot be changed without a risk to what else stands in it; write by hand under {where}: {key}: {value}"
)
CANNOT_DROP = "{name} cannot be changed without a risk to the rest of it; remove {where} by hand"


def set_key(text: str, path: Keys, value: Any, name: str = "tandem.yaml") -> str:
    """Return `text` with `value` (of dicts, lists, texts, numbers) at `path`; unchanged where it says so already."""
    tree = _tree(text, name)
    if _has(tree, path) and _plain(_at(tree, path)) == _plain_of(value):
        return text
    try:
        changed = _set(text, tree, path, value)
        expected = _with(_plain(tree), path, _plain_of(value))
        if _plain(_tree(changed, name)) == expected and not _comments(text) - _comments(changed):
            return changed
    except (SettingsError, LookupError, ValueError, TypeError):
        pass
    where = ".".join(path[:-1]) or "the top"
    raise SettingsError(CANNOT.format(name=name, where=where, key=path[-1], value=render(value)))


def drop_key(text: str, path: Keys, name: str = "tandem.yaml") -> str:
    """Return `text` without what stands at `path` and the comments inside of it."""
    tree = _tree(text, name)
    if not _has(tree, path):
        return text
    expected = _plain(tree)
    parent = _at(expected, path[:-1])
    del parent[path[-1]]
    try:
        changed, lost = _drop(text, tree, path)
        if _plain(_tree(changed, name)) == expected and not _comments(text) - _comments(changed) - _comments(lost):
            return changed
    except (SettingsError, LookupError, ValueError, TypeError):
        pass
    raise SettingsError(CANNOT_DROP.format(name=name, where=".".join(path)))


def variables_at(text: str, path: Keys) -> dict[Keys, str]:
    """Return the variable that each value below `path` is taken from, where it is one `${NAME}` and no more."""
    tree = _tree(text, "tandem.yaml")
    if not _has(tree, path):
        return {}
    found: dict[Keys, str] = {}
    for below, value in _leaves(_at(tree, path)):
        if isinstance(value, str) and (one := STAND_IN.fullmatch(value)):
            found[below] = one[1]
    return found


def value_at(text: str, path: Keys) -> Any:
    """Return what stands at `path` as plain data with `${NAME}` as written; None where nothing does."""
    tree = _tree(text, "tandem.yaml")
    return _plain(_at(tree, path)) if _has(tree, path) else None


def render(value: Any) -> str:
    """Return `value` as one line of YAML; a text that is one `${NAME}` stays bare."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{render(str(key))}: {render(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(render(one) for one in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if WHOLE_VARIABLE.fullmatch(value) or (PLAIN.fullmatch(value) and value.lower() not in WORDS):
        return value
    if "${" in value:
        raise SettingsError(f"a text with ${{ in it cannot stand in tandem.yaml: {value!r}")
    quoted = json.dumps(value, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _tree(text: str, name: str) -> CommentedMap:
    tree = read_yaml(text, name)
    if tree is None:
        return CommentedMap()
    if not isinstance(tree, CommentedMap):
        raise SettingsError(f"{name} line 1: must start with keys like 'desks:'; see tandem.example.yaml")
    return tree


def _set(text: str, tree: CommentedMap, path: Keys, value: Any) -> str:
    """Put `value` in: into its own line, a new line of its section, or anew into the flow text around it."""
    lines, ending = LINE.findall(text), "\r\n" if "\r\n" in text else "\n"
    depth = _known(tree, path)
    above = _at(tree, path[:depth])
    if isinstance(above, CommentedMap) and above.fa.flow_style() and above:
        return _set_in_flow(lines, tree, path, value)
    if depth == len(path):
        # It stands there with another value.
        parent = _at(tree, path[:-1])
        if parent.fa.flow_style():
            return _set_in_flow(lines, tree, path, value)
        first, after = _extent(lines, tree, path)
        return _spliced(lines, first, after, _replaced(lines[first:after], parent.lc.key(path[-1])[1], render(value)))
    if isinstance(above, CommentedMap) and above:
        column = above.lc.key(next(iter(above)))[1]
        last = list(above)[-1]
        _, at = _extent(lines, tree, (*path[:depth], last))
    elif depth:
        # A section without anything in it: `desks:`, `desks: {}`.
        first, at = _extent(lines, tree, path[:depth])
        parent = _at(tree, path[: depth - 1])
        column = parent.lc.key(path[depth - 1])[1] + STEP
        kept = _replaced(lines[first:at], column - STEP, "")
        lines[first:at] = [one + ending for one in kept]
        at = first + len(kept)
    else:
        column, at = 0, len(lines)
    return _spliced(lines, at, at, list(_nested(path[depth:], value, column)))


def _set_in_flow(lines: list[str], tree: CommentedMap, path: Keys, value: Any) -> str:
    """Write the outermost `{...}` on the way to `path` anew, on one line."""
    outer = next(n for n in range(1, len(path) + 1) if _at(tree, path[:n]).fa.flow_style())
    shown = render(_with(_plain(_at(tree, path[:outer])), path[outer:], value))
    first, after = _extent(lines, tree, path[:outer])
    column = _at(tree, path[: outer - 1]).lc.key(path[outer - 1])[1]
    return _spliced(lines, first, after, _replaced(lines[first:after], column, shown))


def _drop(text: str, tree: CommentedMap, path: Keys) -> tuple[str, str]:
    """Cut `path` out; return the rest and what was cut."""
    lines, ending = LINE.findall(text), "\r\n" if "\r\n" in text else "\n"
    parent = _at(tree, path[:-1])
    if parent.fa.flow_style():
        raise LookupError
    first, after = _extent(lines, tree, path)
    cut = "".join(lines[first:after])
    empty: list[str] = []
    if len(parent) == 1 and len(path) > 1:
        head = _at(tree, path[:-2]).lc.key(path[-2])[0]
        lines[head] = _headed(lines[head].rstrip("\r\n"), " {}") + ending
    return _spliced(lines, first, after, empty), cut


def _headed(line: str, value: str) -> str:
    """Return `key:  # comment` with `value` after the colon."""
    key, comment = re.fullmatch(r"([^#]*:)(\s*(?:#.*)?)", line).groups()  # type: ignore[union-attr]
    return f"{key}{value}{comment.rstrip()}"


def _extent(lines: list[str], tree: CommentedMap, path: Keys) -> tuple[int, int]:
    """Return the first line of the entry at `path` and the one after its last, without the comments below it."""
    parent = _at(tree, path[:-1])
    first = parent.lc.key(path[-1])[0]
    column = parent.lc.key(path[-1])[1]
    after = len(lines)
    for number in range(first + 1, len(lines)):
        line = lines[number].strip()
        if line and not line.startswith("#") and _indent(lines[number]) <= column and not _inside(tree, number):
            after = number
            break
    while after > first + 1 and (not lines[after - 1].strip() or lines[after - 1].lstrip().startswith("#")):
        after -= 1
    return first, after


def _inside(tree: CommentedMap, number: int) -> bool:
    """Say whether no key of a block begins on line `number`: the end of a `{...}` may stand at the margin."""
    return not any(line == number for line in _key_lines(tree))


def _key_lines(node: Any) -> Iterator[int]:
    if isinstance(node, CommentedMap) and not node.fa.flow_style():
        for key, value in node.items():
            try:
                yield node.lc.key(key)[0]
            except KeyError:  # from a merged anchor
                continue
            yield from _key_lines(value)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _replaced(old: list[str], column: int, value: str) -> list[str]:
    """Return the lines of the key in `old` with `value`, and the comments that stood there."""
    within = [one.rstrip("\r\n") for one in old[1:] if one.lstrip().startswith("#")]
    comments = [found for one in old if not one.lstrip().startswith("#") and (found := _trailing(one, old))]
    head = f"{' ' * column}{_key_text(old[0], column)}:" + (value and f" {value}")
    if comments:
        head += "  " + comments[0]
    return [*(" " * column + one for one in comments[1:]), *(" " * column + one.strip() for one in within), head]


def _key_text(line: str, column: int) -> str:
    """Return the key as written, quotes and all."""
    found = re.match(r"""("[^"]*"|'[^']*'|[^:#]*?)\s*:""", line[column:])
    assert found is not None
    return found[1]


def _trailing(line: str, old: list[str]) -> str:
    """Return the comment at the end of `line`, where one is: what the parser would not read."""
    body = line.rstrip("\r\n")
    comments = _comments("".join(old))
    for found in re.finditer(r"(?<=\s)#", body):
        if comments[body[found.start() :].strip()]:
            return body[found.start() :].strip()
    return ""


def _nested(path: Keys, value: Any, column: int) -> Iterator[str]:
    """Yield the lines of `value` below keys of its own, the innermost two levels in blocks."""
    for place, key in enumerate(path[:-1]):
        yield f"{' ' * (column + STEP * place)}{render(key)}:"
    inner = column + STEP * (len(path) - 1)
    if isinstance(value, Mapping) and value:
        yield f"{' ' * inner}{render(path[-1])}:"
        for key, one in value.items():
            yield f"{' ' * (inner + STEP)}{render(str(key))}: {render(one)}"
    else:
        yield f"{' ' * inner}{render(path[-1])}: {render(value)}"


def _spliced(lines: list[str], first: int, after: int, new: list[str]) -> str:
    ending = "\r\n" if any(one.endswith("\r\n") for one in lines) else "\n"
    before = lines[:first]
    if before and not before[-1].endswith(("\n", "\r")):
        before[-1] += ending
    return "".join([*before, *(one + ending for one in new), *lines[after:]])


def _known(tree: CommentedMap, path: Keys) -> int:
    """Return how many steps of `path` there are already."""
    return next((n for n in range(len(path), 0, -1) if _has(tree, path[:n])), 0)


def _has(tree: Any, path: Keys) -> bool:
    for step in path:
        if not isinstance(tree, dict) or step not in tree:
            return False
        tree = tree[step]
    return True


def _at(tree: Any, path: Keys) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _with(plain: Any, path: Keys, value: Any) -> Any:
    """Return `plain` with `value` at `path`."""
    if not path:
        return value
    here = dict(plain or {})
    here[path[0]] = _with(here.get(path[0]), path[1:], value)
    return here


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return STAND_IN.sub(r"${\1}", str(node)) if isinstance(node, str) else node


def _plain_of(value: Any) -> Any:
    """Return `value` as it will be read back."""
    return json.loads(json.dumps(value))


def _leaves(node: Any, path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(node, CommentedSeq):
        for place, value in enumerate(node):
            yield from _leaves(value, (*path, str(place)))
    else:
        yield path, node


def _comments(text: str) -> Counter[str]:
    """Count the comments of `text` as the parser finds them."""
    reader = YAML(typ="rt")
    reader.Constructor = Reader
    found: Counter[str] = Counter()
    substituted = VARIABLE.sub(r"__ENV__\1__END__", text)
    for token in reader.scan(substituted):
        for comment in _of_token(token):
            for line in comment.splitlines():
                if line.strip().startswith("#"):
                    found[STAND_IN.sub(r"${\1}", line.strip())] += 1
    return found


def _of_token(token: Any) -> Iterator[str]:
    """Yield the comments the parser hung onto a token."""
    pending = [getattr(token, "_comment", None)]
    while pending:
        one = pending.pop()
        if isinstance(one, list | tuple):
            pending.extend(one)
        elif one is not None and hasattr(one, "value"):
            yield str(one.value)
