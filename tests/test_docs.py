"""The docs say what the code does: every setting, tag, metric and command is there, and nothing that does not exist."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from fakes import answer
from prometheus_client.core import Metric
from pydantic import BaseModel
from ruamel.yaml import YAML

from manage import Commands
from triage import settings as settings_module
from triage.classification import CHURN_RISKS, PRIORITIES, SENTIMENTS
from triage.decision import decide
from triage.environment import Environment
from triage.settings import (
    DEFAULT_PRIORITIES,
    DEFAULT_TEAMS,
    TAG_LENGTH,
    Desk,
    Settings,
)
from triage.settings_base import Section, parse_minutes
from triage.settings_file import parse_settings
from triage.sla import TAGS as SLA_TAGS
from triage.store import Store
from triage.ticket import Ticket
from webhooks.edge import Edge
from webhooks.metrics import StoreCollector
from webhooks.wakeup import Wakeup

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CODE = ("triage", "connectors", "workers", "webhooks", "commands")
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
CONFIGURATION, OPERATIONS, FRESHDESK = (DOCS / f"{name}.md" for name in ("configuration", "operations", "freshdesk"))
# The heading of docs/configuration.md under which a section's keys stand.
HEADINGS = {
    "Settings": "Top level",
    "Desk": "Desk",
    "Auth": "Auth",
    "OAuthClient": "OAuth client",
    "CustomerFields": "Customer fields",
    "Thresholds": "Thresholds",
    "Team": "Team",
    "Priority": "Priority",
    "Llm": "Model",
    "Knowledge": "Knowledge",
    "Feedback": "Feedback",
    "Question": "Question",
    "When": "When",
    "Living": "Living",
    "Retention": "Retention",
    "Sla": "SLA",
    "Calendar": "Calendar",
    "Targets": "Targets",
    "Override": "Override",
    "Action": "At risk",
    "BreachAction": "Breach",
    "QuietHours": "Quiet hours",
    "SpeechRules": "Speech",
    "SafeToSend": "Safe to send",
    "AutoReply": "Auto-reply",
}
FENCE = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"manage\.py ([a-z_]+)((?: +[^`|;&\n]*)?)")
# What an owner's tests or another kind of test covers; the file named must exist.
TESTED_BY = {
    "triage.crash": ("chaos/test_processes.py", "processes die and stand still there at every step"),
    "webhooks.pages.audit": ("test_console_pages.py", "the page and its CSV file, through the web application"),
    "commands.connect": ("test_connect.py", "through the command line, against both sandbox helpdesks"),
    "commands.connect_ask": ("test_connect.py", "through the command line"),
    "commands.connect_proof": ("test_connect.py", "through the command line: tests that arrive and that do not"),
    "commands.connect_remove": ("test_connect.py", "through the command line"),
    "commands.connect_screen": ("test_connect.py", "what is printed fits the screen"),
    "connectors.setup": ("test_connect.py", "through both vendors' setups"),
    "workers.connect": ("test_connect.py", "through the command line; and in test_connect_console.py"),
    "workers.setup_report": ("test_connect_console.py", "what the pages show of it"),
    "commands.beat": ("test_commands.py", "runs as a process: --help there, its work in test_e2e.py"),
    "commands.classify": ("test_commands.py", "through the command line"),
    "commands.learn": ("test_learn.py", "through the command line"),
    "commands.lessons": ("test_learn.py", "what learn prints and activates"),
    "commands.rivals": ("test_learn.py", "what learn compares with and activates"),
    "commands.past": ("test_learn_past.py", "against both sandbox helpdesks"),
    "commands.rows": ("test_learn.py", "through learn and classify"),
    "commands.migrate": ("test_commands.py", "through the command line"),
    "commands.show": ("test_show.py", "through the command line, on both databases"),
    "commands.sla": ("test_sla_views.py", "through the command line"),
    "commands.sla_table": ("test_sla_views.py", "through the command line"),
    "commands.smoke": ("test_commands.py", "--help; the gate runs the command itself"),
    "commands.triage": ("test_commands.py", "through the command line"),
    "commands.up": ("test_e2e.py", "started as a process and killed"),
    "commands.web": ("test_e2e.py", "started as a process"),
    "commands.worker": ("chaos/test_processes.py", "started as a process and killed at every step"),
    "commands.finetune": ("test_finetune.py", "through the command line"),
    "commands.tuning_material": ("test_finetune.py", "through the command line, with outcomes and with a file"),
    "commands.tuning_state": ("test_finetune.py", "through start and status"),
    "workers.again": ("test_again.py", "through deliveries, at both sandbox helpdesks"),
    "workers.later": ("test_again.py", "through deliveries, at both sandbox helpdesks"),
    "workers.scene": ("test_again.py", "through deliveries, at both sandbox helpdesks"),
    "connectors.cache": ("test_connector_contract.py", "what it saves is counted in calls"),
    "connectors.freshdesk": ("test_connector_contract.py", "opened by platform, as production does"),
    "connectors.freshdesk_customer": ("test_connector_context.py", "through the connector"),
    "connectors.freshdesk_solutions": (
        "test_connector_contract.py",
        "through the connector; and in test_knowledge_sync.py",
    ),
    "connectors.freshdesk_tags": ("test_connector_freshdesk.py", "through the connector"),
    "connectors.freshdesk_ticket": ("test_connector_contract.py", "through the connector"),
    "connectors.helpdesk": ("test_connector_contract.py", "what both connectors share"),
    "connectors.lock": ("test_connector_sandbox.py", "two writers on one ticket"),
    "connectors.ticket_rows": ("test_connector_contract.py", "earlier and changed tickets of both vendors"),
    "connectors.values": ("test_connector_contract.py", "through both connectors"),
    "connectors.freshdesk_reply": ("test_reply.py", "through the connector, against the sandbox helpdesk"),
    "connectors.zendesk_reply": ("test_reply.py", "through the connector, against the sandbox helpdesk"),
    "workers.reply": ("test_reply.py", "through the pipeline"),
    "connectors.zendesk": ("test_connector_contract.py", "opened by platform, as production does"),
    "connectors.zendesk_guide": ("test_connector_contract.py", "through the connector; and in test_knowledge_sync.py"),
    "connectors.zendesk_pages": ("test_connector_zendesk.py", "through the connector"),
    "connectors.zendesk_ticket": ("test_connector_contract.py", "through the connector"),
    "triage.deadline": ("test_http.py", "through the client, against servers that drip"),
    "triage.classify.api": ("test_llm.py", "through the classifier, against a server that fails in every way"),
    "triage.classify.question": ("test_llm.py", "through the classifier: what the model is told"),
    "triage.classify.reply": ("test_llm.py", "through the classifier, against a server that answers anything"),
    "triage.classify.context": ("test_embedded.py", "through the classifiers"),
    "triage.classify.endpoint": ("test_llm.py", "through the classifier, against a server that refuses"),
    "triage.classify.escalation": ("test_embedded.py", "through both classifiers"),
    "triage.classify.features": ("test_embedded.py", "what the heads of the shipped weights see"),
    "triage.classify.fitting": ("test_embedded.py", "fitted where the shipped weights do not serve"),
    "triage.classify.fields": ("test_embedded.py", "through the classifier"),
    "triage.classify.kernel": ("test_embedded.py", "through the classifier; its arithmetic in test_heads.py"),
    "triage.classify.learned_features": ("test_learned_parts.py", "through the models learned from them"),
    "triage.classify.head": ("test_learned_parts.py", "stored, damaged and read back"),
    "triage.classify.heads": ("test_embedded.py", "through the classifier"),
    "triage.classify.reading": ("test_embedded.py", "through the classifier"),
    "triage.classify.seeds": ("test_embedded.py", "data, read by the classifier"),
    "triage.classify.teams": ("test_embedded.py", "through the classifier"),
    "triage.classify.learned": ("test_learned_parts.py", "over a fake classifier"),
    "triage.classify.splits": ("test_learned_parts.py", "groups, folds and times"),
    "triage.classify.training": ("test_learned_parts.py", "on tickets with known noise"),
    "triage.classify.views": ("test_learned_parts.py", "through the models made of them"),
    "triage.draft_quotes": ("test_draft.py", "through what is quoted without a model"),
    "triage.draft_support": ("test_draft_check.py", "through the check"),
    "triage.draft_words": ("test_draft_check.py", "through the rules"),
    "triage.classify.wire": ("test_llm.py", "through the classifier, against a server that floods"),
    "triage.settings_base": ("test_settings.py", "through the settings file"),
    "triage.sla_words": ("test_sla_sweep.py", "what notes and messages say"),
    "triage.store.acts": ("test_sla_sweep.py", "through the sweep, on both databases"),
    "workers.escalation": ("test_sla_sweep.py", "through the sweep"),
    "workers.sla_acts": ("test_sla_sweep.py", "through the sweep"),
    "connectors.zendesk_guard": ("test_connector_zendesk.py", "through the connector, with recorded answers"),
    "connectors.zendesk_tags": ("test_connector_contract.py", "through the connector"),
    "triage.logs": ("test_e2e.py", "every process sets it up"),
    "triage.store.audit": ("test_store.py", "through the store, on both databases"),
    "triage.store.knowledge": ("test_knowledge_sync.py", "through the store, on both databases"),
    "triage.store.models": ("test_learned_parts.py", "through the store, on both databases"),
    "triage.store.clock_views": ("test_sla_report.py", "through the store, on both databases"),
    "triage.ask": ("test_asking.py", "with the questions of a ticket"),
    "triage.settings_speech": ("test_speech.py", "through the settings file"),
    "triage.settings_feedback": ("test_settings.py", "through the settings file"),
    "triage.store.questions": ("test_asking.py", "through the store, on both databases"),
    "webhooks.pace": ("test_feedback.py", "with the pages it guards"),
    "triage.store.engine": ("test_store.py", "through the store, on both databases"),
    "triage.store.tickets": ("test_console_store.py", "through the store, on both databases"),
    "triage.what_if": ("test_console_pages.py", "through the page that shows it"),
    "webhooks.console": ("test_console.py", "through the application"),
    "webhooks.checks": ("test_console_pages.py", "through the pages that show them"),
    "webhooks.frame": ("test_console.py", "through the pages"),
    "webhooks.overview": ("test_console.py", "through the page"),
    "webhooks.pages": ("test_console_pages.py", "every page of it is opened"),
    "webhooks.pages.activity": ("test_console_pages.py", "through the application"),
    "webhooks.pages.dead": ("test_console_pages.py", "through the application"),
    "webhooks.pages.desks": ("test_console_pages.py", "through the application"),
    "webhooks.pages.home": ("test_console.py", "through the application"),
    "webhooks.pages.policy": ("test_console_pages.py", "through the application"),
    "webhooks.pages.quality": ("test_console_pages.py", "through the application"),
    "webhooks.pages.secret": ("test_console_pages.py", "through the application"),
    "webhooks.pages.sign_in": ("test_console.py", "through the application; and in test_console_oidc.py"),
    "webhooks.pages.sla": ("test_sla_report.py", "through the application"),
    "webhooks.pages.ticket": ("test_console_pages.py", "through the application"),
    "webhooks.searching": ("test_console_pages.py", "through the pages that search"),
    "webhooks.edge": ("test_edge.py", "through the application"),
    "webhooks.wsgi": ("test_e2e.py", "what the web process serves"),
    "workers.solved": ("test_knowledge_sync.py", "against both sandbox helpdesks"),
    "workers.app": ("test_wakeup.py", "what celery loads, and how it keeps its connection"),
    "workers.runtime": ("test_commands.py", "through the commands that use it"),
    "workers.tasks": ("test_e2e.py", "what celery loads"),
}


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def part(page: Path, heading: str) -> str:
    """Return the text below `heading`, up to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text_of(page), re.MULTILINE | re.DOTALL)
    assert found, f"{page.name} has no heading '{heading}'"
    return found[1]


