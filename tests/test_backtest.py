"""The backtest against both sandbox helpdesks: judged as when new, nothing written, shared out, resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from fakes import FakeClassifier, answer
from test_connector_sandbox import CREDENTIALS, VENDORS, Box
from test_learn import rows as labelled_rows

from commands import crew as crew_module
from commands.backtest import _write
from commands.backtest import command as backtest
from commands.crew import Crew
from commands.learn import command as learn
from connectors.base import Past
from sandbox.config import SandboxConfig
from sandbox.testing import running
from tests import llm_server
from triage.classification import DECIDED_FIELDS
from triage.classify.base import learned_from
from triage.classify.cascade import Cascade
from triage.classify.correction import Corrected
from triage.environment import Environment
from triage.errors import Retry, SettingsError, Wait
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.store import Store, open_store
from triage.store.backtests import CHUNK, Backtest, Found, Progress, Todo
from triage.ticket import Ticket
from workers.bulk import Bench, ReadOnly, Shown, go_on, new_owner, ours_and_dead, reader, work_chunk
from workers.runtime import Runtime

ROOT = Path(__file__).parent.parent
GROUPS = {
    "Finance & Billing": "I was charged twice for invoice INV-{n}, please refund one of the payments.",
    "Technical Support": "The export ends with error 500 since this morning, case {n}, nothing else works.",
    "Security": "Somebody logged in to our account {n} from an address we do not know, was it hacked?",
}
AUTH = {
    "zendesk": "{oauth: {client_id: tandem, client_secret: client-secret-of-the-bot}}",
    "freshdesk": "{api_key: api-key-of-the-bot}",
}
YAML = """
desks:
  acme:
    platform: {vendor}
    url: {url}
    auth: {auth}
    webhook_secrets: [a-long-enough-secret]
    mode: write
    rate_limit: 10000
