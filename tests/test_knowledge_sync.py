"""Knowledge kept in step with both sandbox helpdesks, on both databases, judged by what a search then finds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import requests
from fakes import FakeClassifier
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS, Box

from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.classify import shared_encoder
from triage.errors import DeskLocked, Retry
from triage.knowledge.documents import Document
from triage.knowledge.folder import of_markdown
from triage.settings import Desk, Mode, Settings
from triage.settings_knowledge import Knowledge
from triage.sources import ARTICLE, FILE, TICKET, Sources
from triage.store import Store
from triage.ticket import Author, Message, Ticket
from workers.knowledge import Room, forget_reopened, put_all, sync, sync_due
from workers.lookup import LOOK_EVERY_SECONDS, Lookup
from workers.pipeline import triage
from workers.tools import Tools

NAME = "desk"
SECRET_WORDS = ("INTERNAL-ONLY", "DRAFT-ONLY", "SIGNED-IN-ONLY", "ENTWURF")


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """Return a sandbox whose articles nobody changes."""
    with running(SandboxConfig(**CREDENTIALS)) as found:
        yield found


@pytest.fixture
def own() -> Iterator[Running]:
    """Return a sandbox of its own."""
    with running(SandboxConfig(**CREDENTIALS)) as found:
        yield found


def room_of(box: Box, store: Store, **changes: Any) -> Room:
    return Room(NAME, box.settings, box.connector, store, shared_encoder(), **changes)


def sync_all(room: Room, kind: str = ARTICLE) -> int:
    """Run ticks until the round is over and return how many it took."""
    for tick in range(1, 100):
        if sync(room, kind):
            return tick
    raise AssertionError("the round never ends")


def lookup(room: Room) -> Lookup:
    return Lookup(room.store, lambda: Settings(desks={NAME: room.desk}), room.encoder)


def ask(room: Room, subject: str, body: str, ident: str = "999999") -> Sources:
    said = Message("1", Author.CUSTOMER, body)
    return lookup(room).find(NAME, Ticket(desk=NAME, id=ident, subject=subject, messages=(said,)))


def kept_texts(store: Store) -> str:
    rows = store.knowledge.rows(NAME, shared_encoder().model_id)
    titles = [one.title for one in store.knowledge.documents(NAME)]
    return "\n".join([*store.knowledge.texts([row[1] for row in rows]).values(), *titles])


@pytest.mark.parametrize("vendor", VENDORS)
def test_only_what_everybody_may_read_is_indexed(shared: Running, store: Store, vendor: str) -> None:
    room = room_of(Box(shared, vendor), store)
    sync_all(room)
    text = kept_texts(store)
    assert not [word for word in SECRET_WORDS if word in text]
    assert "INTERNAL" not in text
    keys = {one.key for one in store.knowledge.documents(NAME)}
    assert len({key.split(":")[0] for key in keys}) == 16
    assert len(keys) == 23  # with translations
    assert store.knowledge.counts(NAME)[ARTICLE][0] == 23


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_ticket_finds_its_article_with_an_address_on_the_desks_host(
    shared: Running, sqlite_store: Store, vendor: str
) -> None:
    room = room_of(Box(shared, vendor), sqlite_store)
    sync_all(room)
    found = ask(room, "Three more seats please", "Could you add three more seats to our workspace from next month?")
    assert found.articles[0].title == "Add or remove seats"
    assert "proportion" in found.articles[0].passage
    assert len(found.articles) <= 3
    for one in found.articles:
        assert one.url.startswith(f"{room.desk.url}/")
        assert one.key.split(":")[0] in one.url


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_translation_in_the_tickets_language_is_found_once(
    shared: Running, sqlite_store: Store, vendor: str
) -> None:
    room = room_of(Box(shared, vendor), sqlite_store)
    sync_all(room)
    body = "Ho attivato Lumenly la settimana scorsa e sto cercando di importare la mia rubrica clienti da Excel."
    found = ask(room, "Domanda sull'importazione clienti da Excel", body).articles
    assert found[0].title == "Importare i clienti da Excel"
    assert "Import clients from Excel" not in [one.title for one in found]
    assert "/it/" in found[0].url


def test_an_article_in_another_language_is_found_where_there_is_no_translation(
    shared: Running, sqlite_store: Store
) -> None:
    room = room_of(Box(shared, "zendesk"), sqlite_store)
    sync_all(room)
    body = "Nach der Synchronisierung mit Outlook sind die Termine im Kalender um eine Stunde verschoben."
    found = ask(room, "Kalendertermine nach Synchronisierung eine Stunde falsch", body).articles
    assert "Calendar events are one hour off after a sync" in [one.title for one in found]


def test_a_question_about_something_else_finds_nothing(shared: Running, sqlite_store: Store) -> None:
    room = room_of(Box(shared, "zendesk"), sqlite_store)
    sync_all(room)
    body = "The heating in our holiday flat makes a noise all night and the neighbour's dog has eaten my shoes."
    assert ask(room, "Noise in the bedroom", body) == Sources()


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_unpublished_deleted_or_made_internal_goes_with_the_next_round(
    own: Running, store: Store, vendor: str
) -> None:
    box = Box(own, vendor)
    room = room_of(box, store)
    sync_all(room)
    articles = {one["title"]: one["id"] for one in listed(box)}
    url = f"{box.url}/articles/{vendor}"
    requests.post(f"{url}/{articles['Add or remove seats']}", json={"state": "internal"}, timeout=10)
    requests.post(f"{url}/{articles['Cancel your subscription']}", json={"state": "draft"}, timeout=10)
    requests.delete(f"{url}/{articles['Add a second location']}", timeout=10)
    requests.post(f"{url}/{articles['A card is declined']}", json={"body": "<p>Ask the new robot.</p>"}, timeout=10)
    requests.post(url, json={"title": "Colours", "body": "<p>Choose a colour theme in the menu.</p>"}, timeout=10)
    sync_all(room)
    titles = {one.title for one in store.knowledge.documents(NAME)}
    gone = {"Add or remove seats", "Cancel your subscription", "Add a second location", "Ajouter ou retirer des places"}
    assert not gone & titles
    assert "Colours" in titles
    text = kept_texts(store)
    assert "new robot" in text
    assert "3-D Secure" not in text


def listed(box: Box) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{box.url}/articles/{box.vendor}", timeout=10).json()["articles"]
    return found


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_round_goes_on_where_the_last_tick_stopped_and_reads_nothing_twice(
    shared: Running, sqlite_store: Store, vendor: str
) -> None:
    box = Box(shared, vendor)
    room = room_of(box, sqlite_store, calls=1)
    ticks = sync_all(room)
    assert ticks == calls_of_a_round(vendor)
    version = sqlite_store.knowledge.version(NAME)
    sync_all(replace(room, calls=50))
    assert sqlite_store.knowledge.version(NAME) == version, "nothing had changed"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_help_centre_without_end_is_given_up_after_a_day(own: Running, sqlite_store: Store, vendor: str) -> None:
    box = Box(own, vendor)
    fault = {"match": {"path": "help_center|solutions"}, "do": {"endless": "new"}, "times": None}
    requests.post(f"{box.url}/faults", json=fault, timeout=10).raise_for_status()
    room = room_of(box, sqlite_store, calls=3)
    assert [sync(room, ARTICLE) for _ in range(4)] == [False] * 4
    assert sync(replace(room, clock=lambda: time.time() + 90_000), ARTICLE)
    assert "did not end" in sqlite_store.knowledge.round(NAME, ARTICLE).reason
    requests.delete(f"{box.url}/faults", timeout=10).raise_for_status()
    sync_all(room)
    assert sqlite_store.knowledge.documents(NAME)


def calls_of_a_round(vendor: str) -> int:
    # Zendesk: one page of 50. Freshdesk: the start, two categories, one folder of subfolders, and two folders that
    # everybody may see in six languages.
    return 1 if vendor == "zendesk" else 1 + 2 + 1 + 2 * 6


@pytest.mark.parametrize("state", ["absent", "forbidden"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_desk_without_help_centre_has_no_articles_and_no_trouble(
    own: Running, store: Store, vendor: str, state: str
) -> None:
    box = Box(own, vendor)
    room = room_of(box, store)
    sync_all(room)
    setting = "zendesk_help_center" if vendor == "zendesk" else "freshdesk_solutions"
    object.__setattr__(own.state.config, setting, state)
    assert sync(room, ARTICLE)
    assert store.knowledge.documents(NAME) == []
    assert store.knowledge.round(NAME, ARTICLE).reason
    assert ask(room, "Three more seats please", "Could you add three more seats to our workspace?") == Sources()
    object.__setattr__(own.state.config, setting, "there")
    sync_all(room)
    assert store.knowledge.counts(NAME)[ARTICLE][0] == 23


def solved(box: Box, subject: str, body: str, reply: str, **more: Any) -> str:
    ticket = box.ticket(subject=subject, body=body, requester={"name": "Ada Lovely", "email": "ada@client.example"})
    box.act(ticket, reply=reply)
    box.act(ticket, note="INTERNAL-ONLY: the customer is difficult", status="solved", **more)
    return ticket


OUTLOOK_REPLY = "Please set the same time zone in Outlook and in Lumenly, then read the calendar again."
REPLY = "Dear Ada Lovely, the tyre pressure sensor needs a new battery. Order part 7731 in the shop and change it."


@pytest.mark.parametrize("vendor", VENDORS)
def test_solved_tickets_come_with_their_last_public_reply_masked(own: Running, store: Store, vendor: str) -> None:
    box = Box(own, vendor)
    room = room_of(box, store)
    body = "Hello, this is Ada Lovely, write to ada@client.example. The tyre sensor of our bike shows no value."
    first = solved(box, "Tyre sensor shows nothing", body, REPLY)
    box.ticket(subject="Tyre sensor of the bike", body="Still open: the tyre sensor shows no value.")
    wait_for_export(box, own)
    sync_all(room, TICKET)
    found = ask(room, "Sensor on the tyre is dead", "The tyre sensor of my bike shows no value any more.").tickets
    assert [one.key for one in found] == [first]
    assert "part 7731" in found[0].passage
    assert found[0].url == f"{room.desk.url}{'/agent' if vendor == 'zendesk' else '/a'}/tickets/{first}"
    text = kept_texts(store)
    assert not [word for word in ("Ada Lovely", "ada@client.example", "INTERNAL-ONLY") if word in text]
    assert ask(room, "Sensor on the tyre is dead", "The tyre sensor shows no value.", ident=first).tickets == ()


def wait_for_export(box: Box, sandbox: Running) -> None:
    """Let the tickets grow older than the minute that Zendesk's export leaves out."""
    for ticket in sandbox.state.desks[box.vendor].tickets.values():  # type: ignore[index]
        ticket.touched -= 120


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_solved_ticket_that_is_opened_again_is_forgotten(own: Running, sqlite_store: Store, vendor: str) -> None:
    box = Box(own, vendor)
    room = room_of(box, sqlite_store)
    ticket = solved(box, "Tyre sensor shows nothing", "The tyre sensor shows no value at all.", REPLY)
    wait_for_export(box, own)
    sync_all(room, TICKET)
    assert [one.key for one in sqlite_store.knowledge.documents(NAME)] == [ticket]
    box.act(ticket, customer_reply="It is broken again.")
    own.state.desks[vendor].tickets[int(ticket)].touched -= 120  # type: ignore[index]
    changed = box.connector.changes("" if vendor == "freshdesk" else str(int(time.time()) - 600)).tickets
    assert ticket in [one.ticket_id for one in changed]
    forget_reopened(sqlite_store, NAME, changed)
    assert sqlite_store.knowledge.documents(NAME) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_solved_ticket_that_was_deleted_is_noticed_later(own: Running, sqlite_store: Store, vendor: str) -> None:
    box = Box(own, vendor)
    stays = solved(box, "Tyre sensor shows nothing", "The tyre sensor shows no value at all.", REPLY)
    goes = solved(box, "Tyre sensor is wet", "The tyre sensor shows odd values in the rain.", REPLY)
    wait_for_export(box, own)
    room = room_of(box, sqlite_store)
    sync_all(room, TICKET)
    # Without a change that the list of changed tickets would show.
    own.state.desks[vendor].tickets[int(goes)].deleted = True  # type: ignore[index]
    sync_all(room, TICKET)
    assert {one.key for one in sqlite_store.knowledge.documents(NAME)} == {stays, goes}, "seen too short ago"
    later = replace(room, clock=lambda: time.time() + 8 * 86_400)
    sync_all(later, TICKET)
    assert [one.key for one in sqlite_store.knowledge.documents(NAME)] == [stays]
    assert sqlite_store.knowledge.least_seen(NAME, TICKET, time.time(), 9) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_replies_of_many_tickets_take_several_ticks(own: Running, sqlite_store: Store, vendor: str) -> None:
    box = Box(own, vendor)
    tickets = {solved(box, f"Tyre sensor {n}", f"Sensor number {n} shows no value.", REPLY) for n in range(5)}
    wait_for_export(box, own)
    room = room_of(box, sqlite_store, calls=3)
    requests.delete(f"{box.url}/calls", timeout=10)
    assert sync_all(room, TICKET) == 3
    assert {one.key for one in sqlite_store.knowledge.documents(NAME)} == tickets
    paths = [call["path"] for call in requests.get(f"{box.url}/calls", timeout=10).json()["calls"]]
    assert len([path for path in paths if "comments" in path or "conversations" in path]) == 5


