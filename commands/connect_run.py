"""`connect`, from the address to the written files: each step says what it found, and nothing changes unasked."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import click

from commands.connect_ask import ASKED, Options, ask_again, ask_plan, checked_groups, pairs
from commands.connect_proof import Room, first_call, knows, rules, test
from commands.connect_screen import (
    WIDTH,
    clipped,
    matches_table,
    next_steps,
    paragraphs,
    rights_said,
    rights_table,
    survey_table,
    table,
    wrapped,
)
from connectors.base import Account
from triage.desk_plan import WEBHOOK, Plan, difference, new_texts, settings_of, write
from triage.env_edit import read_variables, set_variables
from triage.environment import variables
from triage.errors import SettingsError, Stop
from triage.settings import LOOPBACK, Mode, Settings
from triage.settings_edit import value_at
from triage.switching import MEANING
from triage.team_groups import Match
from workers.connect import Door, Hooked, Looked

SCOPES = (
    "Least OAuth scope: read tickets:write webhooks:write triggers:write\n"
    "(the last two for this command only; afterwards `read tickets:write` is\n"
    "enough, with auth.oauth.scope in tandem.yaml)"
)
ROLE = (
    "Least role: Agent with ticket scope Global who may add notes, edit ticket\n"
    "properties and create tags; admin only for what says so."
)
NOT_PUBLIC = (
    "PUBLIC_URL is not set, so {platform} has no address to call. Give\n"
    "--public-url https://... (a reverse proxy or tunnel to port {port}) and run this\n"
    "again. Until then Tandem finds new tickets by asking every five minutes."
)
PUT = (
    "{paths} cannot be written from here. Put this into {config}:\n\n{diff}\n\n"
    "and these variables into {env}: {names}.\nThen restart Tandem and run this command again to test."
)
MODES = "Mode to begin with"
UNCHANGED = "nothing was changed"
BEFORE_ENV = "{name} is set in the environment too, which goes before {env}:\nthat value is used"
OTHERS = "PUBLIC_URL was {old}: run this for the other desks too ({others}), their webhooks call the old one"
SHARED = "kept: another desk has it, one name serves all"
PUT_SECRET = "put the webhook's signing secret into {env} as {name}, and restart Tandem"  # noqa: S105 - a sentence


class Connecting:
    """One connection being made or repaired."""

    def __init__(self, room: Room, options: Options, by: str, *, show_secret: bool) -> None:
        self._room = room
        self._talk = room.talk
        self._options = options
        self._by = by
        self._show_secret = show_secret

    def run(self, maps: dict[str, str], public_url: str, *, dry_run: bool) -> None:
        """Connect or repair the desk; with `dry_run` look and show only."""
        talk, files = self._talk, self._room.files
        config, _ = files.texts()
        settings = settings_of(config, variables())
        talk.title("Address and credential")
        plan, door, account = self._sign_in(config)
        role = f" ({account.role})" if account.role else ""
        talk.say(f"signed in to {plan.url} as {account.name or account.user_id}{role}", "green")
        looked = self._look(door, plan, settings)
        plan = replace(plan, groups=self._groups(plan.name, looked, settings, maps), mode=self._mode(plan, config))
        talk.result |= {"desk": plan.name, "platform": plan.platform, "url": plan.url, "user": account.name}
        if dry_run:
            talk.title("Settings (dry run: nothing is written)")
            talk.say(difference(config, new_texts(files, plan, settings)[0], files.config.name))
            return
        self._connect(replace_plan(door, plan), settings, self._public(plan, public_url))

    def _sign_in(self, config: str) -> tuple[Plan, Door, Account]:
        """Prove the credential; a person may correct what was wrong."""
        talk = self._talk
        plan = ask_plan(self._options, talk, config, variables())
        self._warn(plan, plan.variables(config))
        while True:
            try:
                door = Door(plan, self._room.environment.redis_url)
                return plan, door, door.prove()
            except (Stop, SettingsError) as error:
                if not talk.asks:
                    raise
                talk.say(
                    "\n".join(part for line in str(error).split("\n") for part in wrapped(line, WIDTH - 3)), "yellow"
                )
                if not talk.may("Correct it and try again?"):
                    raise SettingsError(UNCHANGED) from None
                plan = ask_again(plan, talk)

    def _look(self, door: Door, plan: Plan, settings: Settings) -> Looked:
        talk = self._talk
        talk.title("What Tandem needs, and what this credential may")
        looked = door.look(settings)
        talk.say(rights_table(looked.rights))
        if said := rights_said(looked.rights):
            talk.say("\n" + said, "yellow")
        talk.say("\n" + (SCOPES if plan.platform == "zendesk" else ROLE))
        talk.title("What there is")
        talk.say(survey_table(looked.survey))
        talk.result |= {
            "rights": {one.need.name: str(one.state) for one in looked.rights},
            "tickets_30d": looked.survey.tickets,
            "groups": looked.survey.groups,
            "sla_policies": looked.survey.sla_policies,
        }
        return looked

    def _groups(self, desk: str, looked: Looked, settings: Settings, maps: dict[str, str]) -> dict[str, str]:
        """Return the group of each team, as proposed and as people say."""
        talk = self._talk
        talk.title("Teams and groups")
        groups = {one.team: one.group for one in looked.matches}
        whys = {one.team: one.why for one in looked.matches}
        if set(settings.desks) - {desk}:
            # One name serves every desk: what another one has is changed by a person only.
            named = {team: settings.teams[team].group for team in groups}
            kept = {team: group for team, group in named.items() if groups[team] != group}
            groups |= kept
            whys |= dict.fromkeys(kept, SHARED)

        def take(given: dict[str, str]) -> None:
            chosen = checked_groups(given, settings, looked.survey.groups or ())
            groups.update(chosen)
            whys.update(dict.fromkeys(chosen, "as you say"))

        take(maps)
        talk.say(matches_table(Match(team, group, whys[team]) for team, group in groups.items()))
        while talk.asks:
            line = click.prompt("   Another group? team=group, or Enter to go on", default="", show_default=False)
            if not line.strip():
                break
            try:
                take(pairs((line,)))
            except SettingsError as error:
                talk.say(paragraphs(str(error)), "yellow")
        talk.result["teams"] = groups
        return groups

    def _mode(self, plan: Plan, config: str) -> str:
        if plan.mode or value_at(config, ("desks", plan.name)) is not None:
            return plan.mode
        self._talk.say("\n" + table([(str(mode), said) for mode, said in MEANING.items()]))
        # Plain words: of an enum, click takes the members' names only.
        return self._talk.ask(MODES, "--mode", "watch", known=[str(mode) for mode in Mode])

    def _public(self, plan: Plan, given: str) -> str:
        """Return where the helpdesk reaches us, empty where it cannot."""
        environment = self._room.environment
        if given and not given.startswith(("https://", "http://")):
            raise SettingsError(f"--public-url {given}: write it like https://tandem.example.com")
        if given:
            return given.rstrip("/")
        is_here = any(f"//{host}" in plan.url for host in LOOPBACK)
        return environment.public if environment.public_url or is_here else ""

    def _connect(self, door: Door, settings: Settings, public: str) -> None:
        talk, room, plan = self._talk, self._room, door.plan
        talk.title("Settings")
        config, _ = room.files.texts()
        new, _ = new_texts(room.files, plan, settings)
        names = plan.variables(new)
        talk.say(difference(config, new, room.files.config.name))
        talk.say(f"\nand into {room.files.env}: {', '.join(names.values())}")
        self._warn(plan, names)
        if not talk.may("Write this and set up the webhook?"):
            raise SettingsError(UNCHANGED)
        url = plan.webhook(public) if public else ""
        hooked = self._hook(door, url)
        if hooked.hook:
            plan = replace(plan, secrets={**plan.secrets, WEBHOOK: hooked.hook.secret})
        elif url and door.setup.makes_hooks:
            plan = self._by_hand(door, url, hooked.reason, names[WEBHOOK])
        if not self._write(plan, settings, new, public):
            return
        room.record("connect", plan.name, webhook=hooked.hook.id if hooked.hook else "")
        if url:
            self._prove(replace_plan(door, plan), url, hooked)
            self._leave_old_address(door, url)
        else:
            room.leave(NOT_PUBLIC.format(platform=plan.platform, port=room.environment.port))
        self._end(plan, public)

    def _leave_old_address(self, door: Door, url: str) -> None:
        """Take away the webhook of the address that stood in .env before, once the new one is proven."""
        old = self._room.environment.public_url.rstrip("/")
        if not old or door.plan.webhook(old) == url:
            return
        if door.setup.makes_hooks and not self._room.left:
            for done in door.setup.unhook(door.plan.webhook(old)):
                self._talk.say(f"{done}; it called {old}")
        others = ", ".join(sorted(set(value_at(self._room.files.texts()[0], ("desks",)) or {}) - {door.plan.name}))
        if others:
            self._room.leave(OTHERS.format(old=old, others=others))

    def _hook(self, door: Door, url: str) -> Hooked:
        hooked = door.hook(url, self._by) if url else Hooked()
        if hooked.hook:
            self._talk.title("Webhook")
            self._talk.say("\n".join(hooked.hook.done) or "it is there and as it should be")
            self._talk.say(f"it calls {url}")
            done = {"id": hooked.hook.id, "by": hooked.hook.by, "done": list(hooked.hook.done)}
            self._talk.result["webhook"] = done
        return hooked

    def _by_hand(self, door: Door, url: str, reason: str, name: str) -> Plan:
        """Print what an admin clicks together, and take the secret where somebody has it."""
        talk, plan = self._talk, door.plan
        talk.title("Webhook, by hand")
        talk.say(clipped(f"This credential may not make webhooks: {reason}"))
        talk.say("An admin of the account clicks together:\n")
        steps = door.setup.steps(plan.name, url, "")
        talk.say("\n".join(steps))
        talk.result["steps"] = steps
        secret = plan.secrets.get(WEBHOOK, "")
        if talk.asks:
            given = click.prompt(f"\n   {ASKED[WEBHOOK]}", default="", hide_input=True, show_default=False)
            secret = given.strip() or secret
        if not secret:
            self._room.leave(PUT_SECRET.format(env=self._room.files.env, name=name))
            return plan
        return replace(plan, secrets={**plan.secrets, WEBHOOK: secret})

    def _write(self, plan: Plan, settings: Settings, new: str, public: str) -> bool:
        files = self._room.files
        if closed := files.unwritable():
            names = ", ".join(plan.variables(new).values())
            diff = difference(files.texts()[0], new, files.config.name)
            paths = " and ".join(map(str, closed))
            self._room.leave(PUT.format(paths=paths, config=files.config, env=files.env, diff=diff, names=names))
            return False
        write(files, plan, settings, dict(os.environ))
        if public and public != self._room.environment.public:
            with files.alone():
                config, env = files.texts()
                files.write(config, set_variables(env, {"PUBLIC_URL": public}))
        self._talk.say(f"written: {files.config} and {files.env} (what was there: *.bak)", "green")
        return True

    def _prove(self, door: Door, url: str, hooked: Hooked) -> None:
        since = time.time()
        self._talk.title("Test" if door.setup.makes_hooks else "Automation rules")
        if not door.setup.makes_hooks:
            knows(self._room, url)
            rules(self._room, door, url, show_secret=self._show_secret)
        elif knows(self._room, url):
            if hooked.hook:
                test(self._room, door, hooked.hook, since)
            else:
                first_call(self._room, door.plan)

    def _end(self, plan: Plan, public: str) -> None:
        talk = self._talk
        talk.title("Left to do" if self._room.left else "Done")
        if self._room.left:
            talk.say("\n".join("\n  ".join(wrapped(f"- {one}", WIDTH - 5)) for one in self._room.left))
            return
        mode = value_at(self._room.files.texts()[0], ("desks", plan.name, "mode"))
        talk.say(f"Desk '{plan.name}' is connected, in mode {mode}.")
        talk.say(f"Console: {public or self._room.environment.public}/console/")
        talk.say("\nNext:\n" + next_steps(str(mode), plan.name))

    def _warn(self, plan: Plan, names: dict[str, str]) -> None:
        """Say which variables of the process go before those of .env."""
        stands = read_variables(self._room.files.texts()[1])
        for role, name in names.items():
            given = os.environ.get(name, "")
            if given and {given} != {given, stands.get(name, given), plan.secrets.get(role, given)}:
                self._talk.say(BEFORE_ENV.format(name=name, env=self._room.files.env), "yellow")


def replace_plan(door: Door, plan: Plan) -> Door:
    """Return the door with what is known of the desk by now."""
    door.plan = plan
    return door
