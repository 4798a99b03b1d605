"""Connects a helpdesk account, repairs the connection, or takes it away."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from commands.connect_ask import ASKED, Options, ask_plan
from commands.connect_screen import Talk, clipped, matches_table, rights_said, rights_table, rules_table, survey_table
from commands.shared import find_embedded_redis
from connectors.setup import Hook, RuleSeen
from triage.desk_plan import WEBHOOK, Files, Plan, checked, difference, without_desk
from triage.env_edit import read_variables, set_variables
from triage.environment import Environment, env_file, read_environment, variables
from triage.errors import SettingsError, TandemError
from triage.logs import configure_logging
from triage.settings import LOOPBACK, Mode, Settings
from triage.store import Store, open_store
from workers.connect import (
    ACCEPTED,
    Door,
    Hooked,
    Looked,
    arrival,
    new_texts,
    ready,
    settings_of,
    try_out,
    webhook_url,
    write,
)
from workers.reach import Answer, Reached

WAIT_SECONDS = 60.0
LEAST_SCOPE = "read tickets:write webhooks:write triggers:write"
SCOPES = (
    "Least OAuth scope: " + LEAST_SCOPE + "\n(the last two for this command only; later `read tickets:write` is enough)"
)
FRESHDESK_ROLE = "Least role: Agent with ticket scope Global, notes, ticket properties and new tags."
NOT_PUBLIC = (
    "PUBLIC_URL is not set, so {platform} has no address to call. Give --public-url\n"
    "https://... (a reverse proxy or a tunnel to port {port}) and run this again. Until\n"
    "then Tandem finds new tickets by asking every five minutes."
)
CHECKS = {
    Answer.NO_DESK: "Tandem answers at {url} and does not know the desk yet: restart it, then run this again",
    Answer.STRANGER: "something else than Tandem answers at {url} ({said}): point the proxy or tunnel to port {port}",
    Answer.NOBODY: "nothing answers at {url} ({said}): start Tandem (make run), and check PUBLIC_URL and the proxy",
}
TEST_CHECKS = {
    401: "the web process has an older secret: restart Tandem, then run this again",
    404: "the web process does not know the desk yet: restart Tandem, then run this again",
    0: "the helpdesk could not reach {url}: check DNS, certificate, proxy and firewall",
}
OTHER_INBOX = "{platform} was answered {status}, but nothing came into our inbox: is another Tandem at {url}?"
PUT = (
    "{paths} cannot be written from here. Put this into {config}:\n\n{diff}\n\n"
    "and these variables into {env}: {names}.\n"
    "Then restart Tandem and run this command again where it may write, or at least to test."
)


@click.command()
@click.argument("platform", type=click.Choice(["zendesk", "freshdesk"]))
@click.option("--desk", default="", help="Its name here, part of the webhook URL.")
@click.option("--url", default="", help="The account's address, like https://acme.zendesk.com.")
@click.option("--auth", "kind", type=click.Choice(["oauth", "token", "key"]), help="How to sign in.")
@click.option("--client-id", default="", help="Identifier of the OAuth client.")
@click.option("--email", default="", help="The bot's address, with --auth token.")
@click.option("--scope", default="", help="OAuth scope to ask for instead of `read write`.")
@click.option("--secret-env", default="", metavar="NAME", help="Variable that holds the secret.")
@click.option("--secret-stdin", is_flag=True, help="Read the secret from standard input.")
@click.option("--map", "maps", multiple=True, metavar="TEAM=GROUP", help="A team's group; may come often.")
@click.option("--mode", default="", type=click.Choice(["", *Mode]), help="What Tandem may do; first: watch.")
@click.option("--by", default="auto", type=click.Choice(["auto", "events", "trigger"]), help="Kind of webhook.")
@click.option("--public-url", default="", help="Where the helpdesk reaches Tandem; goes into .env.")
@click.option("--wait", default=WAIT_SECONDS, show_default=True, help="Seconds to wait for the test.")
@click.option("--dry-run", is_flag=True, help="Look and show only; change nothing anywhere.")
@click.option("--remove", is_flag=True, help="Take webhook, desk and secrets away.")
@click.option("--show-secret", is_flag=True, help="Print Freshdesk's webhook secret in the rule.")
@click.option("--yes", is_flag=True, help="Ask nothing; take what is proposed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; implies --yes.")
def command(
    platform: str,
    desk: str,
    url: str,
    kind: str | None,
    client_id: str,
    email: str,
    scope: str,
    secret_env: str,
    secret_stdin: bool,
    maps: tuple[str, ...],
    mode: str,
    by: str,
    public_url: str,
    wait: float,
    dry_run: bool,
    remove: bool,
    show_secret: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Connect a Zendesk or Freshdesk account, or repair it.

    Asks for what it needs, proves the credential, shows what Tandem may and
    finds, maps teams to groups, makes the webhook (Zendesk) or prints the rules
    (Freshdesk), writes tandem.yaml and .env, and waits for a test to arrive.
    Running it again repairs. Secrets are asked for hidden, or read from .env,
    the environment or standard input; never from the command line.

    \b
    Examples:
      python manage.py connect zendesk
      ZD=... python manage.py connect zendesk --url https://acme.zendesk.com \\
          --client-id tandem --secret-env ZD --map billing="Finance" --yes
      python manage.py connect freshdesk --url https://acme.freshdesk.com \\
          --secret-stdin --yes --json < key.txt
      python manage.py connect zendesk --desk acme --remove

    Ends with 0 when all is done, 1 when something is left to do by hand.
    """
    configure_logging("ERROR")
    find_embedded_redis()
    talk = Talk(yes or as_json, as_json)
    options = Options(platform, desk, url, kind or "", client_id, email, scope, secret_env, secret_stdin, mode)
    here = Connecting(options, talk, read_environment(), by, wait, show_secret)
    left = here.remove() if remove else here.run(_pairs(maps), public_url, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(talk.result, indent=2))
    sys.exit(1 if left else 0)