def test_desks_that_want_no_tickets_have_none(own: Running, sqlite_store: Store) -> None:
    box = Box(own, "freshdesk")
    room = room_of(box, sqlite_store)
    solved(box, "Tyre sensor shows nothing", "The tyre sensor shows no value at all.", REPLY)
    sync_all(room, TICKET)
    assert len(sqlite_store.knowledge.documents(NAME)) == 1
    without = room.desk.model_copy(update={"knowledge": Knowledge(tickets=False)})
    assert sync(replace(room, desk=without), TICKET)
    assert sqlite_store.knowledge.documents(NAME) == []


def test_a_passing_fault_costs_nothing_and_a_locked_desk_is_said(own: Running, sqlite_store: Store) -> None:
    box = Box(own, "zendesk")
    room = room_of(box, sqlite_store)
    sync_all(room)
    box.fault("GET", "help_center", status=500)
    with pytest.raises(Retry):
        sync(room, ARTICLE)
    assert sqlite_store.knowledge.counts(NAME)[ARTICLE][0] == 23
    assert sync(room, ARTICLE)
    box.fault("GET", "help_center", status=401)
    box.fault("GET", "help_center", status=401)
    with pytest.raises(DeskLocked):
        sync(room, ARTICLE)
    assert "401" in sqlite_store.knowledge.round(NAME, ARTICLE).reason
    assert sqlite_store.knowledge.counts(NAME)[ARTICLE][0] == 23


