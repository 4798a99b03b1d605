"""The index by itself: terms, passages, vectors, BM25, ranking, and Markdown folders."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.classify import shared_encoder
from triage.knowledge import folder as folder_module
from triage.knowledge.bm25 import K1, B, Bm25
from triage.knowledge.documents import Document, keep, language_of, of_html
from triage.knowledge.folder import FolderError, of_markdown, read_folder
from triage.knowledge.index import Entry, Index, Query, Rows
from triage.knowledge.passages import LEAST_WORDS, MAX_PASSAGES, MOST_WORDS, count, split
from triage.knowledge.relevance import LEAST_ARTICLE, LEAST_TICKET
from triage.knowledge.terms import from_bytes, terms_of, to_bytes, words_of
from triage.knowledge.vectors import cosines, pack
from triage.sources import ARTICLE, FILE, TICKET, Source, Sources, url_of

TEXTS = st.text(max_size=400)


def article(key: str, title: str, body: str, language: str = "en", group: str = "", kind: str = ARTICLE) -> Document:
    return Document(kind, key, group or key, language, title, f"/hc/articles/{key}", body)


def index_of(documents: Sequence[Document]) -> Index:
    kept = [(place, row) for place, one in enumerate(documents) for row in keep(one, shared_encoder().encode)]
    entries = [Entry(n, d.kind, d.key, d.group, d.language, d.title, d.path) for n, d in enumerate(documents)]
    dim = shared_encoder().dim
    return Index(
        entries,
        Rows(
            np.asarray([place for place, _ in kept], np.int64),
            np.asarray([row.part for _, row in kept], np.int8),
            np.arange(len(kept), dtype=np.int64),
            np.asarray([np.frombuffer(row.vector, np.int8) for _, row in kept], np.int8).reshape(len(kept), dim),
            np.asarray([row.scale for _, row in kept], np.float32),
            [from_bytes(row.words) for _, row in kept],
        ),
    )


def query(subject: str, text: str = "", language: str = "en") -> Query:
    return Query.of(subject, text, language, shared_encoder().encode)


class TestTerms:
    def test_accents_case_and_plurals_are_folded(self) -> None:
        assert words_of("Räume, CAFÉS und Ölwechsel") == ["raume", "cafe", "und", "olwechsel"]
        assert words_of("invoices policies access status") == ["invoice", "policy", "access", "status"]

    def test_scripts_without_spaces_are_read_in_pairs(self) -> None:
        assert words_of("署名検証") == ["署名", "名検", "検証"]
        assert words_of("Webhook の署名") == ["webhook", "の", "署名"] or "署名" in words_of("Webhook の署名")
        assert "서명" in words_of("서명확인")

    @given(TEXTS)
    def test_any_text_survives_the_way_to_the_database(self, text: str) -> None:
        terms, counts = terms_of(text)
        back, times = from_bytes(to_bytes(terms, counts))
        assert (back == terms).all()
        assert (times == counts).all()
        assert (np.diff(terms.astype(np.int64)) > 0).all()
        assert min(counts.sum(dtype=np.int64), 255) == min(len(words_of(text)), 255)


class TestPassages:
    def test_headings_part_and_sentences_stay_whole(self) -> None:
        sentence = "One two three four five six seven eight nine ten. "
        found = split(f"Before all.\n# First part\n{sentence * 30}\n## Second\nShort end.")
        assert [one.heading for one in found] == ["", "First part", "First part", "Second"]
        assert all(one.text.endswith(".") for one in found)
        assert all(count(one.text) <= MOST_WORDS for one in found)
        assert count(found[1].text) >= 150

    def test_a_short_rest_joins_the_passage_before_it(self) -> None:
        sentence = "One two three four five six seven eight nine ten. "
        (found,) = split(sentence * 17)
        assert count(found.text) == 170
        assert LEAST_WORDS > 170 - 160

    @given(TEXTS)
    def test_no_word_is_lost_or_made_up(self, text: str) -> None:
        plain = text.replace("#", "")
        found = split(plain)
        assert "".join("".join(one.text.split()) for one in found) == "".join("".join(plain.splitlines()).split())

    def test_a_wall_of_text_is_cut(self) -> None:
        found = split("word " * 50_000)
        assert len(found) <= MAX_PASSAGES
        assert all(count(one.text) <= MOST_WORDS + 50 for one in found)


def test_packed_vectors_keep_their_cosines() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((5000, 512)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    packed, scales = pack(vectors)
    assert packed.dtype == np.int8
    exact = vectors @ vectors[17]
    assert np.abs(cosines(packed, scales, vectors[17]) - exact).max() < 0.005
    assert len(cosines(packed[:0], scales[:0], vectors[17])) == 0


def test_bm25_by_hand() -> None:
    texts = ["red bike", "red red car on a long road", "blue bike"]
    engine = Bm25([terms_of(text) for text in texts])
    scores, rarity = engine.scores(terms_of("red")[0])
    idf = math.log1p((3 - 2 + 0.5) / (2 + 0.5))
    mean = (2 + 7 + 2) / 3
    expected = [idf * f * (K1 + 1) / (f + K1 * (1 - B + B * n / mean)) for f, n in ((1, 2), (2, 7), (0, 2))]
    assert scores.tolist() == pytest.approx(expected, rel=1e-3)
    assert rarity == pytest.approx(idf)
    _, unknown = engine.scores(terms_of("red zebra")[0])
    assert unknown == pytest.approx(idf + math.log1p(3.5 / 0.5))
    assert Bm25([]).scores(terms_of("red")[0])[1] == 0


PRODUCT = [
    article(
        "1", "Add or remove seats", "Owners change the number of seats under Settings, Plan. New seats count at once."
    ),
    article("2", "Cancel your subscription", "The owner cancels under Settings, Plan. It ends with the paid period."),
    article("3", "Calendar is one hour off", "Set the same time zone in Outlook and in the settings, then sync again."),
    article("3:de", "Kalender um eine Stunde verschoben", "Stellen Sie in Outlook dieselbe Zeitzone ein.", "de", "3"),
    article("h", "Plätze hinzufügen", "Inhaber fügen Plätze in den Einstellungen hinzu.", "de", "1"),
]


class TestIndex:
    def test_finds_what_was_asked_for_and_says_which_passage(self) -> None:
        index = index_of(PRODUCT)
        (hit, *_) = index.search(
            query("Three more seats please", "How can we add seats?"), (ARTICLE,), 3, LEAST_ARTICLE
        )
        assert hit.entry.key == "1"
        assert hit.closeness >= LEAST_ARTICLE

    def test_of_translations_only_the_readable_one_is_shown(self) -> None:
        index = index_of(PRODUCT)
        hits = index.search(query("Kalender in Outlook eine Stunde falsch", "", "de"), (ARTICLE,), 5, 0.0)
        assert hits[0].entry.key == "3:de"
        assert "3" not in [hit.entry.key for hit in hits]
        french = index.search(query("Le calendrier Outlook a une heure de décalage", "", "fr"), (ARTICLE,), 1, 0.0)
        assert french[0].entry.group == "3"

    def test_nothing_close_is_nothing_at_all(self) -> None:
        index = index_of(PRODUCT)
        assert index.search(query("My neighbour's dog ate the sofa"), (ARTICLE,), 3, LEAST_ARTICLE) == []
        assert index_of([]).search(query("seats"), (ARTICLE,), 3, 0.0) == []

    def test_kinds_are_kept_apart(self) -> None:
        ticket = Document(
            TICKET, "7", "7", "en", "More seats", "/a/tickets/7", "We need more seats.", "Add them there."
        )
        index = index_of([*PRODUCT, ticket])
        found = index.search(query("More seats", "We need two more seats."), (TICKET,), 3, LEAST_TICKET)
        assert [hit.entry.key for hit in found] == ["7"]
        answer = [
            place for place, row in enumerate(keep(ticket, shared_encoder().encode)) if row.text == "Add them there."
        ]
        assert found[0].passage == len(index._rows.documents) - 3 + answer[0]

    def test_a_document_without_words_is_never_found(self) -> None:
        index = index_of([article("1", "Seats", ""), *PRODUCT[1:]])
        assert "1" not in [hit.entry.key for hit in index.search(query("Seats"), (ARTICLE,), 9, -1.0)]


def test_html_becomes_passages_under_their_headings_without_what_nobody_sees() -> None:
    html = (
        "<p>Start.</p><h2 class='x'>Limits</h2><p>600 calls.</p><script>alert(1)</script><p style='display:none'>no</p>"
    )
    assert [(one.heading, one.text) for one in split(of_html(html))] == [("", "Start."), ("Limits", "600 calls.")]


def test_a_locale_is_cut_to_its_language_else_the_text_tells() -> None:
    assert (language_of("en-us", ""), language_of("pt-BR", "")) == ("en", "pt")
    assert language_of("", "Die Rechnung ist leider falsch, bitte prüfen Sie das.") == "de"


class TestFolder:
    def test_reads_titles_languages_and_leaves_drafts_alone(self, tmp_path: Path) -> None:
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep/seats.md").write_text("# Seats\n\nSee [the plan](https://x.example) and **add** `seats`.\n")
        (tmp_path / "deep/seats.de.md").write_text("# Plätze\nPlätze fügen Sie im Plan hinzu.\n", "utf-8")
        (tmp_path / "later.md").write_text("---\ntitle: Later\ndraft: true\n---\nNot yet.\n")
        (tmp_path / "hidden.md").write_text("---\npublished: no\n---\nNot any more.\n")
        (tmp_path / ".secret.md").write_text("# Secret\n")
        (tmp_path / "notes.txt").write_text("# No Markdown\n")
        found = read_folder(tmp_path)
        assert {one.key: (one.title, one.language, one.group) for one in found.documents} == {
            "deep/seats.md": ("Seats", "en", "deep/seats"),
            "deep/seats.de.md": ("Plätze", "de", "deep/seats"),
        }
        assert found.drafts == 2
        body = next(one.body for one in found.documents if one.key == "deep/seats.md")
        assert "See the plan and add seats." in body
        assert "x.example" not in body
        assert {one.kind for one in found.documents} == {FILE}

    def test_a_bad_file_is_named_and_costs_no_other(self, tmp_path: Path) -> None:
        (tmp_path / "good.md").write_text("# Good\nText.\n")
        (tmp_path / "latin.md").write_bytes("# Größe\n".encode("latin-1"))
        (tmp_path / "large.md").write_text("x" * (folder_module.MAX_BYTES + 1))
        (tmp_path / os.fsdecode(b"gr\xf6sse.md")).write_text("# Size\n")
        outside = tmp_path.parent / f"{tmp_path.name}-outside.md"
        outside.write_text("# Outside\n")
        (tmp_path / "link.md").symlink_to(outside)
        found = read_folder(tmp_path)
        assert [one.key for one in found.documents] == ["good.md"]
        assert set(found.refused) == {"latin.md", "large.md", "gr?sse.md"}
        assert "UTF-8" in found.refused["latin.md"]

    def test_a_folder_that_is_none_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(FolderError, match="name one that holds"):
            read_folder(tmp_path / "nowhere")

    def test_too_many_files_are_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folder_module, "MAX_FILES", 1)
        for name in "ab":
            (tmp_path / f"{name}.md").write_text("# A\nText.\n")
        with pytest.raises(FolderError, match="narrower"):
            read_folder(tmp_path)

    @given(TEXTS)
    def test_any_file_is_read(self, text: str) -> None:
        document = of_markdown("a.md", text)
        assert document is None or document.title


class TestSources:
    def test_addresses_are_on_the_desks_host_or_nowhere(self) -> None:
        desk = "https://acme.zendesk.com"
        assert url_of(desk, "/hc/en-us/articles/123") == f"{desk}/hc/en-us/articles/123"
        for path in ("", "//evil.example/x", "/a?next=//evil", "@evil.example", "/a b", '/a"onclick=', "javascript:x"):
            assert url_of(desk, path) == ""

    def test_the_record_holds_no_text(self) -> None:
        one = Source(ARTICLE, "5:en", "A title", "https://a.example/5", "en", 0.51234, True, "A passage")
        assert Sources((one,)).ids() == {
            "articles": [{"kind": ARTICLE, "key": "5:en", "score": 0.512}],
            "tickets": [],
        }
