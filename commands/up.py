"""Starts everything on this machine: what `make run` runs."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import click

from commands.sandboxed import control, sandbox_environment, start_sandbox, start_tandem
from commands.shared import DATA, REDIS_FILE
from commands.stack import ROOT, Stack, StartError, kept_secret, port_taken
from triage.env_edit import set_variables
from triage.environment import Environment, env_file, read_environment, variables
from triage.file_swap import SECRET, swap
from triage.settings_file import load_settings

LAST_PORT = 65535
NO_DESK_YET = (
    "# Settings of Tandem; docs/configuration.md names every key. Connect in the console adds desks.\ndesks: {}\n"
)
# What the commands need to know of a sandbox that runs.
OWN = ("TANDEM_CONFIG", "DATABASE_URL", "REDIS_URL", "PORT", "SECRET_KEY", "SANDBOX_")
COLOURS = {"redis": "red", "web": "green", "worker": "cyan", "beat": "yellow", "sandbox": "magenta"}


@click.command()
@click.option("--every", default=3.0, show_default=True, help="Seconds between two sample tickets of the sandbox.")
@click.option("--no-sandbox", is_flag=True, help="No sandbox without a desk: connect your own in the console.")
def command(every: float, *, no_sandbox: bool) -> None:
    """Start everything on this machine.

    Web, worker, beat and, where REDIS_URL names none, an embedded Redis-compatible
    server. Where no desk is configured, the sandbox helpdesk with sample tickets
    too. Stop with Ctrl-C.

    \b
    Examples:
      python manage.py up
      PORT=8010 python manage.py up --every 30
      python manage.py up --no-sandbox
    """
    values = variables()
    environment = read_environment(values)
    sandbox = not no_sandbox and not _has_desks(environment, values)
    _check_ports(environment, sandbox)
    if no_sandbox and not (config := Path(environment.tandem_config)).exists():
        config.write_text(NO_DESK_YET, encoding="utf-8")
    made = _secrets(values)
    values = values | made
    # One per port: two can run side by side.
    data = DATA / f"sandbox-{environment.port}" if sandbox else DATA
    if sandbox:
        values |= sandbox_environment(environment.port + 1)
        # The sandbox has forgotten its tickets, so what we know of them goes too.
        shutil.rmtree(data, ignore_errors=True)
        # Files of its own, so that `connect` and the console's wizard write nothing into the real ones.
        data.mkdir(parents=True)
        shutil.copy(values["TANDEM_CONFIG"], data / "tandem.yaml")
        values |= {"TANDEM_CONFIG": str(data / "tandem.yaml"), "TANDEM_ENV_FILE": str(data / ".env")}
    if sandbox or not values.get("DATABASE_URL"):
        data.mkdir(parents=True, exist_ok=True)
        values["DATABASE_URL"] = f"sqlite:///{data}/tandem.db"
    made |= {"DATABASE_URL": values["DATABASE_URL"], "PORT": str(environment.port)}
    stack = Stack(values | made if sandbox else children_environment(made, os.environ), _print)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _run(stack, values, environment, data, every if sandbox else None)
    except (KeyboardInterrupt, SystemExit):
        click.echo("stopping: tickets in flight are finished first ...")
    finally:
        stack.stop()
        if sandbox:
            shutil.rmtree(data, ignore_errors=True)


def children_environment(made: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return what web, worker and beat are given: our own variables and what was `made` here.

    Not what stands in `.env`: they read that themselves, and see when it changes.
    """
    return {**own, **made, "TANDEM_ENV_FILE": str(env_file().absolute())}


def _run(stack: Stack, values: Mapping[str, str], environment: Environment, data: Path, every: float | None) -> None:
    if not values.get("REDIS_URL"):
        stack.environment["REDIS_URL"] = stack.start_broker(data / "redis")
        if every is None:
            # So that `doctor` and the other commands find it from another terminal.
            REDIS_FILE.write_text(stack.environment["REDIS_URL"], encoding="utf-8")
    url = f"http://127.0.0.1:{environment.port}"
    sandbox_url, port = "", environment.port
    if every is not None:
        # So that every command finds this stack: TANDEM_ENV_FILE=data/sandbox-8000/.env python manage.py doctor.
        known = {name: stack.environment[name] for name in sorted(stack.environment) if name.startswith(OWN)}
        swap(data / ".env", set_variables("", known), SECRET)
        sandbox_url = start_sandbox(stack, port + 1, url, every, own_port=port + 2)
    start_tandem(stack, environment.port, data)
    _welcome(url, sandbox_url, values)
    if sandbox_url:
        control(sandbox_url, "/sandbox/feed", {})
    while True:
        stack.revive()
        time.sleep(0.5)


def _has_desks(environment: Environment, values: dict[str, str]) -> bool:
    path = Path(environment.tandem_config)
    if not path.exists() and "TANDEM_CONFIG" not in values:
        return False
    return bool(load_settings(path, values).desks)


def _check_ports(environment: Environment, sandbox: bool) -> None:
    if sandbox and environment.port > LAST_PORT - 2:
        raise StartError(f"the sandbox needs two ports after PORT, and {LAST_PORT} is the last; choose a smaller PORT")
    for port in range(environment.port, environment.port + (3 if sandbox else 1)):
        if port_taken(port):
            raise StartError(f"port {port} is taken by another program; choose one: PORT=8010 make run")


def _secrets(values: dict[str, str]) -> dict[str, str]:
    """Return the secrets that were not given, kept in files so that they stay the same."""
    names = {"SECRET_KEY": DATA / "secret_key", "CONSOLE_PASSWORD": DATA / "console_password"}
    return {name: kept_secret(path) for name, path in names.items() if not values.get(name)}


def _welcome(url: str, sandbox_url: str, values: Mapping[str, str]) -> None:
    lines = ["", "Tandem is running. Stop it with Ctrl-C.", ""]
    if not sandbox_url and not load_settings(Path(read_environment(values).tandem_config), values).desks:
        lines += ["  No desk yet: open Connect in the console", ""]
    if sandbox_url:
        lines += [f"  Helpdesk (sandbox)   {sandbox_url}/      watch tickets get their notes, or send one", ""]
    lines.append(f"  Console              {url}/console/")
    if sandbox_url:
        lines.append(f"  To connect yourself  {_after(sandbox_url)}/      empty accounts; Connect in the console, or")
        here = f"TANDEM_ENV_FILE={_typed(values['TANDEM_ENV_FILE'])} {_typed(sys.executable)}"
        lines.append(f"     {here} manage.py connect zendesk")
    if not variables().get("CONSOLE_PASSWORD"):
        lines.append("  Console password     in the file data/console_password")
    has_model = values.get("OPENAI_API_KEY") or values.get("OPENAI_BASE_URL")
    model = read_environment(values).openai_model if has_model else "built-in classifier"
    lines += [f"  Classifier           {model}", ""]
    click.echo("\n".join(lines))


def _typed(path: str | Path) -> str:
    """Return `path` as a person would type it in this folder."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _after(url: str) -> str:
    """Return the address of the port after that of `url`."""
    host, _, port = url.rpartition(":")
    return f"{host}:{int(port) + 1}"


_print_lock = threading.Lock()


def _print(name: str, line: str) -> None:
    with _print_lock:
        click.secho(f"{name:8}", fg=COLOURS.get(name), nl=False)
        click.echo(f" {line}")