def test_two_processes_never_read_one_desk_at_once(shared: Running, store: Store) -> None:
    room = room_of(Box(shared, "zendesk"), store)
    now = time.time()
    assert store.knowledge.claim(NAME, ARTICLE, now + 100, now)
    assert not sync(room, ARTICLE)
    assert store.knowledge.documents(NAME) == []
    assert sync(replace(room, clock=lambda: time.time() + 200), ARTICLE)


def test_each_desk_is_read_at_its_own_interval(shared: Running, sqlite_store: Store) -> None:
    box = Box(shared, "zendesk")
    desk = box.settings.model_copy(update={"knowledge": Knowledge(every=30)})
    settings = Settings(desks={NAME: desk, "off": desk.model_copy(update={"mode": Mode.OFF})})
    opened: list[str] = []

    def open_(name: str) -> Room:
        opened.append(name)
        return replace(room_of(box, sqlite_store), desk=desk)

    now = time.time()
    sync_due(settings, sqlite_store, open_, now)
    assert set(opened) == {NAME}
    assert sqlite_store.knowledge.counts(NAME)[ARTICLE][0] == 23
    opened.clear()
    sync_due(settings, sqlite_store, open_, now + 29 * 60)
    assert opened == []
    sync_due(settings, sqlite_store, open_, now + 31 * 60)
    assert opened


