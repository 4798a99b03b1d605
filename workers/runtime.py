"""What one worker process keeps: settings, store, connectors and classifier, each made when first needed."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from connectors import open_connector, open_setup
from connectors.base import Connector
from connectors.budget import Budget
from connectors.setup import Setup
from triage.classify import Draftsman, build_classifier, build_drafter, shared_encoder, with_learned
from triage.classify.base import Classifier
from triage.classify.breaker import Breaker
from triage.crash import crash_here
from triage.environment import Environment, read_environment, variables
from triage.errors import Stop
from triage.links import Links
from triage.live import Live
from triage.settings import LOOPBACK, Desk, Mode, Settings
from triage.settings_file import load_settings
from triage.settings_reload import SettingsFile
from triage.store import Store, open_store
from triage.store.marks import HEADROOM
from workers.asking import facts_of
from workers.corrections import with_corrections
from workers.customers import KnownCustomers
from workers.knowledge import Room
from workers.leases import Leases
from workers.lookup import Lookup
from workers.model_watch import ModelWatch
from workers.notify import check_channels, send
from workers.sla_tools import SlaTools
from workers.tools import Tools

logger = logging.getLogger(__name__)
# A model activated by `learn`, or a fit by `calibrate`, is used by every worker after this time at the latest, without
# a restart.
LOOK_EVERY_SECONDS = 30.0
NOT_THERE = "desk '{name}' is not in the settings; add it again or replay nothing of it"


@dataclass(frozen=True)
class _Learned:
    """A desk's classifier, what it is made of, and when the database was last asked for newer models and fits."""

    ids: tuple[tuple[int, ...], tuple[int, ...]]
    classifier: Classifier
    checked_at: float


@dataclass(frozen=True)
class _Open:
    """A connector, what it was opened for, and the budget its calls use up."""

    desk: Desk
    own_clocks: bool
    connector: Connector
    budget: Budget


@dataclass(frozen=True)
class Answers:
    """Who classifies and who drafts, and the settings they were built for."""

    settings: Settings
    classifier: Classifier
    draftsman: Draftsman


