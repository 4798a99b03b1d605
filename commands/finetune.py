"""Teaches the hosted language model the desk's own labels: writes the training file, starts the job, follows it."""

from __future__ import annotations

import hashlib
import json
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from commands.period import period
from commands.rows import InputError, settings_or_defaults
from commands.shared import DATA, check_desk, database_errors, find_embedded_redis
from commands.tuning_material import Notebook, check_enough, examples_in, from_file, from_outcomes, named, wrapped
from commands.tuning_state import STATE, keep_state, plain, read_state
from triage.classify import build_llm
from triage.classify.question import Questionnaire
from triage.classify.tuning import EPOCHS, Example, deduplicated, dropped, price_of, split, tokens_in
from triage.environment import Environment, read_environment
from triage.errors import ModelError, SettingsError
from triage.settings import Settings
from triage.store import open_store
from triage.store.migrate import migrate
from workers.runtime import Runtime

OVER = frozenset({"succeeded", "failed", "cancelled"})
NOT_READY, FAILED = 3, 1
PAUSE = 30.0
SUFFIX = 18
NO_OUTCOMES = (
    "no outcome was observed on desk {desk} since {since}: Tandem learns what people made of a ticket when it is "
    "solved. Let it watch for some days, look further back with --since, or give labelled rows with --file"
)
DROPPED = "not taught, for the settings have no such {field}: {labels}"
WIDTH = 79
NO_SOURCE = "name the desk whose outcomes to use with --desk, or labelled rows with --file"
UNDER_WAY = "{job} is under way: follow it with `finetune status`, or delete {state} to forget it"
NOTHING = "no job was started from here ({state} does not exist); start one with `finetune start`"
NO_PRICE = "price unknown: give the vendor's price of a million training tokens with --usd-per-million"


@click.group()
def command() -> None:
    """Fine-tune the hosted model on what your agents corrected.

    \b
    Example:
      python manage.py finetune export --desk acme --out tuning
      python manage.py finetune start --train tuning.train.jsonl \\
          --validation tuning.validation.jsonl --model gpt-4.1-mini-2025-04-14
      python manage.py finetune status --watch
    """


price_option = click.option(
    "--usd-per-million", type=click.FloatRange(min=0), help="The vendor's price of a million training tokens."
)


