"""Builds the application from the environment, for `manage.py web` or any WSGI server (`webhooks.wsgi:build()`)."""

from __future__ import annotations

import gc
from pathlib import Path

from flask import Flask

from triage.environment import read_environment, variables
from triage.live import Live
from triage.logs import configure_logging
from triage.settings_file import load_settings
from triage.settings_reload import SettingsFile
from triage.store import open_store
from triage.traces import set_up_traces
from webhooks.app import create_app
from webhooks.wakeup import Wakeup

# Zendesk hangs up after 12 s and sends again on our 503: better to answer that in time than to wait for a lock.
PATIENCE_SECONDS = 5.0


def build() -> Flask:
    """Return the application of this process."""
    environment = read_environment()
    configure_logging(environment.log_level, environment.log_format)
    set_up_traces("tandem-web", variables())
    path = Path(environment.tandem_config)
    settings = load_settings(path, variables())
    store = open_store(environment.database_url, PATIENCE_SECONDS)
    live = Live(settings, store, SettingsFile(path, settings, environment)).begin()
    app = create_app(environment, live, store, Wakeup())
    settle()
    return app


def settle() -> None:
    """Take what has been loaded out of the garbage collector's rounds: each would hold a page up for 100 ms."""
    gc.collect()
    gc.freeze()
