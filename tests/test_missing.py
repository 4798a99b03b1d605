"""What a ticket lacks is said only where it is certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.missing import ATTACHMENT, INVOICE, ORDER, mentions_attachment, missing


@pytest.mark.parametrize(
    "words",
    [
        "I've attached the log.",
        "Please see attached.",
        "I’m attaching the log",
        "Screenshots of both calendars and the sync log are attached. It affects five people.",
        "Die Rechnung finden Sie im Anhang.",
        "Screenshot anbei",
        "Veuillez trouver ci-joint la facture.",
        "Voir la capture en pièce jointe",
        "Te adjunto la captura de pantalla",
        "Hemos adjuntado el informe",
        "Segue em anexo o print da tela.",
        "In allegato trova la fattura",
        "Vi allego la schermata.",
        "Zie de bijlage",
        "De factuur is bijgevoegd.",
    ],
)
def test_a_file_that_is_spoken_of_and_not_there(words: str) -> None:
    assert missing("Help", words, ()) == (ATTACHMENT,)
    assert missing("Help", words, ("log.txt",)) == ()
    assert mentions_attachment(words)


@pytest.mark.parametrize(
    "words",
    [
        "The old card is attached to my account.",
        "Attachments do not upload since Monday.",
        "We can't see attachments in tickets.",
        "You can't see the attachment on the phone.",
        "No puedo abrir el adjunto",
        "Der Anhang lässt sich nicht öffnen",
        "How do I attach a file to an invoice?",
        "When I attached the file, the page went blank",
        "",
    ],
)
def test_speaking_of_files_in_general_is_no_file(words: str) -> None:
    assert missing("Help", words, ()) == ()
    assert not mentions_attachment(words)


def test_a_picture_inside_the_text_is_there() -> None:
    words = "See the screenshot: ![](https://acme.zendesk.com/attachments/token/abc/?name=a.png)"
    assert mentions_attachment(words)
    assert missing("", words, ()) == ()


@pytest.mark.parametrize(
    ("words", "lacks"),
    [
        ("Where is my order?", ORDER),
        ("Meine Bestellung ist nicht da", ORDER),
        ("Où est ma commande ?", ORDER),
        ("Mi pedido no llega", ORDER),
        ("A minha encomenda não chegou", ORDER),
        ("Il mio ordine è in ritardo", ORDER),
        ("Waar blijft mijn bestelling?", ORDER),
        ("Our last invoice is wrong", INVOICE),
        ("Unsere Rechnung ist falsch", INVOICE),
        ("Notre facture est fausse", INVOICE),
        ("Mi factura está mal", INVOICE),
        ("A nossa fatura está errada", INVOICE),
        ("La mia fattura è sbagliata", INVOICE),
        ("Onze factuur klopt niet", INVOICE),
    ],
)
def test_an_order_or_invoice_without_any_number(words: str, lacks: str) -> None:
    assert missing("Question", words, ()) == (lacks,)
    assert missing("Question about LM-118204", words, ()) == ()


def test_orders_and_invoices_in_general_need_no_number() -> None:
    assert missing("Invoices", "How do I put a VAT number on invoices? Can I order more seats?", ()) == ()


@given(st.text(max_size=400))
def test_any_text_is_read(words: str) -> None:
    assert set(missing(words, words, ())) <= {ATTACHMENT, ORDER, INVOICE}