@command.command()
@click.option("--desk", default="", help="The desk whose outcomes to use.")
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labelled rows, as for learn.",
)
@click.option("--since", default="365d", show_default=True, help="Without FILE: how far back: 365d or 2026-01-01.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="OUT.train.jsonl, OUT.validation.jsonl")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@price_option
@database_errors()
def export(desk: str, source: Path | None, since: str, out: Path, as_json: bool, usd_per_million: float | None) -> None:
    """Write the training files; nothing is sent.

    Without FILE: tickets whose labels people corrected or left until the ticket
    was solved; the texts are read again through the helpdesk. Private data is
    masked, each text stands once, the newest fifth is kept out to validate on.
    Labels that the settings do not have are left out and named.

    \b
    Example:
      python manage.py finetune export --desk acme --out tuning
      python manage.py finetune export --file rows.csv --out tuning --json
    """
    if not out.parent.is_dir():
        raise InputError(f"--out: the folder {out.parent} does not exist; make it or name another")
    environment = read_environment()
    settings = settings_or_defaults(environment)
    questionnaire = Questionnaire(settings.teams, {str(name): one for name, one in settings.priorities.items()})
    notebook = None
    if source:
        found, strange = from_file(source, questionnaire)
    elif desk:
        notebook = Notebook(DATA / f"finetune-{desk}.part.jsonl", questionnaire.system)
        found, strange = _observed(environment, settings, desk, since, questionnaire, notebook)
    else:
        raise SettingsError(NO_SOURCE)
    examples = deduplicated(found)
    check_enough(len(examples))
    training, validation = split(examples)
    files = [
        _write(out, part, each, questionnaire.system)
        for part, each in (("train", training), ("validation", validation))
    ]
    if notebook:
        notebook.clear()
    about = {
        "examples": len(training), "validation_examples": len(validation), "duplicates": len(found) - len(examples),
        "dropped_labels": strange, "corrected": sum(one.corrected for one in examples), "train": str(files[0] or ""),
        "validation": str(files[1] or ""), **_estimate(files[0], usd_per_million),
    }  # fmt: skip
    click.echo(json.dumps(about) if as_json else _told(about, strange))


def _observed(
    environment: Environment, settings: Settings, desk: str, since: str, questionnaire: Questionnaire,
    notebook: Notebook,
) -> tuple[list[Example], dict[str, Counter[str]]]:  # fmt: skip
    start, _ = period(since, "", datetime.now(UTC))
    check_desk(settings, desk, Path(environment.tandem_config))
    find_embedded_redis()
    store = open_store(environment.database_url)
    migrate(store.engine)
    settled = store.outcomes.settled(desk, start.timestamp())
    if not settled:
        raise InputError(wrapped(NO_OUTCOMES.format(desk=desk, since=since)))
    strange = dropped(questionnaire, ({one.field: one.theirs for one in seen} for seen in settled.values()))
    connector = Runtime(read_environment(), settings).connector(desk)
    with Progress(TextColumn("reading tickets"), MofNCompleteColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(settled))
        progress = partial(bar.advance, task)
        return from_outcomes(store, connector, questionnaire, settled, notebook, progress), strange


def _write(out: Path, part: str, examples: Sequence[Example], system: str) -> Path | None:
    """Write one file, readable by its owner only, and return it; None where there is nothing to write."""
    file = out.with_name(f"{out.name}.{part}.jsonl")
    file.unlink(missing_ok=True)
    if not examples:
        return None
    file.touch(mode=0o600)
    file.write_text("".join(one.line(system) + "\n" for one in examples), encoding="utf-8")
    return file


def _estimate(file: Path | None, usd_per_million: float | None) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8") if file else ""
    tokens = tokens_in(text)
    cost = None if usd_per_million is None else round(price_of(tokens, usd_per_million), 2)
    return {"bytes": len(text.encode()), "tokens": tokens, "epochs": EPOCHS, "cost_usd": cost}


def _told(about: dict[str, Any], strange: Mapping[str, Counter[str]]) -> str:
    lines = [
        f"{about['examples']} examples to train on, {about['validation_examples']} to validate on",
        f"{about['corrected']} of them corrected by people, {about['duplicates']} duplicates left out",
        *(DROPPED.format(field=field, labels=named(counted)) for field, counted in strange.items()),
        _size(about),
        *(f"  {about[part]}" for part in ("train", "validation") if about[part]),
        "Private data is masked as far as patterns find it: look into the files before you send them.",
    ]
    # File names stand whole on their line: they are copied from there.
    return "\n".join(one if one.startswith("  ") else textwrap.fill(one, WIDTH) for one in lines)


def _size(about: dict[str, Any]) -> str:
    size = f"{about['bytes'] / 1e6:.2f} MB, about {about['tokens']:,} tokens a round"
    if about["cost_usd"] is None:
        return f"{size}; {NO_PRICE}"
    return f"{size}; about {about['cost_usd']:.2f} USD for {about['epochs']} rounds"


@command.command()
@click.option(
    "--train",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="OUT.train.jsonl of `finetune export`.",
)
@click.option(
    "--validation",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="OUT.validation.jsonl: the vendor reports how well the new model does on it.",
)
@click.option("--model", required=True, help="The model to start from, as the vendor names it.")
@click.option("--suffix", default="tandem", show_default=True, help="Becomes part of the new model's name.")
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@price_option
def start(
    train: Path, validation: Path | None, model: str, suffix: str, yes: bool, usd_per_million: float | None
) -> None:
    """Upload the files and start the job. This costs money.

    \b
    Example:
      python manage.py finetune start --train tuning.train.jsonl \\
          --validation tuning.validation.jsonl --model gpt-4.1-mini-2025-04-14
    """
    if len(suffix) > SUFFIX:
        raise SettingsError(f"--suffix: {SUFFIX} characters at most")
    state = read_state()
    if state.get("job") and state.get("status") not in OVER:
        raise SettingsError(UNDER_WAY.format(job=state["job"], state=STATE))
    examples = examples_in(train)
    api = _llm().api
    click.echo(textwrap.fill(f"{examples} examples, {_size(_estimate(train, usd_per_million))}", WIDTH))
    if not yes:
        click.confirm(f"Send them to {api.base_url} and train {model}?", abort=True)
    sent: dict[str, str] = state.get("files", {}) if not state.get("job") else {}
    ids: dict[str, str] = {}
    for key, file in (("training_file", train), ("validation_file", validation)):
        if file:
            # An upload that a broken start has left behind is used again.
            mark = hashlib.sha256(file.read_bytes()).hexdigest()
            ids[key] = sent[mark] = sent.get(mark) or api.upload(file, "fine-tune")
            keep_state({"files": sent})
    job = api.create_job({"model": model, "suffix": suffix, **ids})
    keep_state({"files": sent, "job": str(job.get("id")), "status": str(job.get("status")), "model": model})
    click.echo(f"{job.get('id')} started; follow it with: python manage.py finetune status --watch")


@command.command()
@click.option("--watch", is_flag=True, help="Stay until it is over.")
def status(watch: bool) -> None:
    """Say how the job stands (code 3: not over yet, 1: it failed).

    \b
    Example:
      python manage.py finetune status --watch
    """
    state = read_state()
    if not state.get("job"):
        raise SettingsError(NOTHING.format(state=STATE))
    api = _llm().api
    shown: set[str] = set()
    try:
        while True:
            job = api.job(state["job"])
            for event in api.job_events(state["job"]):
                if event.get("id") not in shown:
                    shown.add(str(event.get("id")))
                    click.echo(_event(event))
            state["status"] = str(job.get("status"))
            keep_state(state)
            if state["status"] in OVER or not watch:
                break
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        click.echo("\nthe job goes on; look again with: python manage.py finetune status", err=True)
        sys.exit(NOT_READY)
    click.echo(f"{state['job']}: {plain(state['status'])}")
    if state["status"] not in OVER:
        sys.exit(NOT_READY)
    _finish(state, job, api)


def _finish(state: dict[str, Any], job: dict[str, Any], api: Any) -> None:
    """Say what to do with a job that is over; its files hold masked customers' words and are deleted there."""
    for file_id in state.get("files", {}).values():
        with suppress(ModelError):
            api.delete_file(file_id)
    keep_state({**state, "files": {}})
    if state["status"] != "succeeded":
        error = job.get("error") or {}
        reason = plain(error.get("message") or "") if isinstance(error, dict) else ""
        click.echo(f"error: {reason or 'the vendor gives no reason'}", err=True)
        sys.exit(FAILED)
    click.echo(f"put this into .env and restart the workers:\nOPENAI_MODEL={plain(job.get('fine_tuned_model'))}")


def _event(event: dict[str, Any]) -> str:
    at = event.get("created_at")
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") if isinstance(at, int) and 0 <= at < 1e11 else ""
    return f"{when}  {plain(event.get('message'))}"


def _llm() -> Any:
    environment = read_environment()
    return build_llm(
        settings_or_defaults(environment), openai_base_url=environment.openai_base_url,
        openai_api_key=environment.openai_api_key.get_secret_value(), openai_model=environment.openai_model,
        spent_today=lambda: 0.0,
    )  # fmt: skip
