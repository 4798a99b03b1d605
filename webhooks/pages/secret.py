"""A desk's webhook secret, changed: the new one is put beside the old one, shown once; the old one goes at the end.

Where the two files cannot be written from here the page says what to put where.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from flask import Blueprint, flash
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from triage.desk_plan import Files, checked
from triage.environment import env_file
from triage.errors import SettingsError
from triage.rotation import begin, end, names_of
from webhooks.frame import Answer, Console, to

BYTES = 24
MISSING = "Paste the signing secret that Zendesk shows."
TAKEN_UP = "{desk} accepts the new secret within seconds, and the old one until you remove it."
ENDED = {"finish": "The old secret of {desk} is gone.", "back": "The new secret of {desk} is gone; the old one stays."}


class Secret:
    """The page and its buttons."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._files = Files(Path(console.environment.tandem_config), env_file())

    def show(self, desk: str) -> str:
        """Show how it stands and what to do next."""
        return self._page(desk)

    def make(self, desk: str) -> Answer:
        """Put a new secret beside the old one; Freshdesk's is made here and shown this once, Zendesk's was pasted."""
        is_made = self._console.desk(desk).platform == "freshdesk"
        secret = secrets.token_hex(BYTES) if is_made else self._console.field("secret")
        if not secret:
            flash(MISSING)
            return to("secret", desk=desk)
        if not self._in_files(desk):
            if not is_made:
                raise BadRequest
            self._console.record("secret made", desk=desk)
            return self._page(desk, made=secret)
        try:
            config, env, variable = begin(*self._files.texts(), desk, secret, set(os.environ))
            self._write(config, env)
        except (SettingsError, OSError) as error:
            return self._failed(desk, error)
        self._console.record("secret added", desk=desk, subject=variable)
        if is_made:
            return self._page(desk, made=secret, variable=variable)
        flash(TAKEN_UP.format(desk=desk))
        return to("secret", desk=desk)

    def end(self, desk: str) -> Answer:
        """Remove the old secret, or take the new one back."""
        self._console.desk(desk)
        does = self._console.field("do")
        if does not in ENDED or not self._in_files(desk):
            raise BadRequest
        try:
            before = names_of(self._files.texts()[0], desk)
            self._write(*end(*self._files.texts(), desk, keep_new=does == "finish"))
        except (SettingsError, OSError) as error:
            return self._failed(desk, error)
        gone = set(before) - set(names_of(self._files.texts()[0], desk))
        self._console.record("secret removed", desk=desk, subject=", ".join(sorted(gone)))
        flash(ENDED[does].format(desk=desk))
        return to("secret", desk=desk)

    def _page(self, desk: str, made: str = "", variable: str = "") -> str:
        known, store = self._console.desk(desk), self._console.store
        config = self._files.texts()[0]
        names = names_of(config, desk) if self._in_files(desk) else []
        return self._console.show(
            "secret",
            time.time(),
            desk=desk,
            known=known,
            made=made,
            names=names,
            variable=variable or "A_NEW_NAME",
            files=self._files,
            closed=not names,
            last=store.deliveries.newest_of(desk),
        )

    def _in_files(self, desk: str) -> bool:
        """Say whether the desk's secrets can be changed from here."""
        return not self._files.unwritable() and bool(names_of(self._files.texts()[0], desk))

    def _write(self, config: str, env: str) -> None:
        checked(config, env, dict(os.environ))
        self._files.write(config, env)

    def _failed(self, desk: str, error: Exception) -> Response:
        # An OSError names the file; our own errors never quote a secret.
        flash(str(error))
        return to("secret", desk=desk)


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    page = Secret(console)
    console.page(routes, "desks/<desk>/secret", "secret", page.show, admin=True)
    console.action(routes, "desks/<desk>/secret", "make_secret", page.make)
    console.action(routes, "desks/<desk>/secret/end", "end_secret", page.end)
