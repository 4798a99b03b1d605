"""Reads `tandem.yaml`: fills in `${NAME}`, checks every key, and says file, line and remedy when something is wrong."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from triage.errors import SettingsError
from triage.settings import (
    TAG_LENGTH,
    Auth,
    CustomerFields,
    Desk,
    Llm,
    OAuthClient,
    Priority,
    Retention,
    Settings,
    Team,
    Thresholds,
)
from triage.settings_feedback import Feedback, Question, When
from triage.settings_sla import Action, BreachAction, Calendar, Override, QuietHours, Sla
from triage.settings_speech import ESCALATED, UNKNOWN_TEAM, AutoReply, SafeToSend, SpeechRules

# A settings file of a thousand teams has some ten thousand.
MAX_BYTES = 1_000_000
MAX_NODES = 100_000
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# A bare ${NAME} is no YAML inside [..] and {..}: it is read as this word and filled in after parsing, so that a
# secret's own characters can never change what the file means.
STAND_IN = re.compile(r"__ENV__([A-Za-z0-9_]+?)__END__")
# The parser quotes the value of a key given twice and of aliases, anchors and tags, which is how a secret that begins
# with * & or ! reads: keep only what stands before it.
QUOTED_VALUE = re.compile(r" (with value|alias|anchor|handle|tag) .*", re.DOTALL)
REMEDIES = {
    "missing": "is missing; add it",
    "string_too_short": "is empty; fill it in",
    "too_short": "is empty; add at least one",
    "literal_error": "{msg}",
    "enum": "{msg}",
}
# Which section a key belongs to, by the name above it (or by the one above that, for named entries).
SECTIONS: dict[str, type[BaseModel]] = {
    "desks": Desk,
    "teams": Team,
    "priorities": Priority,
    "auth": Auth,
    "oauth": OAuthClient,
    "customer_fields": CustomerFields,
    "thresholds": Thresholds,
    "llm": Llm,
    "retention": Retention,
    "sla": Sla,
    "calendars": Calendar,
    "overrides": Override,
    "on_risk": Action,
    "on_breach": BreachAction,
    "quiet_hours": QuietHours,
    "feedback": Feedback,
    "questions": Question,
    "when": When,
    "speech": SpeechRules,
    "safe": SafeToSend,
    "auto_reply": AutoReply,
}


class Reader(RoundTripConstructor):
    """Leaves dates as text: the YAML library would end at 2026-02-30 without naming its line."""


Reader.add_constructor("tag:yaml.org,2002:timestamp", Reader.construct_yaml_str)


def load_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings of `path`. Raises SettingsError with file, line and remedy; a missing file is one."""
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            # Reading it would hold up whoever asks for minutes.
            raise SettingsError(f"{path} is larger than {MAX_BYTES // 1000} kB; is it the right file?")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist; copy tandem.example.yaml there or set TANDEM_CONFIG") from None
    except OSError as error:
        kind = type(error).__name__
        raise SettingsError(f"{path} cannot be read ({kind}); make it a file that Tandem's user may read") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} cannot be read; save it as UTF-8 text") from None
    return parse_settings(text, environment, path.name)


def parse_settings(text: str, environment: Mapping[str, str], name: str = "tandem.yaml") -> Settings:
    """Return the settings written in `text`; `name` is the file named in errors."""
    tree = read_yaml(text, name)
    if tree is None:
        tree = CommentedMap()
    if not isinstance(tree, CommentedMap):
        raise SettingsError(f"{name} line 1: must start with keys like 'desks:'; see tandem.example.yaml")
    if _size(tree) > MAX_NODES:
        raise SettingsError(f"{name} is too large, or its anchors repeat too much; write it without anchors")
    plain = _fill(tree, environment, name, 1)
    try:
        settings = Settings.model_validate(plain)
    except ValidationError as error:
        raise SettingsError(_explain(error, tree, name)) from None
    _check_teams(settings, tree, name)
    _check_sla(settings, tree, name)
    _check_speech(settings, tree, name)
    return settings