class Runtime:
    """Everything a task needs; one per process, shared by its threads."""

    def __init__(self, environment: Environment, settings: Settings) -> None:
        self.environment = environment
        self._given = settings
        self._file: SettingsFile | None = None
        self._connectors: dict[str, _Open] = {}
        self._answers: Answers | None = None
        self._learned: dict[str, _Learned] = {}
        self._lock = threading.RLock()

    @classmethod
    def from_environment(cls) -> Runtime:
        """Return a runtime from the process's variables and the settings file."""
        environment = read_environment()
        path = Path(environment.tandem_config)
        here = cls(environment, load_settings(path, variables()))
        here._file = SettingsFile(path, here._given, environment, check=check_channels)
        return here

    @cached_property
    def live(self) -> Live:
        """Return what is in force: the file as it is now, and what people have switched."""
        return Live(self._given, self.store, self._file)

    @property
    def settings(self) -> Settings:
        """Return the settings in force at this moment; a piece of work asks once and keeps them."""
        return self.live.settings()

    @cached_property
    def store(self) -> Store:
        """Return the database."""
        return open_store(self.environment.database_url)

    @cached_property
    def leases(self) -> Leases:
        """Return the keeper of this process's leases."""
        return Leases(self.store)

    @cached_property
    def watch(self) -> ModelWatch:
        """Return who notices that the language model has stopped answering."""
        return ModelWatch(self.store)

    @property
    def classifier(self) -> Classifier:
        """Return the classifier the environment and the settings ask for, a new one where the file asks for another."""
        return self._answering().classifier

    @property
    def draft(self) -> Draftsman:
        """Return who drafts replies, as the environment and the settings ask for."""
        return self._answering().draftsman

    def _answering(self) -> Answers:
        plain = self.live.file_settings()
        with self._lock:
            known = self._answers
            if known is None or known.settings is not plain:
                if known is None or _without_modes(known.settings) != _without_modes(plain):
                    known = self._build(plain)
                    self._learned.clear()
                known = self._answers = replace(known, settings=plain)
            return known

    def _build(self, settings: Settings) -> Answers:
        model: dict[str, Any] = {
            "openai_base_url": self.environment.openai_base_url,
            "openai_api_key": self.environment.openai_api_key.get_secret_value(),
            "openai_model": self.environment.openai_model,
            "spent_today": self._spent_today,
            "breaker": Breaker(),
        }
        return Answers(settings, build_classifier(settings, **model), build_drafter(settings, **model))

    def classifier_of(self, name: str) -> Classifier:
        """Return the classifier of desk `name`: what the desk has taught stands over the one for all desks."""
        with self._lock:
            base = self.classifier
            known = self._learned.get(name)
            if known is None or time.monotonic() - known.checked_at >= LOOK_EVERY_SECONDS:
                try:
                    known = self._learned[name] = self._look(name, known)
                except SQLAlchemyError as error:
                    # A dry run needs no database; whoever writes fails on it in a place that tries again.
                    logger.warning("desk %s: learned models cannot be read (%s)", name, type(error).__name__)
            return known.classifier if known else base

    def policy_of(self, name: str) -> str:
        """Return a short fingerprint of everything that answers and decides on desk `name` in this process."""
        classifier = self.classifier_of(name)
        with self._lock:
            learned = self._learned.get(name)
        model = self.environment.openai_model if self.environment.has_model else ""
        parts = (self.settings.policy_version(), learned.ids if learned else (), classifier.name, model)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def _look(self, name: str, known: _Learned | None) -> _Learned:
        now = time.monotonic()
        ids = self.store.models.active_ids(name), self.store.calibrations.active_ids(name)
        if known and ids == known.ids:
            return replace(known, checked_at=now)
        models = {model.field: model.blob for model in self.store.models.active(name)} if ids[0] else {}
        learned = with_learned(self.classifier, models, self.settings, name)
        return _Learned(ids, with_corrections(learned, self.store, self.settings, name) if ids[1] else learned, now)

    def connector(self, name: str) -> Connector:
        """Return the connector of desk `name`. Raises Stop when the settings no longer hold it."""
        # The web process may know a new desk, and take its tickets, some seconds before this one does.
        self.live.knows(name)
        settings = self.live.file_settings()
        desk = _desk_of(settings, name)
        own = settings.sla.source == "helpdesk"
        with self._lock:
            known = self._connectors.get(name)
            if known is None or (known.desk, known.own_clocks) != (desk, own):
                # Another address or another key: whoever is at work with the old one ends with it.
                known = self._connectors[name] = self._open(name, desk, own, partial(self.live.check, name))
        return known.connector

    def setup(self, name: str) -> Setup:
        """Return what can look at the account of desk `name`: its webhook, and what our credential may."""
        self.connector(name)
        known = self._connectors[name]
        return open_setup(name, known.desk, known.budget)[1]

    def unguarded(self, name: str) -> Connector:
        """Return a connector of desk `name` that writes while writing is stopped too: for taking back."""
        return self._open(name, _desk_of(self.live.file_settings(), name), own=False, guard=lambda: None).connector

    def _open(self, name: str, desk: Desk, own: bool, guard: Callable[[], None]) -> _Open:
        # By address: two desks on one account share its limit.
        budget = Budget(self.environment.redis_url, desk.url.partition("://")[2], desk.rate_limit)
        known = KnownCustomers(name, self.store)
        return _Open(desk, own, open_connector(name, desk, budget, own_clocks=own, guard=guard, known=known), budget)

    def remember_headroom(self, now: float) -> None:
        """Write down how many calls each account that is in use has left this minute, for metrics and console."""
        for name in list(self._connectors):
            if (room := self.headroom(name, now)) is not None:
                self.store.cursors.set(name, HEADROOM, json.dumps(room), now)

    def headroom(self, name: str, now: float) -> tuple[float, float] | None:
        """Return calls left this minute and the limit of desk `name`, whose connector has been opened."""
        return self._connectors[name].budget.headroom(now)

    @cached_property
    def lookup(self) -> Lookup:
        """Return the finder of sources."""
        return Lookup(self.store, self.live.settings, shared_encoder())

    def room(self, name: str) -> Room:
        """Return what reading the knowledge of desk `name` needs."""
        return Room(name, self.settings.desks[name], self.connector(name), self.store, shared_encoder())

    def tools(self, name: str) -> Tools:
        """Return what a triage on desk `name` needs."""
        self.live.knows(name)
        settings = self.settings
        return Tools(
            connector=self.connector(name),
            classifier=self.classifier_of(name),
            store=self.store,
            settings=settings,
            desk=_desk_of(settings, name),
            checkpoint=crash_here,
            find=partial(self.lookup.find, name),
            draft=self.draft,
            heard=self.watch.heard,
            links=self.links(name),
            facts=partial(facts_of, self.store),
        )

    def links(self, name: str) -> Links | None:
        """Return the maker of links for notes of desk `name`, None where nobody could follow or check them."""
        key, wanted = self.environment.secret_key.get_secret_value(), self.settings.feedback
        # Without PUBLIC_URL our address is this machine's, which only a helpdesk on it leads to: the sandbox.
        is_here = urlsplit(self.settings.desks[name].url).hostname in LOOPBACK
        if not (key and wanted.links and (self.environment.public_url or is_here)):
            return None
        return Links(self.environment.public, key, wanted.days)

    @property
    def sla(self) -> SlaTools:
        """Return what one SLA sweep needs."""
        settings = self.settings
        return SlaTools(
            settings=settings,
            store=self.store,
            open_connector=self.connector,
            notify=partial(send, settings.sla.channels),
            held=self.live.held,
            checkpoint=crash_here,
        )

    def _spent_today(self) -> float:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return sum(one.spent_since(midnight.timestamp()) for one in (self.store.runs, self.store.backtests))


def _without_modes(settings: Settings) -> Settings:
    """Return `settings` as a classifier sees them: how far it may go changes no answer."""
    nothing = {"mode": Mode.OFF, "fields": {}, "teams": {}}
    desks = {name: desk.model_copy(update=nothing) for name, desk in settings.desks.items()}
    return settings.model_copy(update={"desks": desks})


def _desk_of(settings: Settings, name: str) -> Desk:
    if name not in settings.desks:
        raise Stop(NOT_THERE.format(name=name))
    return settings.desks[name]
