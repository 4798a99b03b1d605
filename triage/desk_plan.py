"""What connecting a desk writes into `tandem.yaml` and `.env`: planned as text, shown as a diff, then put in place."""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from triage.env_edit import drop_variables, read_variables, set_variables
from triage.errors import SettingsError
from triage.file_swap import SECRET, backup_of, may_swap, one_at_a_time, read_exactly, swap
from triage.settings import LOOPBACK, NAME, Desk, Settings
from triage.settings_edit import drop_key, set_key, value_at, variables_at
from triage.settings_file import VARIABLE, parse_settings

Kind = Literal["oauth", "token", "key"]
KINDS: dict[str, tuple[Kind, ...]] = {"zendesk": ("oauth", "token"), "freshdesk": ("key",)}
WEBHOOK = "webhook_secret"
# Where each value stands below a desk, and the end of its variable's name.
PLACES: dict[Kind, dict[str, tuple[str, ...]]] = {
    "oauth": {"client_id": ("auth", "oauth", "client_id"), "client_secret": ("auth", "oauth", "client_secret")},
    "token": {"api_token": ("auth", "api_token")},
    "key": {"api_key": ("auth", "api_key")},
}
SECRET_PLACES = [place for places in PLACES.values() for role, place in places.items() if role != "client_id"]
HIDDEN = "(not shown)"
WEBHOOK_PLACE = ("webhook_secrets", "0")
BAD_NAME = (
    "'{}' cannot be a desk's name: small letters, digits, _ and -, 40 at most; it becomes part of the webhook URL"
)
ODD_GROUP = "the group '{}' cannot stand in tandem.yaml, ${{ begins a variable there: choose another, or rename it"
NO_DIFF = "tandem.yaml stays as it is"


