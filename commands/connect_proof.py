"""The end of `connect`: does the web process know the desk, and does what the helpdesk sends arrive?"""

from __future__ import annotations

import getpass
import time
from dataclasses import dataclass, field

import click
from sqlalchemy.exc import SQLAlchemyError

from commands.connect_screen import Talk, paragraphs, rules_table
from connectors.setup import Hook, RuleSeen
from triage.desk_plan import WEBHOOK, Files, Plan
from triage.environment import Environment, variables
from triage.store import open_store
from workers.connect import ACCEPTED, Door, arrival, ready, try_out
from workers.reach import Answer

READY_SECONDS = 30.0
ARRIVAL_SECONDS = 10.0
AGAIN_SECONDS = 2.0
UNPROVEN = 401
CHECKS = {
    Answer.NO_DESK: "Tandem answers at {url} and does not know the desk yet: restart it, then run this again",
    Answer.STRANGER: "something else than Tandem answers at {url} ({said}): point proxy or tunnel to port {port}",
    Answer.NOBODY: "nothing answers at {url} ({said}): start Tandem (make run), check PUBLIC_URL and the proxy",
}
TEST_CHECKS = {
    401: "the web process has an older secret: restart Tandem, then run this again",
    404: "the web process does not know the desk yet: restart Tandem, then run this again",
    0: "the helpdesk could not reach {url}: check DNS, certificate, proxy and firewall",
}
OTHER_INBOX = "{platform} was answered {status}, but nothing came into our inbox: is another Tandem at {url}?"
NO_CALL = "no call has come yet: check that webhook or rule is on, its URL, and the secret on both sides"
NO_RULE = "the rule for new tickets is not there yet: click it together and run this again"
WRITE_NOW = "Write a ticket in {platform} now, as a customer; waiting for its call up to {wait:.0f} s ..."


@dataclass
class Room:
    """What one run of the command works with."""

    talk: Talk
    environment: Environment
    files: Files
    wait: float
    left: list[str] = field(default_factory=list)
    """What a person has to do."""

    def leave(self, text: str) -> None:
        """Say what is left to do, now and at the end."""
        self.left.append(text)
        self.talk.say(paragraphs(text), "yellow")

    def arrived(self, desk: str, since: float, seconds: float) -> int | None:
        """Return the delivery that came for `desk`, or None."""
        try:
            found = arrival(open_store(self.environment.database_url), desk, since, seconds)
        except SQLAlchemyError:
            self.leave("the inbox cannot be read: start the database, and run python manage.py migrate")
            return None
        return found.id if found else None

    def record(self, action: str, desk: str, **detail: str) -> None:
        """Write into the audit log, where there is a database already."""
        try:
            store = open_store(self.environment.database_url)
            store.audit.record(f"command:{getpass.getuser()}", action, time.time(), desk=desk, **detail)
        except (SQLAlchemyError, OSError):
            self.talk.say("(not in the audit log: the database does not answer or has no tables yet)")


def knows(room: Room, url: str) -> bool:
    """Wait until the web process answers at `url` and knows the desk; else say what to check."""
    reached = ready(url, min(room.wait, READY_SECONDS))
    if reached.answer is Answer.READY:
        return True
    room.leave(CHECKS[reached.answer].format(url=url, said=reached.said, port=room.environment.port))
    return False


def test(room: Room, door: Door, hook: Hook, since: float) -> None:
    """Let the helpdesk send a test and wait for it to arrive."""
    desk = door.plan.name
    end = time.monotonic() + room.wait
    # The web process may be about to read the new secret.
    while (tried := try_out(door, hook)).status == UNPROVEN and time.monotonic() < end:
        time.sleep(AGAIN_SECONDS)
    arrived = room.arrived(desk, since, ARRIVAL_SECONDS if tried.status in ACCEPTED else 0.0)
    room.talk.result["test"] = {"status": tried.status, "delivery": arrived}
    if arrived:
        room.talk.say(f"The test arrived: delivery {arrived}.", "green")
    elif tried.status in ACCEPTED:
        room.leave(OTHER_INBOX.format(platform=door.plan.platform, status=tried.status, url=hook.url))
    else:
        check = TEST_CHECKS.get(tried.status, TEST_CHECKS[0]).format(url=hook.url)
        room.leave(f"the test was answered {tried.status or 'nothing'}: {check}")


def first_call(room: Room, plan: Plan) -> None:
    """Say whether a webhook made by hand has ever called us; where not, wait for it."""
    arrived = room.arrived(plan.name, 0.0, 0.0)
    if not arrived:
        room.talk.say(WRITE_NOW.format(platform=plan.platform, wait=room.wait))
        arrived = room.arrived(plan.name, 0.0, room.wait)
    if arrived:
        room.talk.say(f"The webhook has called us: delivery {arrived}.", "green")
    else:
        room.leave(NO_CALL)


def rules(room: Room, door: Door, url: str, *, show_secret: bool) -> None:
    """Print the rules to click together, and look whether they are there."""
    talk, plan = room.talk, door.plan
    found = door.hook(url).rules
    if not _are_right(found):
        name = plan.variables(room.files.texts()[0])[WEBHOOK]
        stand_in = f"<the value of {name} in {room.files.env}>"
        secret = variables().get(name, "") if show_secret else stand_in
        talk.say("An admin of the account clicks together:\n")
        talk.say("\n".join(door.setup.steps(plan.name, url, secret)))
        # Never the secret itself: this is what --json prints.
        talk.result["steps"] = door.setup.steps(plan.name, url, stand_in)
        if not show_secret:
            talk.say("\n(--show-secret prints the secret in its place)")
    while talk.asks and found is not None and not _are_right(found):
        if not click.confirm("\n   Look again whether the rules are there?", default=True):
            break
        found = door.hook(url).rules
        talk.say(rules_table(found) if found else "no rule calls this address yet")
    _judge(room, plan, found)


def _are_right(found: tuple[RuleSeen, ...] | None) -> bool:
    return bool(found) and {"created"} <= {one.on for one in found or () if not one.faults}


def _judge(room: Room, plan: Plan, found: tuple[RuleSeen, ...] | None) -> None:
    talk = room.talk
    talk.result["rules"] = None if found is None else {one.on: list(one.faults) for one in found}
    if found is None:
        talk.say("The key may not list automation rules.")
        first_call(room, plan)
        return
    if found:
        talk.say(rules_table(found))
    for one in found:
        if one.faults:
            room.leave(f"rule '{one.name}': {'; '.join(one.faults)}")
    if "created" not in {one.on for one in found}:
        room.leave(NO_RULE)
