"""The steps of the console's wizard, carried out by a worker: the web process talks to no helpdesk.

What a step found is kept in one cursor of the desk, as JSON without any secret; the page shows it.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.setup import Hook, Right, Survey
from triage.desk_plan import WEBHOOK, Files, Plan, plan_of, settings_of, without_desk, write
from triage.environment import Environment, env_file, variables
from triage.errors import TandemError
from triage.store import Store
from workers.connect import ACCEPTED, Door, Hooked, arrival, ready, try_out
from workers.reach import Answer
from workers.setup_report import DONE, FAILED, HOOK, LOOK, REMOVE, RUNNING, Report

logger = logging.getLogger(__name__)
READY_SECONDS = 30.0
ARRIVAL_SECONDS = 10.0
AGAIN_SECONDS = 2.0
UNPROVEN = 401
LEFT_READ_ONLY = (
    "The webhook is there, but {paths} cannot be written from here: open the webhook in Zendesk's Admin Center, choose "
    "Reveal secret, put it into {env} as {name}, and restart Tandem."
)
NOT_REACHED = {
    Answer.NO_DESK: "Tandem answers at {url} and does not know the desk yet: restart it, then try again.",
    Answer.STRANGER: "Something else than Tandem answers at {url} ({said}): correct PUBLIC_URL, proxy or tunnel.",
    Answer.NOBODY: "Nothing answers at {url} ({said}): correct PUBLIC_URL, or start proxy or tunnel.",
}
TEST_FAILED = "The test was answered {status}: check that {url} can be reached from the internet; restart web."


def carry_out(desk: str, step: str, environment: Environment, store: Store) -> None:
    """Do one step and keep what came of it; a failure is kept as the sentence that says what to do."""
    report = Report(store, desk)
    report.note(step=step, state=RUNNING, error="")
    files = Files(Path(environment.tandem_config), env_file())
    try:
        # Afresh: the settings of this process may be older than the form that was just sent.
        plan = plan_of(files.texts()[0], desk, variables())
        door = Door(plan, environment.redis_url)
        if step == LOOK:
            report.note(**_look(door, files))
        elif step == HOOK:
            _hook(door, files, environment, store, report)
        elif step == REMOVE:
            report.note(removed=list(door.setup.unhook(plan.webhook(environment.public))))
            _forget(files, desk)
    except (TandemError, OSError) as error:
        report.note(state=FAILED, error=str(error))
        return
    except Exception as error:
        # Its text may hold anything; the page says which kind and the log where.
        logger.exception("setting up desk %s failed at %s", desk, step)
        report.note(state=FAILED, error=f"unexpected {type(error).__name__}; the worker's log says more")
        return
    report.note(state=DONE)


def _look(door: Door, files: Files) -> dict[str, Any]:
    looked = door.look(settings_of(files.texts()[0], variables()))
    return {
        "user": looked.account.name or looked.account.user_id,
        "role": looked.account.role,
        "rights": [_right(one) for one in looked.rights],
        "survey": _survey(looked.survey),
        "matches": [{"team": one.team, "group": one.group, "why": one.why} for one in looked.matches],
    }


def _right(one: Right) -> dict[str, str]:
    need = one.need
    said = {"name": need.name, "why": need.why, "right": need.right, "without": need.without}
    return said | {"state": str(one.state), "said": one.said}


def _survey(survey: Survey) -> dict[str, Any]:
    names = {"groups": survey.groups, "tags": survey.tags, "sla_policies": survey.sla_policies}
    fields = None if survey.fields is None else [list(one) for one in survey.fields]
    return {name: None if one is None else list(one) for name, one in names.items()} | {
        "fields": fields,
        "tickets": survey.tickets,
    }


def _hook(door: Door, files: Files, environment: Environment, store: Store, report: Report) -> None:
    """Make or mend the webhook, keep its secret, and wait for a test to arrive."""
    url, since = door.plan.webhook(environment.public), time.time()
    hooked = door.hook(url)
    report.note(hook=_hook_said(hooked), rules=_rules_said(hooked), steps=[], left="", arrived=None)
    if hooked.hook:
        _keep_secret(door.plan, hooked.hook, files)
    else:
        report.note(steps=door.setup.steps(door.plan.name, url, _place(door.plan, files)))
    reached = ready(url, READY_SECONDS)
    if reached.answer is not Answer.READY:
        report.note(left=NOT_REACHED[reached.answer].format(url=url, said=reached.said))
    elif hooked.hook:
        _test(door, hooked.hook, store, since, report)
    else:
        found = arrival(store, door.plan.name, 0.0, 0.0)
        report.note(arrived=found.id if found else None)


def _place(plan: Plan, files: Files) -> str:
    name = plan.variables(files.texts()[0])[WEBHOOK]
    return f"<the value of {name} in {files.env}>"


def _hook_said(hooked: Hooked) -> dict[str, Any] | None:
    if hooked.hook is None:
        return {"reason": hooked.reason} if hooked.reason else None
    return {"id": hooked.hook.id, "by": hooked.hook.by, "done": list(hooked.hook.done)}


def _rules_said(hooked: Hooked) -> list[dict[str, Any]] | None:
    if hooked.rules is None:
        return None
    return [{"name": one.name, "on": one.on, "faults": list(one.faults)} for one in hooked.rules]


def _keep_secret(plan: Plan, hook: Hook, files: Files) -> None:
    if plan.secrets.get(WEBHOOK) == hook.secret:
        return
    if closed := files.unwritable():
        name = plan.variables(files.texts()[0])[WEBHOOK]
        paths = " and ".join(map(str, closed))
        raise OSError(LEFT_READ_ONLY.format(paths=paths, env=files.env, name=name))
    named = replace(plan, secrets={**plan.secrets, WEBHOOK: hook.secret})
    write(files, named, settings_of(files.texts()[0], variables()), dict(os.environ))


def _test(door: Door, hook: Hook, store: Store, since: float, report: Report) -> None:
    end = time.monotonic() + READY_SECONDS
    # The web process may be about to read the new secret.
    while (tried := try_out(door, hook)).status == UNPROVEN and time.monotonic() < end:
        time.sleep(AGAIN_SECONDS)
    found = arrival(store, door.plan.name, since, ARRIVAL_SECONDS if tried.status in ACCEPTED else 0.0)
    left = "" if found else TEST_FAILED.format(status=tried.status or "nothing", url=hook.url)
    report.note(arrived=found.id if found else None, left=left)


def _forget(files: Files, desk: str) -> None:
    with files.alone():
        files.write(*without_desk(*files.texts(), desk))
        files.forget_backups()
