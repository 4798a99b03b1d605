"""Where `connect` gets a desk's address and credential from: options, what stands in the files, or a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from commands.connect_screen import Talk
from triage.desk_plan import KINDS, PLACES, WEBHOOK, Kind, Plan, address, check_name, known_secrets, name_from
from triage.errors import SettingsError
from triage.settings import Settings
from triage.settings_edit import value_at
from triage.settings_file import VARIABLE

ADDRESS = "Address of the helpdesk, like https://acme.{platform}.com"
ASKED = {
    "client_id": "Identifier of the OAuth client",
    "client_secret": "Secret of the OAuth client (not shown)",
    "api_token": "API token (not shown)",
    "api_key": "API key of the bot's agent (not shown)",
    WEBHOOK: "Signing secret of the webhook (not shown, empty to go on)",
}
OPEN_ROLES = {"client_id"}
TWO_WAYS = (
    "Two ways to sign in: an OAuth client (recommended), or an e-mail address\n"
    "with an API token (all of them end on 2027-04-30)."
)
NO_KIND = "--auth {kind} is not a way to sign in to {platform}; take {known}"
NO_VARIABLE = "--secret-env {name}: no such variable is set"
NO_STDIN = "--secret-stdin: nothing came on standard input"
OTHER_PLATFORM = "desk '{name}' is a {platform} desk; choose another name with --desk"


@dataclass(frozen=True)
class Options:
    """The command's options as given."""

    platform: str
    desk: str
    url: str
    kind: str
    client_id: str
    email: str
    scope: str
    secret_env: str
    secret_stdin: bool
    mode: str


def ask_plan(options: Options, talk: Talk, config: str, values: Mapping[str, str], *, sure: bool = False) -> Plan:
    """Return the desk to connect; `sure` asks for no secret at all."""
    known = _known(config, options)
    stands = _filled(str(known.get("url", "")), values)
    url = options.url or talk.ask(ADDRESS.format(platform=options.platform), "--url", stands)
    url = address(url, options.platform)
    if url != stands.rstrip("/") and not options.desk:
        known = {}
    name = options.desk or known.get("name") or _name_of(config, url, values)
    if not name:
        name = talk.ask("A name for the desk (part of its webhook URL)", "--desk", name_from(url) or options.platform)
    check_name(name)
    if not known:
        known = _known(config, replace(options, desk=name))
    kind = _kind(options, known, talk)
    auth = known.get("auth") or {}
    email = options.email or str(auth.get("email", ""))
    if kind == "token" and not email:
        email = talk.ask("E-mail address of the bot", "--email")
    scope = options.scope or str((auth.get("oauth") or {}).get("scope", ""))
    plan = Plan(name, options.platform, url, kind, options.mode, email, scope)
    return replace(plan, secrets=_secrets(options, plan, talk, config, values, sure=sure))


def ask_again(plan: Plan, talk: Talk) -> Plan:
    """Return the plan with address and credential as a person corrects them; Enter keeps a value."""
    url = address(talk.ask(ADDRESS.format(platform=plan.platform), "--url", plan.url), plan.platform)
    email = talk.ask("E-mail address of the bot", "--email", plan.email) if plan.kind == "token" else plan.email
    secrets = dict(plan.secrets)
    for role in PLACES[plan.kind]:
        hidden = role not in OPEN_ROLES
        what = f"{ASKED[role]}; Enter keeps what you gave" if hidden else ASKED[role]
        secrets[role] = talk.ask(what, "", secrets.get(role, ""), hidden=hidden)
    return replace(plan, url=url, email=email, secrets=secrets)


def _known(config: str, options: Options) -> dict[str, Any]:
    """Return what stands in tandem.yaml for the desk, with its name."""
    desks = value_at(config, ("desks",)) or {}
    if options.desk:
        known = desks.get(options.desk) or {}
        if known and known.get("platform") != options.platform:
            raise SettingsError(OTHER_PLATFORM.format(name=options.desk, platform=known.get("platform")))
        return {**known, "name": options.desk} if known else {}
    if options.url:
        return {}
    mine = [name for name, desk in desks.items() if desk.get("platform") == options.platform]
    return {**desks[mine[0]], "name": mine[0]} if len(mine) == 1 else {}


def _name_of(config: str, url: str, values: Mapping[str, str]) -> str:
    """Return the name of the desk that has this address already."""
    desks = value_at(config, ("desks",)) or {}
    urls = {str(name): _filled(str(desk.get("url", "")), values).rstrip("/") for name, desk in desks.items()}
    return next((name for name, one in urls.items() if one == url), "")


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with its variables filled in."""
    return VARIABLE.sub(lambda found: values.get(found[1], ""), text)


def _kind(options: Options, known: Mapping[str, object], talk: Talk) -> Kind:
    kinds = KINDS[options.platform]
    if options.kind:
        if options.kind not in kinds:
            raise SettingsError(NO_KIND.format(kind=options.kind, platform=options.platform, known=" or ".join(kinds)))
        return options.kind
    auth = known.get("auth")
    if isinstance(auth, dict) and "api_token" in auth:
        return "token"
    if len(kinds) == 1 or auth or not talk.asks:
        return kinds[0]
    talk.say(TWO_WAYS)
    return "token" if talk.ask("oauth or token", "--auth", "oauth", known=kinds) == "token" else "oauth"


def _secrets(
    options: Options, plan: Plan, talk: Talk, config: str, values: Mapping[str, str], *, sure: bool
) -> dict[str, str]:
    found = known_secrets(plan, config, values)
    if options.client_id:
        found["client_id"] = options.client_id
    secret_role = plan.roles[-1]
    if given := _given(options):
        found[secret_role] = given
    for role in PLACES[plan.kind]:
        is_secret = role not in OPEN_ROLES
        variable = plan.variables(config)[role]
        option = f"{variable} in .env or the environment" + (
            ", --secret-env NAME or --secret-stdin" if is_secret else ", or --client-id"
        )
        if sure and not found.get(role):
            continue
        if not found.get(role):
            found[role] = talk.ask(ASKED[role], option, hidden=is_secret)
        elif talk.asks and not sure and not given and is_secret:
            found[role] = talk.ask(f"{ASKED[role]}; Enter keeps the one in .env", option, found[role], hidden=True)
    return found


def _given(options: Options) -> str:
    if options.secret_env:
        if not (value := os.environ.get(options.secret_env, "")):
            raise SettingsError(NO_VARIABLE.format(name=options.secret_env))
        return value
    if options.secret_stdin:
        if not (value := sys.stdin.readline().strip()):
            raise SettingsError(NO_STDIN)
        return value
    return ""


def pairs(given: Iterable[str]) -> dict[str, str]:
    """Return `team=group` texts as a mapping. Raises SettingsError for one without the sign."""
    found = {}
    for one in given:
        team, sign, group = one.partition("=")
        if not sign:
            raise SettingsError(f"'{one}' is no mapping: write it like billing=Finance")
        found[team.strip()] = group.strip().strip("\"'")
    return found


def checked_groups(maps: dict[str, str], settings: Settings, groups: Iterable[str]) -> dict[str, str]:
    """Return `maps` with the groups' own spelling; SettingsError for a team or a group there is not."""
    known = {group.casefold(): group for group in groups}
    for team, group in maps.items():
        if team not in settings.teams:
            raise SettingsError(f"'{team}' is no team; the teams are {', '.join(settings.teams)}")
        if group and known and group.casefold() not in known:
            raise SettingsError(f"the helpdesk has no group '{group}'; it has {', '.join(known.values())}")
    return {team: known.get(group.casefold(), group) for team, group in maps.items()}