"""


@pytest.fixture(params=VENDORS)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """Return an account of its own: no other test's tickets are in its past."""
    limits = {"zendesk_incremental_limit": 1000, "zendesk_limit": 10_000, "freshdesk_limit": 10_000}
    with running(SandboxConfig(**CREDENTIALS, **limits)) as sandbox:
        yield Box(sandbox, request.param)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Path:
    """Work in a folder of its own with a database and a broker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    monkeypatch.setenv("REDIS_URL", redis_url)
    # Celery's settings are read when first imported; each test process has a broker of its own.
    monkeypatch.delitem(sys.modules, "celeryconfig", raising=False)
    return tmp_path


def settle(folder: Path, box: Box) -> None:
    """Write the settings of a desk on `box`."""
    text = YAML.format(vendor=box.vendor, url=box.settings.url, auth=AUTH[box.vendor])
    (folder / "tandem.yaml").write_text(text)


def asked(*options: str) -> tuple[dict[str, Any], str]:
    """Run the command and return its report and what it printed."""
    done = CliRunner(env={"COLUMNS": "80"}).invoke(
        backtest, [*options, "--json", "report.json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return json.loads(Path("report.json").read_text()), done.output


def everything(box: Box) -> dict[str, Any]:
    """Return what the helpdesk holds, without its count of calls."""
    state = box.state()
    state.pop("calls")
    return state


def lived(box: Box, number: int, group: str) -> str:
    """Let a ticket come, be worked on by agents and by Tandem, and be solved."""
    ticket = box.ticket(
        subject=f"Request {number}",
        body=GROUPS[group].format(n=number),
        requester={"name": "Ann", "email": f"ann{number}@customer.example"},
        organization={"name": "Customer Ltd", "tier": "gold", "plan": "pro", "mrr": 1200.0},
        earlier=[{"subject": "Before", "days_ago": 3, "status": "solved"}] * (number % 3),
    )
    box.act(ticket, note="Tandem says: urgent. ref TDM-0123456789", tags_add=["ai_triaged", "ai_team_onboarding"])
    box.act(ticket, reply="This was about the GDPR and deleting data.", customer_reply="I will cancel my contract!")
    box.act(ticket, group=group, priority="high", status="closed" if number % 2 else "solved")
    return ticket


class TestAgainstTheSandbox:
    def test_judges_tickets_as_when_new_and_writes_nothing(self, box: Box, home: Path) -> None:
        settle(home, box)
        runtime = Runtime.from_environment()
        said: dict[str, Any] = {}
        for number in range(6):
            ticket = box.ticket(
                subject=f"Request {number}",
                body=GROUPS["Security"].format(n=number),
                requester={"name": "Ann", "email": f"ann{number}@customer.example"},
                organization={"name": "Customer Ltd", "tier": "gold", "mrr": 1200.0},
                earlier=[{"subject": "Before", "days_ago": 3, "status": "solved"}] * (number % 3),
            )
            # What the pipeline says at the very moment the ticket comes.
            said[ticket] = runtime.classifier_of("acme").classify(box.connector.read(ticket)).probabilities
            box.act(ticket, note="Tandem says: billing", tags_add=["ai_triaged", "ai_team_billing"])
            box.act(ticket, reply="It was about the GDPR.", customer_reply="I will cancel my contract!")
            box.act(ticket, group="Security", priority="high", status="solved")
        before = everything(box)
        requests.delete(f"{box.url}/calls", timeout=10)

        report, printed = asked("--desk", "acme", "--since", "7d")

        assert everything(box) == before
        calls = requests.get(f"{box.url}/calls", timeout=10).json()["calls"]
        assert {call["method"] for call in calls if "oauth" not in call["path"]} == {"GET"}
        kept = {one.ticket_id: one for one in looked_at(home)}
        assert set(said) <= set(kept)
        for ticket, probabilities in said.items():
            given = kept[ticket].answer
            assert given
            for field in DECIDED_FIELDS:
                assert given["probabilities"][field] == pytest.approx(probabilities[field], abs=1e-6), ticket
            assert kept[ticket].truth == {"primary_team": "security", "priority": "P1_high"}
            assert kept[ticket].url.endswith(ticket)
        # The solved tickets of before count too, but people gave them no group; open ones do not.
        assert report["tickets"]["answered"] == 6 + 6
        assert report["fields"]["primary_team"]["n"] == 6
        # Links alone are never broken.
        assert max(len(line) for line in printed.splitlines() if "http" not in line) <= 80
        write = next(one for one in report["written"]["modes"] if one["mode"] == "write")
        assert write["notes"] == 12

    def test_says_when_the_model_has_learned_from_these_very_tickets(self, box: Box, home: Path) -> None:
        settle(home, box)
        for number in range(24):
            lived(box, number, list(GROUPS)[number % 3])
        done = CliRunner().invoke(learn, ["--desk", "acme", "--since", "7d", "--force"], catch_exceptions=False)
        assert "ACTIVE" in done.output
        report, printed = asked("--desk", "acme", "--since", "7d")
        team = report["fields"]["primary_team"]
        assert (team["n"], team["learned_from"], team["flatters"]) == (24, 24, True)
        assert "so its figures" in " ".join(report["warnings"])
        assert "learned from this desk on" in printed
        for number in range(100, 131):
            lived(box, number, list(GROUPS)[number % 3])
        report, _ = asked("--desk", "acme", "--since", "7d", "--restart")
        team = report["fields"]["primary_team"]
        assert (team["n"], team["learned_from"], team["flatters"]) == (31, 24, False)

    def test_quotes_only_where_it_is_asked_to(self, box: Box, home: Path) -> None:
        settle(home, box)
        ticket = box.ticket(subject="My own subject", body=GROUPS["Security"].format(n=1))
        box.act(ticket, group="Onboarding", priority="low", status="solved")
        options = ["--desk", "acme", "--since", "7d", "--html", "page.html"]
        _, printed = asked(*options)
        said = printed + Path("report.json").read_text() + Path("page.html").read_text()
        assert "logged in" not in said
        assert "own subject" not in said
        assert "logged in" not in (home / "tandem.db").read_bytes().decode("latin-1")
        asked(*options, "--with-text")
        for name in ("report.json", "page.html"):
            assert "My own subject" in Path(name).read_text()

    def test_a_period_without_tickets_and_a_desk_without_settings(self, box: Box, home: Path) -> None:
        settle(home, box)
        with pytest.raises(Exception, match=r"no closed ticket of acme came since 7d; choose an earlier --since"):
            asked("--desk", "acme", "--since", "7d")
        if box.vendor == "zendesk":
            box.fault("GET", r"/incremental/", status=403, body={"error": "Forbidden"})
            with pytest.raises(Exception, match=r"may not list closed tickets .* make it an admin"):
                asked("--desk", "acme", "--restart")
        with pytest.raises(SettingsError, match=r"no such desk in .* \(it has acme\)"):
            asked("--desk", "nobody")
        with pytest.raises(Exception, match=r"--html: the folder .* does not exist"):
            asked("--desk", "acme", "--html", "nowhere/page.html")


def looked_at(folder: Path) -> list[Any]:
    """Return the rows of the one backtest of a folder's database."""
    return open_store(f"sqlite:///{folder}/tandem.db").backtests.looked(1)


