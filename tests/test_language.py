"""Language detection: right on ordinary tickets, silent, offline, safe in threads."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.language import MIN_LETTERS, UNDETERMINED, detect_language

TICKETS = [
    ("en", "The invoice was charged twice, please refund one of the payments."),
    ("de", "Die Rechnung wurde doppelt abgebucht, bitte erstatten Sie eine Zahlung."),
    ("fr", "La facture a été débitée deux fois, merci de rembourser un paiement."),
    ("es", "La factura se cobró dos veces, por favor devuelvan uno de los pagos."),
    ("pt", "A fatura foi cobrada duas vezes, por favor devolvam um dos pagamentos."),
    ("it", "La fattura è stata addebitata due volte, rimborsate un pagamento per favore."),
    ("nl", "De factuur is twee keer afgeschreven, graag één betaling terugstorten."),
    ("pl", "Faktura została pobrana dwa razy, proszę o zwrot jednej płatności."),
    ("sv", "Fakturan debiterades två gånger, vänligen återbetala en av dem."),
    ("tr", "Fatura iki kez tahsil edildi, lütfen ödemelerden birini iade edin."),
    ("ru", "Счёт был оплачен дважды, верните, пожалуйста, один платёж."),
    ("ar", "تم خصم الفاتورة مرتين، يرجى إعادة إحدى الدفعتين."),
    ("ja", "請求書が二重に引き落とされました。一件返金してください。"),
    ("ja", "ログインできません"),
    ("ko", "청구서가 두 번 결제되었습니다. 환불해 주세요."),
    ("zh", "发票被扣款两次，请退还其中一笔付款。"),
    ("en", "WHY IS MY ACCOUNT STILL LOCKED AFTER THREE DAYS"),
    (
        "de",
        "Fehler unter https://app.example.com/very/long/english/path/to/page und help@support.example, bitte helfen",
    ),
]


@pytest.mark.parametrize(("code", "text"), TICKETS)
def test_ordinary_tickets(code: str, text: str) -> None:
    assert detect_language(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "ok",
        "Hallo",
        "12345 67890 12345 67890",
        "https://example.com/a-long-address",
        ":-) !!! ???",
        "\x00" * 50,
    ],
)
def test_too_little_text_is_undetermined(text: str) -> None:
    assert sum(map(str.isalpha, text)) < MIN_LETTERS or text.startswith("http")
    assert detect_language(text) == UNDETERMINED


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_text_gets_a_two_letter_code_or_und(text: str) -> None:
    code = detect_language(text)
    assert code == UNDETERMINED or (len(code) == 2 and code.isalpha() and code.islower())


def test_a_megabyte_is_cut_before_it_is_read() -> None:
    assert detect_language("Die Rechnung wurde doppelt abgebucht. " * 30_000) == "de"


def test_threads_agree() -> None:
    texts = [text for _, text in TICKETS] * 50
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(detect_language, texts)) == [code for code, _ in TICKETS] * 50


def test_nothing_is_logged_or_printed(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        detect_language("The invoice was charged twice. " * 100)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_fresh_process_needs_no_network_and_stays_silent() -> None:
    # The package brings a downloader: the first call is the one that would use it.
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from triage.language import detect_language\n"
        "print(detect_language('Die Rechnung wurde doppelt abgebucht'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("de\n", "", 0)
    assert socket.socket is not None