def read_yaml(text: str, name: str) -> Any:
    """Return the tree of `text` with a stand-in for every `${NAME}`. Raises SettingsError with line and problem."""
    try:
        with warnings.catch_warnings():
            # They quote the file.
            warnings.simplefilter("ignore")
            reader = YAML(typ="rt")
            reader.Constructor = Reader
            return reader.load(VARIABLE.sub(r"__ENV__\1__END__", text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = QUOTED_VALUE.sub(r" \1", str(error.problem)).removesuffix(" with value")
        raise SettingsError(f"{name} line {line}: {problem}; mend the YAML there") from None
    except (YAMLError, ValueError, RecursionError):
        raise SettingsError(f"{name} is no YAML; see tandem.example.yaml for its shape") from None


def _check_teams(settings: Settings, tree: CommentedMap, name: str) -> None:
    """Raise SettingsError for a mode of a team that does not exist and for a team too long to be a tag."""
    for desk, team in settings.unknown_teams():
        line, _ = _place(tree, ("desks", desk, "teams", team))
        known = ", ".join(sorted(settings.teams))
        raise SettingsError(f"{name} line {line}: desks.{desk}.teams: '{team}' is no team; the teams are {known}")
    for question, team in settings.unknown_question_teams():
        line, _ = _place(tree, ("questions", question, "when", "teams"))
        known = ", ".join(sorted(settings.teams))
        raise SettingsError(
            f"{name} line {line}: questions.{question}.when.teams: '{team}' is no team; the teams are {known}"
        )
    for team in settings.teams:
        tag = settings.team_tag(team)
        if len(tag) > TAG_LENGTH:
            line, _ = _place(tree, ("teams", team))
            raise SettingsError(
                f"{name} line {line}: teams.{team}: its tag '{tag}' is longer than {TAG_LENGTH} characters; "
                "shorten the name or tag_prefix"
            )


def _check_sla(settings: Settings, tree: CommentedMap, name: str) -> None:
    """Raise SettingsError for hours that overlap or are none, and for names that stand for nothing."""
    for path, text in settings.sla.faults(settings.teams):
        line, trail = _place(tree, ("sla", *path))
        raise SettingsError(f"{name} line {line}: {'.'.join(trail)}: {text}")


def _check_speech(settings: Settings, tree: CommentedMap, name: str) -> None:
    """Raise SettingsError for an auto-reply to a team that is none, or whose tickets are always a person's."""
    own = [(("desks", key, "speech"), desk.speech) for key, desk in settings.desks.items() if desk.speech]
    for path, rules in [(("speech",), settings.speech), *own]:
        for key, category in rules.auto_reply.items():
            team = settings.teams.get(category.team)
            if team and not team.escalate:
                continue
            text = ESCALATED if team else UNKNOWN_TEAM
            line, trail = _place(tree, (*path, "auto_reply", key, "team"))
            said = text.format(team=category.team, known=", ".join(sorted(settings.teams)))
            raise SettingsError(f"{name} line {line}: {'.'.join(trail)}: {said}")


def _fill(node: Any, environment: Mapping[str, str], name: str, line: int) -> Any:
    """Return `node` as plain data with every stand-in replaced by its variable."""
    if isinstance(node, CommentedMap):
        return {
            str(key): _fill(value, environment, name, _line_of_key(node, key) or line) for key, value in node.items()
        }
    if isinstance(node, CommentedSeq):
        return [_fill(value, environment, name, _line_of_item(node, i) or line) for i, value in enumerate(node)]
    if isinstance(node, str):
        if "${" in node:
            raise SettingsError(f"{name} line {line}: a variable is written ${{NAME}}: letters, digits and _ only")
        return STAND_IN.sub(lambda found: _variable(found[1], environment, name, line), str(node))
    return node


def _variable(variable: str, environment: Mapping[str, str], name: str, line: int) -> str:
    value = environment.get(variable, "")
    if not value:
        raise SettingsError(f"{name} line {line}: ${{{variable}}} is not set; add {variable}=... to .env")
    return value


def _line_of_key(node: CommentedMap, key: Any) -> int | None:
    try:
        return int(node.lc.key(key)[0]) + 1
    except (KeyError, TypeError, AttributeError):
        return None


def _line_of_item(node: CommentedSeq, index: int) -> int | None:
    try:
        return int(node.lc.item(index)[0]) + 1
    except (KeyError, TypeError, AttributeError):
        return None


def _size(node: Any, budget: int = MAX_NODES) -> int:
    """Count the nodes of the tree, as often as anchors repeat them, up to a little more than `budget`."""
    size = 1
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        if size > budget:
            break
        size += _size(child, budget - size)
    return size


def _explain(error: ValidationError, tree: CommentedMap, name: str) -> str:
    """Return one sentence for the first error: file, line, key and remedy, never the value."""
    # A misspelt key is also a missing one: name the misspelling.
    errors = error.errors(include_input=False)
    first = min(errors, key=lambda e: (e["type"] != "extra_forbidden", _place(tree, e["loc"])[0]))
    line, trail = _place(tree, first["loc"])
    where = ".".join(trail)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(trail[-1], _keys_at(trail), n=1, cutoff=0.6)
        advice = f"did you mean '{close[0]}'?" if close else "remove it, or see tandem.example.yaml for the known keys"
        return f"{name} line {line}: '{where}' is not a known key; {advice}"
    remedy = REMEDIES.get(first["type"], "{msg}").format(msg=_lower_first(message))
    return f"{name} line {line}: {where}{': ' if where else ''}{remedy}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:] if text[:2] != text[:2].upper() else text


def _place(tree: CommentedMap, location: tuple[int | str, ...]) -> tuple[int, list[str]]:
    """Return the line of `location` in the file and the keys that lead to it."""
    node: Any = tree
    line, trail = 1, []
    for step in location:
        if isinstance(node, CommentedMap):
            # `P0` in the file is `P0_critical` in the settings.
            key = step if step in node else next((k for k in node if str(step).split("_")[0] == k), None)
            if str(step) == "[key]":
                continue
            trail.append(str(step))
            if key is None:
                break
            line, node = _line_of_key(node, key) or line, node[key]
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line, node = _line_of_item(node, step) or line, node[step]
    return line, trail


def _keys_at(trail: list[str]) -> list[str]:
    """Return the keys that may stand where the last one of `trail` stands."""
    above = [name for name in trail[:-1][-2:] if name in SECTIONS]
    return list((SECTIONS[above[-1]] if above else Settings).model_fields)