def test_nothing_that_writes_is_within_reach() -> None:
    class Full:
        def history(self) -> None: ...
        def past(self) -> None: ...
        def post(self) -> None: ...

    assert set(vars(ReadOnly(Full()))) == {"history", "past"}  # type: ignore[arg-type]


def prepared(store: Store, count: int, *, policy: str = "policy") -> Backtest:
    """Return a backtest of so many tickets, ready to be worked on."""
    book = store.backtests
    backtest = book.begin("acme", "a", policy, (0.0, time.time()), time.time(), None)
    book.add(backtest, [Found(str(number), 1.0, truth={"primary_team": "billing"}) for number in range(count)], "1")
    book.close_list(backtest.id, 10_000)
    found = book.get(backtest.id)
    assert found
    return found


def shown(todo: Sequence[Todo]) -> dict[str, Shown]:
    return {one.ticket_id: Shown(Ticket("acme", one.ticket_id), Ticket("acme", one.ticket_id)) for one in todo}


class TestSharing:
    def test_several_at_once_look_at_every_ticket_once(self, sqlite_store: Store) -> None:
        backtest = prepared(sqlite_store, 200)
        classifier = FakeClassifier()
        bench = Bench(sqlite_store, classifier, shown)
        crews = [
            threading.Thread(target=Crew(backtest, bench, ask_workers=False).work, args=(lambda *_: None,))
            for _ in range(2)
        ]
        for one in crews:
            one.start()
        for one in crews:
            one.join()
        assert sorted(classifier.asked) == sorted(map(str, range(200)))
        assert len(sqlite_store.backtests.looked(backtest.id)) == 200
        finished = sqlite_store.backtests.get(backtest.id)
        assert finished
        assert finished.state == "done"

    def test_one_bad_ticket_ends_nothing(self, sqlite_store: Store) -> None:
        backtest = prepared(sqlite_store, 3)
        classifier = FakeClassifier(ValueError("a customer's words"), answer())
        assert work_chunk(backtest, new_owner(), Bench(sqlite_store, classifier, shown)) == 3
        reasons = sorted(one.reason for one in sqlite_store.backtests.looked(backtest.id))
        assert reasons == ["", "", "unexpected ValueError while it was looked at; please report this"]

    def test_tickets_that_are_gone_or_kill_workers_are_left_out(self, sqlite_store: Store) -> None:
        backtest = prepared(sqlite_store, 2)
        for attempt in range(4):  # each by a worker that died
            assert (
                len(sqlite_store.backtests.claim(backtest.id, f"dead {attempt}", attempt * 100, attempt * 100 + 60))
                == 2
            )
        bench = Bench(sqlite_store, FakeClassifier(), lambda todo: shown(todo[:1]))
        assert work_chunk(backtest, new_owner(), bench) == 2
        reasons = sorted(one.reason for one in sqlite_store.backtests.looked(backtest.id))
        assert "4 attempts" in reasons[0]
        assert "does not show it" in reasons[1]

    def test_a_rate_limit_gives_the_chunk_back(self, sqlite_store: Store) -> None:
        backtest = prepared(sqlite_store, 30)

        def refuse(todo: Sequence[Todo]) -> dict[str, Shown]:
            raise Wait("429", 7.0)

        with pytest.raises(Wait):
            work_chunk(backtest, new_owner(), Bench(sqlite_store, FakeClassifier(), refuse))
        assert sqlite_store.backtests.progress(backtest.id, time.time()).states == {"waiting": 30}

    def test_a_fault_that_stays_ends_the_command_with_its_reason(
        self, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(crew_module, "PAUSE_SECONDS", 0.01)

        def refuse(todo: Sequence[Todo]) -> dict[str, Shown]:
            raise Retry("the helpdesk answered 502")

        bench = Bench(sqlite_store, FakeClassifier(), refuse)
        with pytest.raises(Retry, match="502"):
            Crew(prepared(sqlite_store, 5), bench, ask_workers=False).work(lambda *_: None)

    def test_the_claims_of_a_dead_process_of_this_machine_are_free_at_once(self, sqlite_store: Store) -> None:
        backtest = prepared(sqlite_store, 5)
        gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        host = new_owner().split(":")[0]
        dead = f"{host}:{int(gone.stdout)}:abcd"
        assert ours_and_dead([dead, new_owner(), f"elsewhere:{int(gone.stdout)}:ab"]) == [dead]
        sqlite_store.backtests.claim(backtest.id, dead, time.time(), time.time() + 3600)
        began = time.monotonic()
        Crew(backtest, Bench(sqlite_store, FakeClassifier(), shown), ask_workers=False).work(lambda *_: None)
        assert len(sqlite_store.backtests.looked(backtest.id)) == 5
        assert time.monotonic() - began < 60


class TestWorkers:
    @pytest.fixture
    def runtime(self, sqlite_store: Store, tmp_path: Path) -> Runtime:
        url = {"vendor": "zendesk", "url": "https://acme.zendesk.com", "auth": AUTH["zendesk"]}
        environment = Environment(database_url=f"sqlite:///{tmp_path}/tandem.db", redis_url="redis://127.0.0.1:1/0")
        made = Runtime(environment, parse_settings(YAML.format(**url), {}))
        made.__dict__["classifier"] = FakeClassifier()
        return made

    def test_one_task_is_one_chunk_and_asks_for_the_next(
        self, runtime: Runtime, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Helpdesk:
            history = None

            def past(self, ids: Sequence[str]) -> tuple[Past, ...]:
                from test_backtest_figures import CLOSED, replace

                return tuple(Past(replace(CLOSED, id=one), "Security") for one in ids)

        monkeypatch.setattr(runtime, "connector", lambda _name: Helpdesk())
        backtest = prepared(sqlite_store, CHUNK + 5, policy=runtime.policy_of("acme"))
        sent: list[tuple[int, float]] = []
        go_on(backtest.id, runtime, lambda *ask: sent.append(ask))
        assert len(sqlite_store.backtests.looked(backtest.id)) == CHUNK
        go_on(backtest.id, runtime, lambda *ask: sent.append(ask))
        assert sent == [(backtest.id, 0.0)] * 2
        go_on(backtest.id, runtime, lambda *ask: sent.append(ask))  # nothing is left: the chain ends
        assert len(sent) == 2
        assert len(sqlite_store.backtests.looked(backtest.id)) == CHUNK + 5
        go_on(4711, runtime, lambda *ask: sent.append(ask))
        assert len(sent) == 2

    def test_a_worker_with_other_settings_does_not_help(self, runtime: Runtime, sqlite_store: Store) -> None:
        backtest = prepared(sqlite_store, 5, policy="of yesterday")
        sent: list[tuple[int, float]] = []
        go_on(backtest.id, runtime, lambda *ask: sent.append(ask))
        assert sent == []
        assert sqlite_store.backtests.progress(backtest.id, time.time()).states == {"waiting": 5}

    def test_a_rate_limit_is_waited_for_by_the_queue(
        self, runtime: Runtime, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Busy:
            history = None

            def past(self, ids: Sequence[str]) -> tuple[Past, ...]:
                raise Wait("used up", 500.0)

        monkeypatch.setattr(runtime, "connector", lambda _name: Busy())
        backtest = prepared(sqlite_store, 5, policy=runtime.policy_of("acme"))
        sent: list[tuple[int, float]] = []
        go_on(backtest.id, runtime, lambda *ask: sent.append(ask))
        assert sent == [(backtest.id, 60.0)]

    def test_what_the_models_cost_counts_against_the_days_cap(self, runtime: Runtime, sqlite_store: Store) -> None:
        backtest = prepared(sqlite_store, 1)
        classifier = FakeClassifier(answer(cost_usd=0.75))
        work_chunk(backtest, new_owner(), Bench(sqlite_store, classifier, shown))
        assert runtime._spent_today() == pytest.approx(0.75)

    def test_the_policy_is_another_when_anything_of_it_is(self, runtime: Runtime) -> None:
        other = Runtime(runtime.environment, runtime.settings.model_copy(update={"tag_prefix": "x_"}))
        other.__dict__["classifier"] = runtime.classifier
        assert runtime.policy_of("acme") == runtime.policy_of("acme")
        assert runtime.policy_of("acme") != other.policy_of("acme")

    @pytest.mark.e2e
    @pytest.mark.parametrize("box", ["zendesk"], indirect=True)
    def test_a_worker_on_the_bulk_queue_does_the_work(
        self, box: Box, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The command has no hands here: what is done, a worker did."""
        settle(home, box)
        for number in range(50):
            lived(box, number, list(GROUPS)[number % 3])
        monkeypatch.setattr(crew_module, "HANDS", 0)
        environment = os.environ | {"TANDEM_CONFIG": str(home / "tandem.yaml"), "LOG_LEVEL": "WARNING"}
        arguments = [sys.executable, "manage.py", "worker", "--concurrency", "4"]
        worker = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            report, _ = asked("--desk", "acme", "--since", "7d")
        finally:
            worker.terminate()
            worker.wait(40)
        assert report["tickets"]["answered"] >= 50


def test_what_was_learned_is_found_below_a_language_model_too() -> None:
    class Learned:
        name = "learned"

        def learned_from(self, ticket: Ticket) -> list[str]:
            return ["priority"]

    cascade = Cascade(Learned(), FakeClassifier(), "always", Settings())  # type: ignore[arg-type]
    assert learned_from(cascade, Ticket("acme", "7")) == ["priority"]
    assert learned_from(Corrected(cascade, {}, None), Ticket("acme", "7")) == ["priority"]
    assert learned_from(FakeClassifier(), Ticket("acme", "7")) == []


def reader_of(tickets: Sequence[Ticket]) -> Any:
    class Helpdesk:
        history = None

        def past(self, ids: Sequence[str]) -> tuple[Past, ...]:
            return tuple(Past(one, "") for one in tickets)

    return reader(ReadOnly(Helpdesk()))  # type: ignore[arg-type]


def test_tickets_nobody_asked_for_are_left_alone() -> None:
    found = reader_of([Ticket("acme", "7"), Ticket("acme", "8")])([Todo("7", 1, 0)])
    assert set(found) == {"7"}
    assert found["7"].new is None


class TestFiles:
    def written(self, folder: Path, count: int = 120) -> Path:
        rows = labelled_rows()[:count]
        for number, row in enumerate(rows):
            row |= {"id": number, "created_at": f"2026-0{1 + number % 9}-01T00:00:00Z"}
        path = folder / "tickets.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def test_needs_no_helpdesk_no_settings_and_no_broker(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        rows = [
            {"id": n, "body": GROUPS[group].format(n=n), "primary_team": group} for n, group in enumerate([*GROUPS] * 5)
        ]
        path = home / "tickets.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        report, printed = asked("--file", str(path))
        assert report["fields"]["primary_team"]["accuracy"]["value"] > 0.9
        assert (report["source"], report["since"], report["desk"]) == ("tickets.jsonl", None, "")
        assert "15 labelled tickets" in printed
        assert (
            asked("--file", str(path))[1].startswith("finished at")
            or "--restart looks" in asked("--file", str(path))[1]
        )

    def test_a_desk_nobody_knows_is_refused(self, home: Path) -> None:
        with pytest.raises(SettingsError, match=r"--desk typo: no such desk .* nothing was learned under that name"):
            asked("--file", str(self.written(home, 5)), "--desk", "typo")

    def test_a_period_leaves_out_rows_of_other_times(self, home: Path) -> None:
        path = home / "tickets.csv"
        dates = ["2025-01-01", "2026-02-01", "2026-02-02", "2026-03-01", ""]
        path.write_text(
            "id,body,primary_team,created_at\n" + "".join(f"{n},Help,billing,{d}\n" for n, d in enumerate(dates))
        )
        report, printed = asked("--file", str(path))
        assert report["tickets"]["closed"] == 5
        assert "without created_at" not in printed
        report, printed = asked("--file", str(path), "--since", "2026-02-01", "--until", "2026-03-01")
        assert report["tickets"]["closed"] == report["tickets"]["answered"] == 3
        assert "1 rows without created_at are looked at" in printed
        assert asked("--file", str(path), "--until", "2026-01-01")[0]["tickets"]["answered"] == 2

    def test_counts_what_a_language_model_costs(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (home / "tandem.yaml").write_text("llm: {usd_per_million_input: 1.0, usd_per_million_output: 10.0}\n")
        path = home / "tickets.jsonl"
        rows = [{"id": n, "body": f"We were charged twice. {n}", "primary_team": "billing"} for n in range(30)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with llm_server.running() as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            report, printed = asked("--file", str(path))
        cost = report["cost"]
        assert (cost["asked"], cost["share"], cost["priced"]) == (30, 1.0, True)
        assert cost["usd"] == pytest.approx(30 * (900 * 1.0 + 100 * 10.0) / 1e6, abs=1e-4)
        assert report["classifiers"] == {"llm": 30}
        assert "paid for 30 tickets (100%): 27,000 tokens in, 3,000 out" in printed
        assert "draft" not in (home / "report.json").read_text()
        assert b"Which card was charged" not in (home / "tandem.db").read_bytes()

    def test_goes_on_after_kill_9_and_looks_at_nothing_twice(self, home: Path) -> None:
        path = self.written(home, 150)
        command = [sys.executable, str(ROOT / "manage.py"), "backtest", "--file", str(path), "--json", "out.json"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        book = open_store(f"sqlite:///{home}/tandem.db").backtests
        first = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 120
        while (done := done_of(home)) < 10:
            assert time.monotonic() < end
            assert first.poll() is None, "it was over before it could be killed"
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = {one.ticket_id for one in book.looked(1)}
        assert done <= len(before) < 150
        times = finished_of(home)
        second = subprocess.run(command, cwd=home, env=environment, capture_output=True, check=True, timeout=240)
        assert b"Traceback" not in second.stderr
        assert json.loads((home / "out.json").read_text())["tickets"]["answered"] == 150
        after = finished_of(home)
        assert len(after) == 150
        assert {name: after[name] for name in times} == times
        assert book.get(2) is None

    def test_ctrl_c_says_how_to_go_on_and_gives_everything_back(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = self.written(home, 100)

        def interrupt(_crew: Crew, progress: Progress, _others: list[str]) -> None:
            if progress.over:
                raise KeyboardInterrupt

        monkeypatch.setattr(Crew, "_ask", interrupt)
        monkeypatch.setattr(crew_module, "LOOK_SECONDS", 0.01)
        done = CliRunner().invoke(backtest, ["--file", str(path)], catch_exceptions=False)
        assert done.exit_code == 130
        assert "the same command goes on where this one stopped" in done.stderr
        book = open_store(f"sqlite:///{home}/tandem.db").backtests
        states = book.progress(1, time.time()).states
        assert set(states) == {"done", "waiting"}
        monkeypatch.undo()
        monkeypatch.chdir(home)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{home}/tandem.db")
        report, _ = asked("--file", str(path))
        assert report["tickets"]["answered"] == 100
        assert book.get(2) is None

    def test_what_a_desk_was_taught_from_this_file_is_told(self, home: Path) -> None:
        path = self.written(home)
        CliRunner().invoke(learn, ["--file", str(path), "--desk", "acme", "--force"], catch_exceptions=False)
        report, _ = asked("--file", str(path), "--desk", "acme")
        assert report["fields"]["primary_team"]["learned_from"] == 120
        assert report["classifiers"] == {"embedded+learned": 120}
        plain, printed = asked("--file", str(path))
        assert plain["policy"] != report["policy"]
        assert f"policy {plain['policy']};" in printed


def done_of(folder: Path) -> int:
    """Return how many tickets are over, 0 before there is a table."""
    try:
        return open_store(f"sqlite:///{folder}/tandem.db").backtests.progress(1, 0.0).over
    except Exception:  # no table yet
        return 0


def finished_of(folder: Path) -> dict[str, float]:
    """Return when each ticket was over."""
    engine = open_store(f"sqlite:///{folder}/tandem.db").engine
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT ticket_id, finished_at FROM backtest_tickets WHERE state = 'done'")
        return {row[0]: row[1] for row in rows}


def test_a_pipe_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.append(pipe.read_text("utf-8")))
    reading.start()
    _write(pipe, "report")
    reading.join(10)
    assert said == ["report"]
    assert pipe.is_fifo()