class Connecting:
    """One run of the command."""

    def __init__(
        self, options: Options, talk: Talk, environment: Environment, by: str, wait: float, show_secret: bool
    ) -> None:
        self._options = options
        self._talk = talk
        self._environment = environment
        self._by = by
        self._wait = wait
        self._show_secret = show_secret
        self._files = Files(Path(environment.tandem_config), env_file())
        self._left: list[str] = []

    def run(self, maps: dict[str, str], public_url: str, *, dry_run: bool) -> bool:
        """Connect or repair; return whether something is left to do."""
        talk = self._talk
        config, _ = self._files.texts()
        settings = settings_of(config, variables())
        talk.title("Address and credential")
        plan = ask_plan(self._options, talk, config, variables())
        door = Door(plan, self._environment.redis_url)
        account = door.prove()
        talk.say(f"signed in to {plan.url} as {account.name or account.user_id}" + _role(account.role), "green")
        looked = self._look(door, plan, settings)
        plan = replace(plan, groups=self._groups(looked, settings, maps), mode=self._mode(plan, config))
        public = self._public(plan, public_url)
        talk.result |= {"desk": plan.name, "platform": plan.platform, "url": plan.url, "user": account.name}
        if dry_run:
            talk.title("Settings (nothing is written)")
            talk.say(difference(config, new_texts(self._files, plan, settings)[0], self._files.config.name))
            return False
        self._connect(door, plan, settings, public)
        talk.result["left"] = self._left
        return bool(self._left)

    def _look(self, door: Door, plan: Plan, settings: Settings) -> Looked:
        talk = self._talk
        talk.title("What Tandem needs, and what this credential may")
        looked = door.look(settings)
        talk.say(rights_table(looked.rights))
        if said := rights_said(looked.rights):
            talk.say("\n" + said, "yellow")
        talk.say("\n" + (SCOPES if plan.platform == "zendesk" else FRESHDESK_ROLE))
        talk.title("What there is")
        talk.say(survey_table(looked.survey))
        talk.result["rights"] = {one.need.name: str(one.state) for one in looked.rights}
        talk.result["tickets_30d"] = looked.survey.tickets
        talk.result["groups"] = looked.survey.groups
        return looked

    def _groups(self, looked: Looked, settings: Settings, maps: dict[str, str]) -> dict[str, str]:
        """Return the group of each team, as proposed and as people say."""
        talk = self._talk
        talk.title("Teams and groups")
        groups = {one.team: one.group for one in looked.matches}
        _take(groups, maps, settings, looked)
        shown = [
            replace(m, group=groups[m.team], why="as you say" if m.team in maps else m.why) for m in looked.matches
        ]
        talk.say(matches_table(shown))
        while talk.asks:
            line = click.prompt("   Another group? team=group, or Enter to go on", default="", show_default=False)
            if not line.strip():
                break
            try:
                _take(groups, _pairs((line,)), settings, looked)
            except SettingsError as error:
                talk.say(str(error), "yellow")
        talk.result["teams"] = groups
        return groups

    def _mode(self, plan: Plan, config: str) -> str:
        if plan.mode or f"  {plan.name}:" in config:
            return plan.mode
        return self._talk.ask("Mode: off, watch (writes nothing), note, tag or write", "--mode", "watch")

    def _public(self, plan: Plan, given: str) -> str:
        """Return where the helpdesk reaches us, empty where it cannot."""
        environment = self._environment
        if given:
            if not given.startswith(("https://", "http://")):
                raise SettingsError(f"--public-url {given}: write it like https://tandem.example.com")
            return given.rstrip("/")
        local = any(f"//{host}" in plan.url for host in LOOPBACK)
        return environment.public if environment.public_url or local else ""

    def _connect(self, door: Door, plan: Plan, settings: Settings, public: str) -> None:
        talk = self._talk
        talk.title("Settings")
        config, _ = self._files.texts()
        new, _ = new_texts(self._files, plan, settings)
        talk.say(difference(config, new, self._files.config.name))
        names = plan.variables(new)
        talk.say(f"\nand into {self._files.env}: {', '.join(names.values())}")
        _warn_of_surroundings(talk, plan, names)
        if not talk.may("Write this and set up the webhook?"):
            raise SettingsError("nothing was changed")
        url = webhook_url(public, plan) if public else ""
        # Read before the secret is known: what is written must hold both.
        hooked = self._hook(door, plan, url) if url else Hooked()
        if hooked.hook:
            plan = replace(plan, secrets={**plan.secrets, WEBHOOK: hooked.hook.secret})
        elif url and door.setup.makes_hooks:
            plan = self._by_hand(door, plan, url, hooked)
        if not self._write(plan, settings, new, public):
            return
        self._record("connect", plan.name, hooked)
        if not url:
            self._leave(NOT_PUBLIC.format(platform=plan.platform, port=self._environment.port))
            return
        since = time.time()
        if self._knows(url):
            if hooked.hook:
                self._test(door, hooked.hook, plan, since)
            elif not door.setup.makes_hooks:
                self._rules(door, plan, url, since)
        talk.title("Done" if not self._left else "Left to do")
        talk.say("\n".join(self._left) or f"Desk '{plan.name}' is connected. See it in the console: {public}/console/")

    def _hook(self, door: Door, plan: Plan, url: str) -> Hooked:
        hooked = door.hook(url, self._by)
        if hooked.hook:
            self._talk.title("Webhook")
            self._talk.say("\n".join(hooked.hook.done) or "is there and as it should be")
            self._talk.result["webhook"] = {"id": hooked.hook.id, "by": hooked.hook.by, "done": hooked.hook.done}
        del plan
        return hooked

    def _by_hand(self, door: Door, plan: Plan, url: str, hooked: Hooked) -> Plan:
        """Print what an admin clicks together, and take the secret where somebody has it."""
        talk = self._talk
        talk.title("Webhook, by hand")
        talk.say(
            f"This credential may not make webhooks ({clipped(hooked.reason)}).\nAn admin of the account clicks together:\n"
        )
        talk.say("\n".join(door.setup.steps(plan.name, url, "")))
        secret = plan.secrets.get(WEBHOOK, "")
        if talk.asks:
            prompt = f"   {ASKED[WEBHOOK]}"
            secret = click.prompt(prompt, default="", hide_input=True, show_default=False).strip() or secret
        if not secret:
            name = plan.variables(self._files.texts()[0])[WEBHOOK]
            self._left.append(f"put the webhook's signing secret into {self._files.env} as {name}")
        return replace(plan, secrets={**plan.secrets, WEBHOOK: secret}) if secret else plan

    def _write(self, plan: Plan, settings: Settings, new: str, public: str) -> bool:
        names = plan.variables(new)
        if closed := self._files.unwritable():
            diff = difference(self._files.texts()[0], new, self._files.config.name)
            where = {"paths": " and ".join(map(str, closed)), "config": self._files.config, "env": self._files.env}
            self._leave(PUT.format(**where, diff=diff, names=", ".join(names.values())))
            return False
        write(self._files, plan, settings, dict(os.environ))
        if public and public != self._environment.public:
            config, env = self._files.texts()
            self._files.write(config, set_variables(env, {"PUBLIC_URL": public}))
        self._talk.say(f"written: {self._files.config}, {self._files.env} (what was there: *.bak)", "green")
        return True

    def _knows(self, url: str) -> bool:
        """Wait until the web process knows the desk."""
        self._talk.title("Test")
        reached = ready(url, min(self._wait, 30.0))
        if reached.answer is Answer.READY:
            return True
        self._leave(_check(reached, url, self._environment.port))
        return False

    def _test(self, door: Door, hook: Hook, plan: Plan, since: float) -> None:
        talk = self._talk
        store = open_store(self._environment.database_url)
        end = time.monotonic() + self._wait
        while True:
            tried = try_out(door, hook)
            # The web process may be about to read the new secret.
            if tried.status != 401 or time.monotonic() > end:
                break
            time.sleep(2)
        arrived = _arrived(store, plan.name, since, 10.0)
        talk.result["test"] = {"status": tried.status, "delivery": arrived}
        if arrived:
            talk.say(f"The test arrived: delivery {arrived}.", "green")
        elif tried.status in ACCEPTED:
            self._leave(
                f"{plan.platform} was answered {tried.status}, but our inbox has no delivery: is another Tandem at {hook.url}?"
            )
        else:
            check = TEST_CHECKS.get(tried.status, TEST_CHECKS[0]).format(url=hook.url)
            self._leave(f"the test was answered {tried.status or 'nothing'}: {check}")

    def _rules(self, door: Door, plan: Plan, url: str, since: float) -> None:
        """Print the rules to click together and look whether they are there."""
        talk = self._talk
        config, env = self._files.texts()
        name = plan.variables(config)[WEBHOOK]
        secret = variables()[name] if self._show_secret else f"<the value of {name} in {self._files.env}>"
        rules = door.hook(url).rules
        if not rules or any(one.faults for one in rules):
            talk.say("An admin of the account clicks together:\n")
            talk.say("\n".join(door.setup.steps(plan.name, url, secret)))
        while talk.asks and not (rules and not any(one.faults for one in rules)):
            if not click.confirm("   Look again whether the rules are there?", default=True):
                break
            rules = door.hook(url).rules
            if rules is None:
                break
            talk.say(rules_table(rules) if rules else "no rule calls this address yet")
        del env
        self._judge_rules(rules, plan, since)

    def _judge_rules(self, rules: tuple[RuleSeen, ...] | None, plan: Plan, since: float) -> None:
        talk = self._talk
        seen = {one.on: one for one in rules or ()}
        talk.result["rules"] = None if rules is None else {on: list(one.faults) for on, one in seen.items()}
        if rules is None:
            talk.say("The key may not list automation rules. Write a ticket in Freshdesk now; waiting for it ...")
            arrived = _arrived(open_store(self._environment.database_url), plan.name, since, self._wait)
            if arrived:
                talk.say(f"It arrived: delivery {arrived}.", "green")
            else:
                self._leave("no call has come yet: check that the rule is on and its URL and header are as shown")
            return
        if "created" not in seen:
            self._left.append("the rule for new tickets is not there yet: click it together and run this again")
        for one in seen.values():
            if one.faults:
                self._left.append(f"rule '{one.name}': {'; '.join(one.faults)}")
        if rules:
            talk.say(rules_table(rules))

    def remove(self) -> bool:
        """Take everything away but the database; return whether something is left to do."""
        talk = self._talk
        config, env = self._files.texts()
        plan = ask_plan(self._options, talk, config, variables(), sure=True)
        url = webhook_url(self._environment.public, plan)
        new_config, new_env = without_desk(config, env, plan.name)
        talk.title(f"Take desk '{plan.name}' away")
        talk.say(difference(config, new_config, self._files.config.name))
        gone = sorted(set(read_variables(env)) - set(read_variables(new_env)))
        talk.say(
            f"\nfrom {self._files.env}: {', '.join(gone) or 'nothing'}\nin {plan.platform}: webhooks and triggers that call\n  {url}"
        )
        talk.say("The database with deliveries, runs and the audit log stays.")
        if not talk.may("Take all this away?", default=False):
            raise SettingsError("nothing was changed")
        try:
            done = Door(plan, self._environment.redis_url).setup.unhook(url)
            talk.say("\n".join(done) or "no webhook calls this address")
            self._left += [one for one in done if one.startswith("remove by hand")]
        except TandemError as error:
            self._left.append(f"the webhook is still there ({error}): remove it by hand")
            done = ()
        if closed := self._files.unwritable():
            self._left.append(f"remove the desk by hand from {' and '.join(map(str, closed))}")
        else:
            checked(new_config, new_env, dict(os.environ))
            self._files.write(new_config, new_env)
            talk.say(f"gone: desk '{plan.name}' (what was there: *.bak; delete .env.bak when sure)", "green")
        self._record("disconnect", plan.name, Hooked())
        talk.result |= {"desk": plan.name, "removed": list(done), "left": self._left}
        talk.say("\n".join(self._left), "yellow")
        return bool(self._left)

    def _leave(self, text: str) -> None:
        self._left.append(text)
        self._talk.say(text, "yellow")

    def _record(self, action: str, desk: str, hooked: Hooked) -> None:
        """Write into the audit log, where there is a database already."""
        detail = {"webhook": hooked.hook.id if hooked.hook else ""}
        try:
            open_store(self._environment.database_url).audit.record(
                f"command:{getpass.getuser()}", action, time.time(), desk=desk, **detail
            )
        except (SQLAlchemyError, OSError):
            self._talk.say("(not in the audit log: the database does not answer or has no tables yet)")


