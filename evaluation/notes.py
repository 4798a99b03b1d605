"""Take the pictures of docs/notes.md: `python -m evaluation.notes [--out docs/images]`.

Starts a whole Tandem beside the sandbox helpdesk on free ports, with a language model that has learned its lines
(`notes_model.py`), sends sample tickets through it and takes a picture of each note as the sandbox shows it; then once
more without a model. Takes pictures of whole pages for the other documents, too.
Needs Chromium and the development packages; changes nothing but the pictures.
"""

from __future__ import annotations

import argparse
import collections
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import sync_playwright

from commands.sandboxed import SAMPLES, control, sandbox_environment, start_sandbox, start_tandem
from commands.smoke import OWN_VARIABLES
from commands.stack import ROOT, Stack, free_port
from evaluation import notes_model
from triage.environment import variables

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
Shown = dict[str, tuple[str, str]]
"""Sample -> name of its note's picture, empty for none; helpdesk."""
WITH_MODEL = {
    "s11": ("enterprise", "zendesk"),
    "s37": ("attachments", "zendesk"),
    "s23": ("italian", "freshdesk"),
    "s34": ("hostile", "zendesk"),
    "s12": ("unclear", "freshdesk"),
}
WITHOUT_MODEL = {
    "s20": ("without-model", "freshdesk"),
    "s23": ("", "freshdesk"),
    **dict.fromkeys(("s44", "s45", "s46", "s47", "s48"), ("", "both")),
    "s29": ("", "zendesk"),
}
DESKS = {"zendesk": "acme", "freshdesk": "globex"}
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
ON_A_PHONE = {"s37": "narrow"}
# sample -> name of the picture of a whole page, and its address seen from the ticket's
WHOLE = {"s29": ("ticket", ""), "s23": ("ticket-freshdesk", ""), "s48": ("list", "/")}
PATIENCE_SECONDS = 120.0
# The export of changed tickets ends a minute ago, so solved tickets must be as old before they can be read.
SETTLE_SECONDS = 62.0


@contextmanager
def tandem(model: str) -> Iterator[tuple[Stack, str]]:
    """Run a whole Tandem on free ports with the language model at `model`; give it and the sandbox's address."""
    lines: collections.deque[str] = collections.deque(maxlen=100)
    with tempfile.TemporaryDirectory(prefix="tandem-notes-") as folder:
        data, port, sandbox_port = Path(folder), free_port(), free_port()
        values = variables() | dict.fromkeys(OWN_VARIABLES, "") | sandbox_environment(sandbox_port)
        values |= {"PORT": str(port), "DATABASE_URL": f"sqlite:///{data}/tandem.db"}
        values |= {"PUBLIC_URL": f"http://127.0.0.1:{port}", "SECRET_KEY": "only-for-the-pictures-of-the-notes"}
        values |= {"OPENAI_BASE_URL": model, "OPENAI_API_KEY": "none", "OPENAI_MODEL": "shown"} if model else {}
        stack = Stack(values, lambda name, line: lines.append(f"{name:8} {line}"))
        try:
            stack.environment["REDIS_URL"] = stack.start_broker(data / "redis")
            sandbox = start_sandbox(stack, sandbox_port, f"http://127.0.0.1:{port}", 0)
            start_tandem(stack, port, data)
            yield stack, sandbox
        except Exception:
            sys.stderr.write("\n".join(lines) + "\n")
            raise
        finally:
            stack.stop()


def samples() -> dict[str, dict[str, Any]]:
    """Return the sample tickets by id."""
    return {row["id"]: row for row in map(json.loads, SAMPLES.read_text(encoding="utf-8").splitlines())}


def push(stack: Stack, sandbox: str, shown: Shown) -> dict[str, str]:
    """Open the tickets of `shown` once the desks know the others; return sample -> its ticket's page, notes written."""
    rows = samples()
    for name in rows.keys() - shown:
        control(sandbox, "/sandbox/tickets", rows[name] | {"silent": True, "vendor": "both", "status": "closed"})
    time.sleep(SETTLE_SECONDS)
    for desk in DESKS.values():
        command = [sys.executable, "manage.py", "knowledge", "sync", "--desk", desk]
        subprocess.run(command, cwd=ROOT, env=stack.environment, check=True, stdout=subprocess.DEVNULL)
    # Workers look for a new index every 30 seconds.
    time.sleep(SETTLE_SECONDS / 2)
    pages = {}
    for name, (_, vendor) in shown.items():
        made = control(sandbox, "/sandbox/tickets", rows[name] | {"vendor": vendor})
        pages[name] = made.get("url", sandbox)
    end = time.monotonic() + PATIENCE_SECONDS
    while not _written(control(sandbox, "/sandbox/state"), shown):
        if time.monotonic() > end:
            raise TimeoutError("not every ticket got its note")
        time.sleep(0.5)
    return pages


def _written(state: dict[str, Any], shown: Shown) -> bool:
    tagged = [one for vendor in DESKS for one in state[vendor] if one["sample_id"] in shown]
    return all("ai_triaged" in one["tags"] for one in tagged if one["status"] != "closed")


def take(pages: dict[str, str], shown: Shown, out: Path) -> list[Path]:
    """Write one picture for each note, one as on a phone, and those of whole pages; return the files."""
    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        shots = [(name, title, WIDE) for name, (title, _) in shown.items() if title]
        shots += [(name, title, NARROW) for name, title in ON_A_PHONE.items() if name in pages]
        for name, title, size in shots:
            page = browser.new_page(viewport=size, device_scale_factor=1.5)  # type: ignore[arg-type]
            page.goto(pages[name])
            note = page.locator("article.private", has_text="Tandem · ref").last
            taken.append(out / f"note-{title}.png")
            note.screenshot(path=taken[-1])
            page.close()
        for name, (title, path) in WHOLE.items():
            if shown is WITHOUT_MODEL:
                page = browser.new_page(viewport=WIDE | {"height": 760})  # type: ignore[arg-type]
                page.goto(urljoin(pages[name], path))
                taken.append(out / f"{title}.png")
                page.screenshot(path=taken[-1], full_page=not path)
                page.close()
        browser.close()
    return taken


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for shown in (WITH_MODEL, WITHOUT_MODEL):
        with ExitStack() as opened:
            model = opened.enter_context(notes_model.running()) if shown is WITH_MODEL else ""
            stack, sandbox = opened.enter_context(tandem(model))
            for path in take(push(stack, sandbox, shown), shown, arguments.out):
                sys.stdout.write(f"{path}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