def rows(text: str) -> dict[str, list[str]]:
    """Return the tables' rows by their first cell, which is written as code."""
    cells = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in re.findall(r"^\|.*\|$", text, re.M)]
    return {row[0].strip("`"): row[1:] for row in cells if row[0].startswith("`")}


def plain_default(field: Any) -> str | None:
    """Return how the default of a field reads, or None where the page may say it in its own words."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if hasattr(default, "get_secret_value"):
        default = default.get_secret_value()
    if default in (None, "", [], {}):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, (str, int, float)):
        return f"{default:g}" if isinstance(default, float) else str(default)
    return None


def sections_of(kind: Any) -> Iterator[type[Section]]:
    """Yield every section that can stand in tandem.yaml below `kind`, wherever its class is written."""
    if isinstance(kind, type) and issubclass(kind, Section):
        yield kind
        for field in kind.model_fields.values():
            yield from sections_of(field.annotation)
    for part_of in get_args(kind):
        yield from sections_of(part_of)


SECTIONS = list(dict.fromkeys(sections_of(settings_module.Settings)))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_of_the_settings_file_is_explained_with_its_default(section: type[BaseModel]) -> None:
    table = rows(part(CONFIGURATION, HEADINGS[section.__name__]))
    assert set(table) == set(section.model_fields)
    if section is settings_module.Priority:
        return  # every priority has its own values, see the table of the default priorities
    for name, field in section.model_fields.items():
        wanted, said = plain_default(field), table[name][1].strip("`")
        if wanted is None or (section, name) == (Desk, "thresholds") or (section is Settings and name == "desks"):
            continue
        shown = str(parse_minutes(said)) if re.fullmatch(r"\d+[mhd]", said) else said
        assert shown.casefold() == wanted.casefold(), f"{section.__name__}.{name}: the code says {wanted}"


def test_every_variable_is_explained_with_its_default() -> None:
    table = rows(part(CONFIGURATION, "Environment variables"))
    assert set(table) == {name.upper() for name in Environment.model_fields}
    for name, field in Environment.model_fields.items():
        wanted = plain_default(field)
        if name in ("broker_url", "public_url"):  # filled in from other variables
            continue
        assert table[name.upper()][0].strip("`") == wanted, f"{name.upper()}: the code says {wanted}"


def test_a_variable_that_is_read_beside_the_environment_is_explained() -> None:
    read = re.compile(r"""(?:environ\.get|environ\.setdefault|getenv)\("([A-Z_]+)\"""")
    files = [file for folder in CODE for file in (ROOT / folder).rglob("*.py")]
    named = {name for file in files for name in read.findall(text_of(file))}
    assert "TANDEM_ENV_FILE" in named
    explained = set(re.findall(r"`([A-Z_]+)`", text_of(CONFIGURATION)))
    assert named <= explained