@dataclass(frozen=True)
class Plan:
    """A desk as it shall stand in the settings; `secrets` by the keys of `PLACES` and `WEBHOOK`."""

    name: str
    platform: str
    url: str
    kind: Kind
    mode: str = ""
    """Empty keeps what stands there, and proposes `watch` for a new desk."""
    email: str = ""
    scope: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Team -> group, where it is to change."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def roles(self) -> tuple[str, ...]:
        """Return what this kind of credential consists of, as keys of `secrets`."""
        return tuple(PLACES[self.kind])

    def variables(self, text: str) -> dict[str, str]:
        """Return the variable of each secret: the one `text` names already, else one after the desk."""
        known = variables_at(text, ("desks", self.name))
        mine = re.sub(r"[^A-Z0-9]", "_", self.name.upper())
        mine = mine if mine[0].isalpha() else f"DESK_{mine}"
        places = PLACES[self.kind] | {WEBHOOK: WEBHOOK_PLACE}
        taken = _taken_by_others(text, self.name)
        found = {role: known.get(place, "") for role, place in places.items()}
        return {role: one if one and one not in taken else f"{mine}_{role.upper()}" for role, one in found.items()}

    def webhook(self, public: str) -> str:
        """Return the address the helpdesk calls, where we are reached at `public`."""
        return f"{public}/webhooks/{self.platform}/{self.name}"

    def auth(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the `auth:` section with `values` by the keys of `PLACES`."""
        if self.kind == "oauth":
            scope = {"scope": self.scope} if self.scope else {}
            return {"oauth": {"client_id": values["client_id"], "client_secret": values["client_secret"], **scope}}
        if self.kind == "token":
            return {"email": self.email, "api_token": values["api_token"]}
        return {"api_key": values["api_key"]}

    def desk(self) -> Desk:
        """Return the desk as the settings would hold it. Raises SettingsError that says what is wrong."""
        values = {
            "platform": self.platform,
            "url": self.url,
            "auth": self.auth(self.secrets),
            # Only to ask the helpdesk with: whoever calls us is checked by the settings themselves.
            "webhook_secrets": [self.secrets.get(WEBHOOK) or "-" * 24],
            **({"mode": self.mode} if self.mode else {}),
        }
        check_name(self.name)
        try:
            return Desk.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            said = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"{where}: {said}" if where else said) from None


@dataclass(frozen=True)
class Files:
    """The two files of an installation."""

    config: Path
    env: Path

    def texts(self) -> tuple[str, str]:
        """Return both as they are; empty where there is none."""
        return read_exactly(self.config), read_exactly(self.env)

    def unwritable(self) -> tuple[Path, ...]:
        """Return those of the two that cannot be replaced from here."""
        return tuple(path for path in (self.config, self.env) if not may_swap(path))

    def write(self, config: str, env: str) -> None:
        """Put both in place; a name is defined before it is used, and used no more before it goes."""
        old_config, old_env = self.texts()
        wider = set(read_variables(env)) >= set(read_variables(old_env))
        for path, text, old, mode in (
            [(self.env, env, old_env, SECRET), (self.config, config, old_config, None)]
            if wider
            else [(self.config, config, old_config, None), (self.env, env, old_env, SECRET)]
        ):
            if text != old:
                swap(path, text, mode, _without_secrets(old_config, config) if path == self.config else None)

    def alone(self) -> AbstractContextManager[None]:
        """Return what keeps another connect waiting between reading both files and writing them. Do not nest."""
        return one_at_a_time(self.config)

    def forget_backups(self) -> None:
        """Remove the copies, which would keep what was to go."""
        for path in (self.config, self.env):
            backup_of(path).unlink(missing_ok=True)


def check_name(name: str) -> None:
    """Raise SettingsError for a name that no desk can have."""
    if not NAME.match(name):
        raise SettingsError(BAD_NAME.format(name))


def address(typed: str, platform: str) -> str:
    """Return the account's address for what people type or copy: `acme`, `acme.zendesk.com`, an agent's page."""
    typed = typed.strip()
    if re.fullmatch(r"[A-Za-z0-9-]+", typed) and typed not in LOOPBACK:
        typed = f"{typed}.{platform}.com"
    if typed and "://" not in typed:
        typed = f"{'http' if urlsplit(f'//{typed}').hostname in LOOPBACK else 'https'}://{typed}"
    parts = urlsplit(typed)
    if (parts.hostname or "").endswith(f".{platform}.com"):
        return f"{parts.scheme}://{parts.netloc}"
    return typed.rstrip("/")


def name_from(url: str) -> str:
    """Return the name to propose for a desk at `url`: acme of https://acme.zendesk.com."""
    host = (urlsplit(url).hostname or "").lower()
    first = host.split(".")[0]
    return first if NAME.match(first) and not first.isdigit() and first != "localhost" else ""


def plan_of(config: str, name: str, values: Mapping[str, str]) -> Plan:
    """Return the plan of a desk that stands in tandem.yaml, with the secrets that `values` hold. SettingsError if none.

    Values that are taken from variables are filled in; `values` are the process's and those of .env.
    """
    desk = value_at(config, ("desks", name))
    if not isinstance(desk, dict):
        raise SettingsError(f"desk '{name}' is not in tandem.yaml")
    auth = desk.get("auth") or {}
    kind: Kind = "oauth" if "oauth" in auth else "token" if "api_token" in auth else "key"
    scope = str((auth.get("oauth") or {}).get("scope", ""))
    url = VARIABLE.sub(lambda found: values.get(found[1], ""), str(desk.get("url", "")))
    plan = Plan(name, str(desk.get("platform", "")), url, kind, "", str(auth.get("email", "")), scope)
    found = known_secrets(plan, config, values)
    for role in plan.roles:
        if role not in found:
            variable = plan.variables(config)[role]
            raise SettingsError(f"{variable} is not set; add {variable}=... to .env")
    return replace(plan, secrets=found)


def with_desk(text: str, plan: Plan, settings: Settings) -> str:
    """Return the text of tandem.yaml with the desk of `plan` in it and its groups named; keys of people stay."""
    names = plan.variables(text)
    stands = {role: f"${{{name}}}" for role, name in names.items()}
    wanted: dict[str, Any] = {
        "platform": plan.platform,
        "url": plan.url,
        "auth": plan.auth(stands),
        "webhook_secrets": [stands[WEBHOOK]],
        "mode": plan.mode or "watch",
    }
    known = value_at(text, ("desks", plan.name))
    if known is None:
        text = set_key(text, ("desks", plan.name), wanted)
    else:
        keep = {"mode"} if not plan.mode and "mode" in known else set()
        if plan.name in settings.desks and settings.desks[plan.name].url == plan.url:
            # Perhaps written with a variable of its own.
            keep.add("url")
        if stands[WEBHOOK] in (known.get("webhook_secrets") or []):
            # Older secrets beside it are somebody's rotation.
            keep.add("webhook_secrets")
        for key in wanted.keys() - keep:
            text = set_key(text, ("desks", plan.name, key), wanted[key])
    return _with_groups(text, plan.groups, settings)


def _with_groups(text: str, groups: Mapping[str, str], settings: Settings) -> str:
    changed = {team: group for team, group in groups.items() if settings.teams[team].group != group}
    if not changed:
        return text
    if odd := [group for group in changed.values() if "${" in group]:
        # It would be read as a variable: another secret would become the group's name.
        raise SettingsError(ODD_GROUP.format(odd[0]))
    if value_at(text, ("teams",)) is not None:
        for team, group in changed.items():
            text = set_key(text, ("teams", team, "group"), group)
        return text
    # The section replaces the default teams as a whole, so all of them are written down.
    teams = {
        name: {"description": team.description, "group": groups.get(name, team.group)}
        | ({"escalate": True} if team.escalate else {})
        for name, team in settings.teams.items()
    }
    return set_key(text, ("teams",), teams)


def without_desk(config: str, env: str, name: str) -> tuple[str, str]:
    """Return both texts without the desk and without the variables that only it used."""
    mine = set(variables_at(config, ("desks", name)).values()) - _taken_by_others(config, name)
    return drop_key(config, ("desks", name)), drop_variables(env, mine)


def with_secrets(env: str, plan: Plan, config: str) -> str:
    """Return the text of .env with the plan's secrets under the names that `config` uses."""
    names = plan.variables(config)
    return set_variables(env, {names[role]: value for role, value in plan.secrets.items() if value})


def known_secrets(plan: Plan, config: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return those of the plan's secrets that the variables `values` hold already, or that stand there bare."""
    bare = {role: value_at(config, ("desks", plan.name, *place)) for role, place in PLACES[plan.kind].items()}
    found = {role: one for role, one in bare.items() if isinstance(one, str) and not VARIABLE.search(one)}
    return found | {role: one for role, name in plan.variables(config).items() if (one := values.get(name, ""))}


def checked(config: str, env: str, surroundings: Mapping[str, str]) -> Settings:
    """Return the settings that both texts make. Raises SettingsError as a start with them would."""
    return parse_settings(config, read_variables(env) | dict(surroundings))


def settings_of(config: str, values: Mapping[str, str]) -> Settings:
    """Return what tandem.yaml says; a variable that is not set yet is no reason not to go on."""
    return parse_settings(config, dict.fromkeys(VARIABLE.findall(config), "-" * 24) | dict(values))


def new_texts(files: Files, plan: Plan, settings: Settings) -> tuple[str, str]:
    """Return both files' texts with the plan in them; a desk without a webhook secret gets one of chance."""
    config, env = files.texts()
    config = with_desk(config, plan, settings)
    env = with_secrets(env, plan, config)
    if not plan.secrets.get(WEBHOOK):
        # What Freshdesk's calls prove themselves with; Zendesk's own takes its place when the webhook is there.
        env = set_variables(env, {plan.variables(config)[WEBHOOK]: secrets.token_hex(24)})
    return config, env


def write(files: Files, plan: Plan, settings: Settings, surroundings: Mapping[str, str]) -> None:
    """Put the plan into both files. Raises SettingsError where what they would say is wrong, OSError as files do."""
    with files.alone():
        config, env = new_texts(files, plan, settings)
        checked(config, env, surroundings)
        files.write(config, env)


def difference(old: str, new: str, name: str) -> str:
    """Return what changes, as a unified diff; a secret that stands bare in it is not shown."""
    if old == new:
        return NO_DIFF
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, f"{name} (new)", n=2, lineterm="")
    shown = "\n".join(lines)
    return _hidden(shown, _bare_secrets(old) | _bare_secrets(new))


def _without_secrets(old: str, new: str) -> str:
    """Return `old` without the bare secrets that `new` has no more: the copy must not keep what moved to .env."""
    return _hidden(old, _bare_secrets(old) - _bare_secrets(new))


def _hidden(text: str, hidden: Iterable[str]) -> str:
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def _bare_secrets(text: str) -> set[str]:
    """Return the secrets that stand in tandem.yaml themselves instead of a variable."""
    found: list[Any] = []
    for name in value_at(text, ("desks",)) or {}:
        place = ("desks", str(name))
        found += [value_at(text, (*place, *below)) for below in SECRET_PLACES]
        listed = value_at(text, (*place, "webhook_secrets"))
        found += listed if isinstance(listed, list) else []
    return {one for one in found if isinstance(one, str) and one and not VARIABLE.fullmatch(one)}


def _taken_by_others(text: str, name: str) -> set[str]:
    """Return the variables that other desks take their values from."""
    below = variables_at(text, ("desks",))
    return {variable for place, variable in below.items() if place[0] != name}
