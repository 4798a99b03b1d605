"""The database: deliveries, runs, effects, outcomes, clocks, acts and what else there is behind one `Store`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from triage.store.acts import Acts
from triage.store.answered import Answered
from triage.store.audit import Audit
from triage.store.backtests import Backtests
from triage.store.browse import Browse
from triage.store.calibrations import Calibrations
from triage.store.clock_views import ClockViews
from triage.store.clocks import Clocks
from triage.store.controls import Controls
from triage.store.customers import Customers
from triage.store.days import Days
from triage.store.deliveries import Deliveries
from triage.store.effects import Effects
from triage.store.engine import PATIENCE_SECONDS, open_engine
from triage.store.exchanges import Exchanges
from triage.store.feedback import Feedback
from triage.store.forgetting import Forgetting
from triage.store.knowledge import Knowledge
from triage.store.marks import Alarms, Cursors
from triage.store.models import Models
from triage.store.outcomes import Outcomes
from triage.store.questions import Questions
from triage.store.retention import Retention
from triage.store.runs import Runs
from triage.store.tickets import Tickets
from triage.store.undone import Undone


@dataclass(frozen=True)
class Store:
    """Everything Tandem remembers."""

    engine: Engine
    deliveries: Deliveries
    runs: Runs
    effects: Effects
    cursors: Cursors
    alarms: Alarms
    models: Models
    clocks: Clocks
    clock_views: ClockViews
    acts: Acts
    outcomes: Outcomes
    calibrations: Calibrations
    backtests: Backtests
    knowledge: Knowledge
    audit: Audit
    exchanges: Exchanges
    browse: Browse
    days: Days
    tickets: Tickets
    controls: Controls
    undone: Undone
    feedback: Feedback
    questions: Questions
    forgetting: Forgetting
    retention: Retention
    answered: Answered
    customers: Customers


def open_store(url: str, patience: float = PATIENCE_SECONDS) -> Store:
    """Return the store at database `url`, which waits at most `patience` seconds; nothing is connected yet."""
    engine = open_engine(url, patience)
    return Store(
        engine=engine,
        deliveries=Deliveries(engine),
        runs=Runs(engine),
        effects=Effects(engine),
        cursors=Cursors(engine),
        alarms=Alarms(engine),
        models=Models(engine),
        clocks=Clocks(engine),
        clock_views=ClockViews(engine),
        acts=Acts(engine),
        outcomes=Outcomes(engine),
        calibrations=Calibrations(engine),
        backtests=Backtests(engine),
        knowledge=Knowledge(engine),
        audit=Audit(engine),
        exchanges=Exchanges(engine),
        browse=Browse(engine),
        days=Days(engine),
        tickets=Tickets(engine),
        controls=Controls(engine),
        undone=Undone(engine),
        feedback=Feedback(engine),
        questions=Questions(engine),
        forgetting=Forgetting(engine),
        retention=Retention(engine),
        answered=Answered(engine),
        customers=Customers(engine),
    )