def test_an_index_in_memory_follows_the_database(
    shared: Running, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = room_of(Box(shared, "zendesk"), sqlite_store)
    finder = lookup(room)
    assert finder.index(NAME).size == 0
    sync_all(room)
    assert finder.index(NAME).size == 0, "not looked at again within half a minute"
    later = time.monotonic() + LOOK_EVERY_SECONDS
    monkeypatch.setattr("workers.lookup.time.monotonic", lambda: later)
    index = finder.index(NAME)
    assert index.size > 23
    later += LOOK_EVERY_SECONDS
    assert finder.index(NAME) is index, "the same index as long as nothing changed"


def test_files_are_followed_and_a_folder_that_is_away_forgets_nothing(sqlite_store: Store, tmp_path: Any) -> None:
    folder = tmp_path / "kb"
    folder.mkdir()
    (folder / "seats.md").write_text("# Seats\nOwners add seats in the settings of the plan.\n")
    (folder / "trial.md").write_text("# Trial\nA trial lasts thirty days.\n")
    desk = Desk.model_validate(
        {
            "platform": "zendesk",
            "url": "https://acme.zendesk.com",
            "auth": {"email": "a@b.example", "api_token": "x"},
            "webhook_secrets": ["s" * 20],
            "knowledge": {"folder": str(folder)},
        }
    )
    room = Room(NAME, desk, None, sqlite_store, shared_encoder())  # type: ignore[arg-type]
    assert sync(room, FILE)
    found = ask(room, "More seats", "How do owners add more seats to our plan?").articles
    assert [(one.title, one.url, one.kind) for one in found] == [("Seats", "", FILE)]
    (folder / "seats.md").write_text("# Places\nOwners add places in the settings of the plan.\n")
    (folder / "trial.md").unlink()
    assert sync(room, FILE)
    assert [one.title for one in sqlite_store.knowledge.documents(NAME)] == ["Places"]
    folder.rename(tmp_path / "elsewhere")
    assert sync(room, FILE)
    assert "no folder" in sqlite_store.knowledge.round(NAME, FILE).reason
    assert [one.title for one in sqlite_store.knowledge.documents(NAME)] == ["Places"]
    assert sync(replace(room, desk=desk.model_copy(update={"knowledge": Knowledge()})), FILE)
    assert sqlite_store.knowledge.documents(NAME) == []


def test_the_same_document_is_encoded_once(sqlite_store: Store, shared: Running) -> None:
    room = room_of(Box(shared, "zendesk"), sqlite_store)
    one = Document(TICKET, "7", "7", "en", "Printer", "/agent/tickets/7", "It prints nothing.", "Fill in ink.", "a")
    assert put_all(room, [one]) == 1
    assert put_all(room, [replace(one, stamp="b")]) == 0
    assert sqlite_store.knowledge.known(NAME, TICKET, ["7"])["7"][0] == "b"
    assert put_all(room, [replace(one, body="It prints too much.")]) == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_note_on_the_helpdesk_names_sources_that_a_customer_can_open(
    own: Running, sqlite_store: Store, vendor: str
) -> None:
    box = Box(own, vendor)
    room = room_of(box, sqlite_store)
    earlier = solved(box, "Outlook moves events", "The calendar is one hour off after the Outlook sync.", OUTLOOK_REPLY)
    wait_for_export(box, own)
    for kind in (ARTICLE, TICKET):
        sync_all(room, kind)
    body = "After the sync with Outlook all events in the calendar are one hour off."
    new = box.ticket(subject="Calendar events one hour off after Outlook sync", body=body)
    now = time.time()
    run, _ = sqlite_store.runs.claim(NAME, new, "created", owner="w", now=now, lease_until=now + 30)
    settings = Settings(desks={NAME: box.settings})
    find = partial(lookup(room).find, NAME)
    triage(run, Tools(box.connector, FakeClassifier(), sqlite_store, settings, box.settings, find=find))
    (note,) = box.notes(new)
    links = re.findall(r'href="([^"]+)"', note["html"])
    assert links[0] == f"{box.settings.url}{'/agent' if vendor == 'zendesk' else '/a'}/tickets/{earlier}"
    assert all(link.startswith(f"{box.settings.url}/") for link in links)
    assert "time zone" in requests.get(links[1], timeout=10).text
    done = sqlite_store.runs.get(run.id)
    assert done is not None
    assert done.sources is not None
    assert [one["key"] for one in done.sources["tickets"]] == [earlier]


@pytest.mark.parametrize("path", ["/zendesk/hc/en-us/articles/{}", "/freshdesk/support/solutions/articles/{}"])
def test_customers_cannot_open_what_is_not_for_them(shared: Running, path: str) -> None:
    vendor = path.split("/")[1]
    for one in requests.get(f"{shared.url}/sandbox/articles/{vendor}", timeout=10).json()["articles"]:
        status = requests.get(shared.url + path.format(one["id"]), timeout=10).status_code
        assert status == (200 if one["state"] == "public" else 404)


def test_odd_texts_are_kept_on_both_databases(store: Store, own: Running) -> None:
    box = Box(own, "zendesk")
    odd = "Odd \x00 title \ud83d \u202e 🎉"
    requests.post(
        f"{box.url}/articles/zendesk", json={"title": odd, "body": f"<p>{odd * 9} tuning of zithers</p>"}, timeout=10
    ).raise_for_status()
    room = room_of(box, store)
    sync_all(room)
    file = of_markdown("odd.md", f"# {odd}\n{odd}\n")
    assert file
    assert put_all(room, [file]) == 1
    assert store.knowledge.counts(NAME) == {ARTICLE: (24, store.knowledge.counts(NAME)[ARTICLE][1]), FILE: (1, 2)}