def _arrived(store: Store, desk: str, since: float, seconds: float) -> int | None:
    try:
        found = arrival(store, desk, since, seconds)
    except SQLAlchemyError:
        return None
    return found.id if found else None


def _check(reached: Reached, url: str, port: int) -> str:
    return CHECKS[reached.answer].format(url=url, said=reached.said, port=port)


def _role(role: str) -> str:
    return f" ({role})" if role else ""


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in given:
        team, sign, group = one.partition("=")
        if not sign:
            raise SettingsError(f"--map {one}: write it like --map billing='Finance'")
        found[team.strip()] = group.strip().strip("\"'")
    return found


def _take(groups: dict[str, str], maps: dict[str, str], settings: Settings, looked: Looked) -> None:
    """Put `maps` into `groups`; SettingsError for a team or a group there is not."""
    known = {group.casefold(): group for group in looked.survey.groups or ()}
    for team, group in maps.items():
        if team not in settings.teams:
            raise SettingsError(f"'{team}' is no team; the teams are {', '.join(settings.teams)}")
        if group and known and group.casefold() not in known:
            raise SettingsError(f"the helpdesk has no group '{group}'; it has {', '.join(known.values())}")
        groups[team] = known.get(group.casefold(), group)


def _warn_of_surroundings(talk: Talk, plan: Plan, names: dict[str, str]) -> None:
    """Say which variables of the process would go before .env."""
    for role, name in names.items():
        if os.environ.get(name, "") not in ("", plan.secrets.get(role, "")):
            talk.say(f"{name} is set in the environment too and goes before .env", "yellow")
