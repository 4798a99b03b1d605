"""`connect --remove`: takes webhook, desk and secrets away and keeps the database."""

from __future__ import annotations

import os

from commands.connect_ask import Options, ask_plan
from commands.connect_proof import Room
from triage.desk_plan import checked, difference, plan_of, without_desk
from triage.env_edit import read_variables
from triage.environment import variables
from triage.errors import SettingsError, TandemError
from triage.settings_edit import value_at
from workers.connect import Door

NO_DESK = "--desk {desk}: no such desk in {path} (it has {known})"
UNCHANGED = "nothing was changed"


def remove(room: Room, options: Options) -> None:
    """Take everything of a desk away but the database, after asking."""
    talk, files = room.talk, room.files
    config, env = files.texts()
    desks = value_at(config, ("desks",)) or {}
    if options.desk and options.desk not in desks:
        raise SettingsError(NO_DESK.format(desk=options.desk, path=files.config, known=", ".join(desks) or "none"))
    plan = ask_plan(options, talk, config, variables(), sure=True)
    url = plan.webhook(room.environment.public)
    new_config, new_env = without_desk(config, env, plan.name)
    talk.title(f"Take desk '{plan.name}' away")
    talk.say(difference(config, new_config, files.config.name))
    gone = sorted(set(read_variables(env)) - set(read_variables(new_env)))
    talk.say(f"\nfrom {files.env}: {', '.join(gone) or 'nothing'}")
    talk.say(f"in {plan.platform}: what calls {url}")
    talk.say("The database with deliveries, runs and the audit log stays.\n")
    if not talk.may("Take all this away?", default=False):
        raise SettingsError(UNCHANGED)
    done: tuple[str, ...] = ()
    try:
        # Says which secret is missing, where one is.
        known = plan_of(config, plan.name, variables())
        done = Door(known, room.environment.redis_url).setup.unhook(url)
        talk.say("\n".join(done) or "no webhook calls this address")
    except TandemError as error:
        room.leave(f"the webhook may still be there ({error}): remove it by hand")
    room.left += [one for one in done if one.startswith("remove by hand")]
    if closed := files.unwritable():
        room.leave(f"take desk '{plan.name}' and {', '.join(gone)} by hand out of {' and '.join(map(str, closed))}")
    else:
        with files.alone():
            # Afresh: another desk may have been connected while this one was talked about.
            new_config, new_env = without_desk(*files.texts(), plan.name)
            checked(new_config, new_env, dict(os.environ))
            files.write(new_config, new_env)
            files.forget_backups()
        talk.say(f"gone: desk '{plan.name}' and its secrets", "green")
    room.record("disconnect", plan.name)
    talk.result |= {"desk": plan.name, "removed": list(done)}