def test_every_section_of_the_settings_has_its_heading() -> None:
    assert {section.__name__ for section in SECTIONS} == set(HEADINGS)


def test_every_variable_of_the_example_is_known_or_used_by_another_example() -> None:
    given = set(re.findall(r"^([A-Z_]+)=", text_of(ROOT / ".env.example"), re.M))
    used = set(
        re.findall(r"\$\{([A-Z_]+)", text_of(ROOT / "tandem.example.yaml") + text_of(ROOT / "docker-compose.yml"))
    )
    assert given <= {name.upper() for name in Environment.model_fields} | used


def test_the_default_teams_and_priorities_are_those_of_the_code() -> None:
    teams = rows(part(CONFIGURATION, "Default teams"))
    assert {name: row[0] for name, row in teams.items()} == {name: team.group for name, team in DEFAULT_TEAMS.items()}
    for name, row in teams.items():
        assert ("always escalated" in row[1]) == DEFAULT_TEAMS[name].escalate
    priorities = rows(part(CONFIGURATION, "Default priorities"))
    assert {
        name: (row[0].strip("`"), parse_minutes(row[1]), parse_minutes(row[2])) for name, row in priorities.items()
    } == {name: (one.helpdesk, one.first_response, one.resolution) for name, one in DEFAULT_PRIORITIES.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_yaml_example_can_be_used(page: Path) -> None:
    for language, block in FENCE.findall(text_of(page)):
        if language != "yaml":
            continue
        values = {name: f"json://{name}-a-long-enough-value" for name in re.findall(r"\$\{([A-Z_]+)\}", block)}
        values["ZENDESK_SUBDOMAIN"] = "acme"
        if "desks:" in block:
            parse_settings(block, values)
        else:  # a few lines of one desk
            lines = [f"    {line}" for line in block.splitlines()]
            auth = "    auth: {email: a@b.example, api_token: x}"
            head = ["desks:", "  acme:", "    platform: zendesk", auth]
            for key, line in (("url:", "https://acme.zendesk.com"), ("webhook_secrets:", "[a-long-enough-secret]")):
                if key not in block:
                    head.append(f"    {key} {line}")
            parse_settings("\n".join([*head, *lines]), values)


def tags_of_the_code() -> set[str]:
    """Return every tag that any answer can lead to, with the default teams."""
    desk = Desk.model_validate(
        {
            "platform": "freshdesk",
            "url": "https://a.freshdesk.com",
            "auth": {"api_key": "k"},
            "webhook_secrets": ["s" * 20],
        }
    )
    known = Settings(desks={"d": desk})
    found: set[str] = set()
    combinations = itertools.zip_longest(DEFAULT_TEAMS, PRIORITIES, SENTIMENTS, CHURN_RISKS)
    for team, priority, sentiment, churn in combinations:
        changes = {
            "priority": priority or PRIORITIES[0],
            "sentiment": sentiment or SENTIMENTS[0],
            "churn_risk": churn or CHURN_RISKS[0],
        }
        for sure in (0.9, 0.3):
            found.update(decide(Ticket(desk="d", id="1"), answer(team, sure, **changes), known, desk).tags)
    return found | {known.tag_prefix + tag for tag in SLA_TAGS.values()} | {known.please_tag}


def test_freshdesk_admins_find_every_tag_to_create() -> None:
    listed = [block.split() for _, block in FENCE.findall(part(FRESHDESK, "5. Tags"))]
    assert set(listed[0]) == tags_of_the_code()
    assert max(map(len, listed[0])) <= TAG_LENGTH


def test_every_tag_in_the_docs_exists() -> None:
    known = tags_of_the_code()
    for page in PAGES:
        named = set(re.findall(r"\bai_[a-z0-9_]+[a-z0-9]\b", text_of(page))) - {"ai_team", "ai_sentiment"}
        # `cf_ai_sentiment` is a field's name.
        assert named <= known, f"{page.name} names a tag that is never set"
    table = " ".join(rows(part(CONFIGURATION, "Tags")))
    shown = set(re.findall(r"ai_[a-z0-9_]+", table))
    assert {tag for tag in known if not tag.startswith("ai_team_")} <= shown


def metrics_of(store: Store) -> list[Metric]:
    return [*StoreCollector(store).collect(), *Edge(Settings, store, Wakeup()).refusals.collect()]


def test_the_metrics_are_those_of_the_code(sqlite_store: Store) -> None:
    table = rows(part(OPERATIONS, "Health and metrics"))
    metrics = {name: row for name, row in table.items() if name.startswith("tandem_")}
    counted = {"counter": "_total"}
    assert set(metrics) == {f"{metric.name}{counted.get(metric.type, '')}" for metric in metrics_of(sqlite_store)}
    for page in PAGES:
        assert set(re.findall(r"\btandem_(?!SECRET|voter|known)[a-z_]+\b", text_of(page))) <= set(metrics), page.name


def commands() -> dict[str, Any]:
    group = Commands()
    return {name: group.get_command(None, name) for name in group.list_commands(None)}  # type: ignore[arg-type]


def options_of(command: click.Command) -> set[str]:
    """Return the options of a command and of those below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {option for parameter in command.params for option in parameter.opts}
    return own.union(*(options_of(each) for each in below))


def code_of(page: Path) -> str:
    """Return what is written as code: blocks and spans."""
    text = text_of(page)
    return "\n".join([block for _, block in FENCE.findall(text)] + re.findall(r"`([^`\n]+)`", FENCE.sub("", text)))


def test_every_command_is_in_the_readme() -> None:
    named = set(re.findall(r"`([a-z_]+)", part(ROOT / "README.md", "Commands")))
    assert set(commands()) <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_in_the_docs_exists(page: Path) -> None:
    known = commands()
    for name, arguments in COMMAND.findall(code_of(page)):
        assert name in known, f"{page.name}: manage.py {name}"
        options = options_of(known[name]) | {"--help"}
        assert set(re.findall(r"--[a-z-]+", arguments)) <= options, f"{page.name}: manage.py {name}{arguments}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_in_the_docs_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.M))
    assert set(re.findall(r"\bmake ([a-z-]+)", code_of(page))) <= targets


def test_every_target_of_the_makefile_is_in_its_help() -> None:
    makefile = text_of(ROOT / "Makefile")
    named = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert named
    assert set(named[1].split()) == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.M))


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_is_broken(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", text_of(page))):
        if target.startswith(("http:", "https:")):
            continue
        path, _, wanted = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert ROOT in file.parents, f"{page.name}: {target} leaves the repository"
        if wanted:
            anchors = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text_of(file), re.M)}
            assert wanted in anchors, f"{page.name}: {target}"


def test_every_file_named_in_the_docs_exists() -> None:
    folders = ("triage", "workers", "webhooks", "connectors", "commands", "sandbox", "tests", "docs")
    name = re.compile(rf"^(?:{'|'.join(folders)})/[\w./-]*$")
    for page in PAGES:
        for span in re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(page))):
            if name.match(span) and "helpco" not in span:
                assert (ROOT / span).exists(), f"{page.name}: {span}"


def test_pictures_are_small_and_used() -> None:
    used = " ".join(map(text_of, PAGES))
    for picture in (DOCS / "images").iterdir():
        assert picture.name in used, f"no page shows {picture.name}"
        assert picture.stat().st_size < 250_000, picture.name


def test_the_compose_file_runs_the_commands_that_exist() -> None:
    services = YAML(typ="safe").load(text_of(ROOT / "docker-compose.yml"))["services"]
    ran = [service["command"] for service in services.values() if "manage.py" in service.get("command", [])]
    assert {command[2] for command in ran} == {"migrate", "web", "worker", "beat"}
    for _, _, name, *arguments in ran:
        options = {option for parameter in commands()[name].params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= options


def modules() -> list[str]:
    found = []
    for folder in CODE:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in file.parts:
                name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                found.append(name.removesuffix(".__init__"))
    return found


def imported_by_tests() -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "tests").glob("*.py"):
        for node in ast.walk(ast.parse(text_of(file))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_every_module_has_a_test() -> None:
    untested = set(modules()) - imported_by_tests() - set(TESTED_BY)
    assert not untested, "write a test, or say in TESTED_BY which test covers it"


def test_the_list_of_exceptions_is_true() -> None:
    for module, (file, _reason) in TESTED_BY.items():
        assert module in modules(), f"{module} is gone: take it off the list"
        assert (ROOT / "tests" / file).exists(), f"{module}: there is no tests/{file}"
        importlib.import_module(module)


def test_the_modes_are_those_of_the_code() -> None:
    assert list(rows(part(CONFIGURATION, "Modes"))) == [str(mode) for mode in settings_module.Mode]
    assert set(get_args(settings_module.DecidedField)) == set(settings_module.Thresholds.model_fields)


@pytest.mark.parametrize("page", [*PAGES, *sorted(ROOT.glob("*.example*")), ROOT / ".env.example"], ids=str)
def test_the_repository_stands_alone(page: Path) -> None:
    text = text_of(page)
    assert str(ROOT) not in text
    assert f"{Path.home()}/" not in text
    assert not re.search(r"\.\./\w+/|/tmp/", text)
