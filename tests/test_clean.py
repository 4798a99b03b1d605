"""Cleaning: a customer's words come through, those of programs and lawyers do not, and nothing hangs or raises."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage import clean
from triage.clean import (
    MAX_MESSAGE,
    MAX_TEXT,
    clean_message,
    clean_ticket,
    html_to_text,
    is_automatic,
    strip_quotes,
    strip_signature,
)
from triage.clean_automatic import is_automatic as automatic
from triage.clean_html import MAX_HTML, QUOTE_MARK, html_to_marked_text
from triage.clean_quotes import is_forward_line, is_reply_delimiter
from triage.clean_signature import strip_signature as signature
from triage.clean_words import HEADER_WORDS
from triage.ticket import Author, Message, Requester, Ticket

NEWEST = "The export still stops at 90 %."
OLDER = "We have released a fix, could you try again?"


# --- HTML -----------------------------------------------------------------------------------------------------------


def test_blocks_become_lines_and_inline_words_stay_whole() -> None:
    html = "<p>In<b>voice</b> 12</p><div>is <a href='https://x.example'>here</a><br>twice</div><ul><li>one<li>two</ul>"
    assert html_to_text(html) == "Invoice 12\n\nis here\ntwice\n* one\n* two"


def test_a_table_row_is_one_line() -> None:
    html = "<table><tr><td>Order</td><td>4711</td></tr><tr><td>Total</td><td>12 EUR</td></tr></table>"
    assert html_to_text(html) == "Order 4711\nTotal 12 EUR"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>SECRET</script>",
        "<style>SECRET</style>",
        "<!-- SECRET -->",
        "<!--[if mso]><p>SECRET</p><![endif]-->",
        "<title>SECRET</title>",
        "<template><p>SECRET</p></template>",
        "<textarea>SECRET</textarea>",
        '<p style="display:none">SECRET</p>',
        '<p style="DISPLAY : NONE !important">SECRET</p>',
        '<p style="display:/**/none">SECRET</p>',
        '<div style="color:red;display:none"><div><p>SECRET</p></div></div>',
        '<p style="visibility:hidden">SECRET</p>',
        '<span style="font-size:0">SECRET</span>',
        '<span style="font-size:0px">SECRET</span>',
        '<span style="font-size:1px">SECRET</span>',
        '<span style="font:0/0 a">SECRET</span>',
        '<font style="font-size:.01em">SECRET</font>',
        "<p hidden>SECRET</p>",
        '<p HIDDEN="">SECRET</p>',
        '<p style="opacity:0">SECRET</p>',
        '<p style="opacity: 0.0;">SECRET</p>',
        '<p style="max-height:0;overflow:hidden">SECRET</p>',
        '<p style="text-indent:-9999px">SECRET</p>',
        '<p style="position:absolute;left:-10000px">SECRET</p>',
        '<p style="color:transparent">SECRET</p>',
        "seen\U000e0053\U000e0045\U000e0043",  # tag characters: ASCII that no font draws
    ],
)
def test_what_no_reader_sees_never_becomes_text(hidden: str) -> None:
    text = html_to_text(f"<div>seen {hidden} too</div>")
    assert "SECRET" not in text
    assert "\U000e0053" not in text
    assert "seen" in text
    assert "too" in text


@pytest.mark.parametrize(
    "style",
    ["font-size:12px", "font-size:0.8em", "font-size:100%", "font-size:1.2rem", "opacity:0.5", "opacity:1",
     "line-height:0", "margin-top:-20px", "height:10px", "display:block", "font:12px/1 Arial", "color:rgba(0,0,0,0.8)"],
)  # fmt: skip
def test_ordinary_styles_hide_nothing(style: str) -> None:
    assert html_to_text(f'<p style="{style}">seen</p>') == "seen"


def test_a_child_may_undo_an_inherited_size() -> None:
    # What newsletter builders write around every column.
    html = '<td style="font-size:0">gap<div style="font-size:14px">seen</div></td>'
    assert html_to_text(f"<table><tr>{html}</tr></table>") == "seen"


def test_text_nested_too_deep_for_one_parser_is_read_by_the_other() -> None:
    html = '<div class="x">' * 300 + "deep <b>wor</b>ds<p>below</p>" + "</div>" * 300
    assert html_to_text(html).split("\n") == ["deep words", "below"]
    assert html_to_text("<div>" * 20_000 + "deep" + "</div>" * 20_000) == "deep"


def test_pasted_pictures_do_not_use_up_the_limit() -> None:
    picture = f'<img src="data:image/png;base64,{"A" * (2 * MAX_HTML)}">'
    assert html_to_text(f"{picture}<p>{NEWEST}</p>") == NEWEST


def test_characters_are_made_printable() -> None:
    assert html_to_text("a\x00b\u200bc&nbsp;d \ud800 \u202ee") == "abc d � e"
    assert clean_message("a\r\nb\rc\u2028d", html=False) == "a\nb\nc\nd"
    assert (
        clean_message("سلام، رمز عبور را فراموش کرده‌ام", html=False) == "سلام، رمز عبور را فراموش کرده‌ام"
    )  # joiner kept
    assert clean_message("\ud83d\ude00 fine", html=False) == "😀 fine"  # a pair that came as two halves


# --- quotes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "delimiter",
    [
        "##- Please type your reply above this line -##",
        "## - Please type your reply above this line - ##",
        "##- Bitte geben Sie Ihre Antwort oberhalb dieser Zeile ein. -##",
        "##- Veuillez saisir votre réponse au-dessus de cette ligne -##",
        "##- この行の上に返信を入力してください -##",
        "##- Text an admin made up -##",
        "> ##- Please type your reply above this line -##",
        "--- Please reply above this line ---",
        "=== Bitte antworten Sie über dieser Zeile: Antwort über dieser Zeile ===",
        "*** Por favor, escriba su respuesta por encima de esta línea ***",
    ],
)
def test_everything_below_the_helpdesks_delimiter_goes(delimiter: str) -> None:
    assert is_reply_delimiter(delimiter)
    assert strip_quotes(f"{NEWEST}\n\n{delimiter}\n\nYour request (12) was updated.\n{OLDER}") == NEWEST


def test_prose_about_a_line_is_no_delimiter() -> None:
    text = "I cannot reply above this line because the box is grey.\nWhat now?"
    assert strip_quotes(text) == text


INTROS = [
    "On Tue, 4 Jun 2024 at 10:12, Acme Support <help@acme.example> wrote:",
    "On Tue, 4 Jun 2024 at 10:12, Acme Support <\nhelp@acme.example> wrote:",
    "On 4 Jun 2024, at 10:12, Acme\n<help@acme.example>\nwrote:",
    "Am Di., 4. Juni 2024 um 10:12 Uhr schrieb Acme Support <help@acme.example>:",
    "Acme Support <help@acme.example> schrieb am Di., 4. Juni 2024, 10:12:",
    "Le mar. 4 juin 2024 à 10:12, Acme Support <help@acme.example> a écrit\u202f:",
    "El mar, 4 jun 2024 a las 10:12, Acme Support (<help@acme.example>) escribió:",
    "Em ter., 4 de jun. de 2024 às 10:12, Acme <help@acme.example> escreveu:",
    "Il giorno mar 4 giu 2024 alle ore 10:12 Acme <help@acme.example> ha scritto:",
    "Op di 4 jun 2024 om 10:12 schreef Acme Support <help@acme.example>:",
    "Den tis 4 juni 2024 kl 10:12 skrev Acme <help@acme.example>:",
    "wt., 4 cze 2024 o 10:12 Acme <help@acme.example> napisał(a):",
    "вт, 4 июн. 2024 г. в 10:12, Acme <help@acme.example>:",
    "2024年6月4日(火) 10:12 Acme サポート <help@acme.example>:",
    "Acme <help@acme.example> 于2024年6月4日周二 10:12写道：",
    "2024년 6월 4일 (화) 오전 10:12, Acme <help@acme.example>님이 작성:",
]


@pytest.mark.parametrize("intro", INTROS)
@pytest.mark.parametrize("mark", ["> ", ""])
def test_reply_headers_in_many_languages(intro: str, mark: str) -> None:
    assert clean_message(f"{NEWEST}\n\n{intro}\n\n{mark}{OLDER}\n{mark}Bye\n", html=False) == NEWEST


BLOCKS = [
    "From: Acme Support <help@acme.example>\nSent: Tuesday, June 4, 2024 10:12\nTo: Ann\nSubject: RE: Export",
    "*From:* Acme <help@acme.example>\n*Date:* 4 June 2024\n*Subject:* Export",
    "Von: Acme Support\nGesendet: Dienstag, 4. Juni 2024 10:12\nAn: Ann\nBetreff: AW: Export",
    "De : Acme Support\nEnvoyé : mardi 4 juin 2024 10:12\nÀ : Ann\nObjet : RE: Export",
    "De: Acme\nEnviado el: martes, 4 de junio de 2024 10:12\nPara: Ann\nAsunto: RE: Exportación",
    "De: Acme\nEnviada em: terça-feira, 4 de junho de 2024 10:12\nPara: Ann\nAssunto: RES: Exportar",
    "Da: Acme\nInviato: martedì 4 giugno 2024 10:12\nA: Ann\nOggetto: R: Esportazione",
    "Van: Acme\nVerzonden: dinsdag 4 juni 2024 10:12\nAan: Ann\nOnderwerp: RE: Export",
    "差出人: Acme\n送信日時: 2024年6月4日 10:12\n宛先: Ann\n件名: RE: エクスポート",
    "-----Original Message-----\nFrom: Acme",
    "-----Ursprüngliche Nachricht-----\nVon: Acme",
    "________________________________\nFrom: Acme\nSent: 4 June 2024\nTo: Ann <ann@x.example>; Bob\n <b@x.example>"
    "\nSubject: Export",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_header_blocks_in_many_languages(block: str) -> None:
    assert clean_message(f"{NEWEST}\n\n{block}\n\n{OLDER}\n", html=False) == NEWEST


def test_every_header_word_is_written_as_it_is_looked_up() -> None:
    assert all(word == word.strip().lower() for words in HEADER_WORDS.values() for word in words.split("|"))


def test_answers_between_and_below_quotes_stay() -> None:
    intro = INTROS[0]
    text = f"Hello,\n\n{intro}\n> Which version?\n\n4.2\n\n> Which browser?\n\nFirefox\n\n> Bye\n"
    assert clean_message(text, html=False) == "Hello,\n\n4.2\n\nFirefox"
    assert clean_message(f"{intro}\n> {OLDER}\n\n{NEWEST}", html=False) == NEWEST


def test_a_short_quoted_question_without_header_explains_its_answer() -> None:
    assert strip_quotes("> Which version?\n4.2\n> Which browser?\nFirefox").count(">") == 2


@pytest.mark.parametrize(
    "text",
    [
        "On the form I wrote:\nmy name and my address, and it was refused.",
        "On 3 March 2024 I wrote:\nplease cancel. Nobody answered.",
        "Am 3.3.2024 schrieb ich Ihnen:\nbitte kündigen. Keine Antwort.",
        "Our meeting is at 10:30:\nplease call before.",
        "From: Berlin\nTo: Hamburg\nwe need a quote for two parcels.",
        "New enquiry\nFrom: Ann\nDate: 2024-06-04\nSubject: Refund\nMessage: where is my money?",
        "Steps:\n1. open\n2. click --- nothing\n----------\nThe log says 12:30: error",
        "Please call\nfrom: 9:00\nto: 10:00\nsubject: the contract",
        "Please change it\nfrom: monthly\nto: yearly\nfor account 12.",
    ],
)
def test_prose_that_looks_like_a_header_is_kept(text: str) -> None:
    assert clean_message(text, html=False) == text


def test_a_mail_of_nothing_but_quotes_is_kept_whole() -> None:
    text = f"{INTROS[0]}\n> {OLDER}"
    assert clean_message(text, html=False) == text
    html = f'<blockquote type="cite"><p>{OLDER}</p></blockquote>'
    assert clean_message(html, html=True) == OLDER


FORWARDS = [
    "---------- Forwarded message ---------\nFrom: Bob <bob@x.example>\nDate: 4 Jun 2024\nSubject: Broken\nTo: Ann",
    "-------- Weitergeleitete Nachricht --------\nBetreff: Kaputt\nVon: Bob",
    "Begin forwarded message:\n\n> From: Bob\n> Subject: Broken\n>",
    "---------- Message transféré ---------\nDe : Bob",
    "---------- Mensaje reenviado ----------\nDe: Bob",
    "-------- Messaggio inoltrato --------\nOggetto: Rotto",
    "---------- 転送メッセージ ----------\n差出人: Bob",
]


@pytest.mark.parametrize("header", FORWARDS)
@pytest.mark.parametrize("above", ["FYI\n\n", "", "Please handle this for our customer.\n\n-- \nAnn\nAcme\n\n"])
def test_forwarded_mail_is_content(header: str, above: str) -> None:
    text = clean_message(f"{above}{header}\n\nMy router is broken.\n", html=False)
    assert "My router is broken." in text
    assert above.split("\n")[0] in text
    assert "Acme" not in text


def test_a_bare_header_block_below_see_below_is_a_forward() -> None:
    for above in ("FYI", "Bitte siehe unten.", "Voir ci-dessous, merci", "Ver más abajo"):
        assert OLDER in clean_message(f"{above}\n\n{BLOCKS[0]}\n\n{OLDER}", html=False)
    assert OLDER not in clean_message(f"Yes, thank you.\n\n{BLOCKS[0]}\n\n{OLDER}", html=False)
    assert OLDER in clean_message(f"Can you look?\n\n{BLOCKS[0]}\n\n{OLDER}", html=False, forwarded=True)


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Tue, 4 Jun 2024 Acme &lt;<a>h@a.example</a>&gt; '
        'wrote:<br></div><blockquote class="gmail_quote">OLD</blockquote></div>',
        '<div class="moz-cite-prefix">On 04.06.24 10:12, Acme wrote:<br></div><blockquote type="cite">OLD</blockquote>',
        '<div class="gmail_quote"><div class="gmail_attr">Sa 4.6. Acme kirjoitti näin</div>'
        '<blockquote class="gmail_quote">OLD</blockquote></div>',
        '<hr><div id="divRplyFwdMsg"><b>Feladó:</b> Acme<br><b>Dátum:</b> 2024<br></div><div>OLD</div>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Acme<br><b>Sent:</b> Tue<br><b>To:</b>'
        " Ann<br><b>Subject:</b> RE: x</p></div><p>OLD</p>",
        '<div class="yahoo_quoted"><div>On Tue, Acme wrote:</div><div>OLD</div></div>',
        "<p>2024年6月4日(火) 10:12 Acme &lt;h@a.example&gt;:</p><blockquote>OLD</blockquote>",
        "<div>##- Please type your reply above this line -##</div><p>OLD</p>",
    ],
)
def test_quotes_of_html_mail(quote: str) -> None:
    assert clean_message(f"<div>{NEWEST}</div><br>{quote}", html=True) == NEWEST
    assert "OLD" in html_to_text(quote)


def test_html_answers_between_quotes_stay() -> None:
    html = (
        '<div>Hello</div><div class="gmail_quote"><div class="gmail_attr">On 4 Jun 2024 A &lt;a@b.de&gt; wrote:</div>'
        '<blockquote class="gmail_quote">Version?</blockquote><div>4.2</div>'
        '<blockquote class="gmail_quote">Browser?</blockquote><div>Firefox</div></div>'
    )
    assert clean_message(html, html=True) == "Hello\n\n4.2\n\nFirefox"
    assert QUOTE_MARK == "&gt;"
    assert html_to_marked_text(html).count(">") == 3


def test_html_forward_and_customers_own_blockquote_stay() -> None:
    header = "---------- Forwarded message ---------<br>From: Bob"
    forward = f'<div class="gmail_quote"><div class="gmail_attr">{header}</div>It broke.</div>'
    assert "It broke." in clean_message(f"<div>FYI</div>{forward}", html=True)
    apple = '<blockquote type="cite"><div>Begin forwarded message:</div><div>From: Bob</div>It broke.</blockquote>'
    assert "It broke." in clean_message(f"<div>FYI</div>{apple}", html=True)
    own = "<p>It says:</p><blockquote>Error 42</blockquote><p>Why?</p>"
    assert clean_message(own, html=True) == "It says:\n\nError 42\n\nWhy?"


def test_signatures_marked_by_the_mail_program_go() -> None:
    html = f'<p>{NEWEST}</p><div class="gmail_signature">Ann<br>Acme</div>'
    assert clean_message(html, html=True) == NEWEST
    assert "Acme" in html_to_text(html)


# --- signatures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tail",
    [
        "-- \nAnn Smith\nHead of Sales\n+44 20 1234 5678",
        "--\nAnn Smith",
        "Sent from my iPhone",
        "Sent from my Verizon, Samsung Galaxy smartphone".replace(",", ""),
        "Sent from Mail for Windows",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Von meinem iPhone gesendet",
        "Gesendet mit der GMX Mail App",
        "Envoyé de mon iPhone",
        "Enviado desde mi Samsung",
        "Enviado do meu iPhone",
        "Inviato da iPhone",
        "Verstuurd vanaf mijn iPhone",
        "iPhoneから送信",
        "Kind regards,\nAnn Smith\nAcme Ltd | www.acme.example | +44 20 1234 5678",
        "Best,\nAnn",
        "Thanks,\nAnn",
        "Thank you!\n\nAnn",
        "Mit freundlichen Grüßen\n\nAnna Schmidt\nEinkauf\n\nAcme GmbH\nHauptstraße 1\n10115 Berlin\nTel. 030 123456",
        "Mit besten Grüßen aus Berlin\nAnna",
        "MfG\nA. Schmidt",
        "Viele Grüße, Anna",
        "LG Anna",
        "Vielen Dank im Voraus\nAnna",
        "Cordialement,\nAnne Martin",
        "Bien à vous,\nAnne",
        "Merci d'avance,\nAnne",
        "Je vous prie d'agréer, Madame, l'expression de mes salutations distinguées.\nAnne Martin",
        "Saludos cordiales,\nAna",
        "Muchas gracias",
        "Atenciosamente,\nAna Souza",
        "Obrigada!\nAna",
        "Cordiali saluti\nAnna Rossi",
        "Grazie mille,\nAnna",
        "Met vriendelijke groet,\nAnna de Vries",
        "Alvast bedankt,\nAnna",
        "Med vänliga hälsningar\nAnna",
        "Pozdrawiam\nAnna",
        "С уважением,\nАнна",
        "以上、よろしくお願いいたします。\n山田",
        "よろしくお願いします",
        "/Anna",
        "-Anna Berg",
        "Regards,\nAnn\n\nSent from my iPad",
        "Regards,\nAnn\n\nCONFIDENTIALITY NOTICE: This e-mail and any attachments are confidential and intended solely "
        "for the named recipient. Unauthorised disclosure is prohibited.",
        "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Empfänger sind, informieren Sie "
        "bitte sofort den Absender und vernichten Sie diese E-Mail.",
        "Ce message et ses pièces jointes sont confidentiels et destinés à leurs seuls destinataires. Toute diffusion "
        "non autorisée est interdite, merci de le détruire.",
        "Please consider the environment before printing this email.",
        "This email has been scanned for viruses and malware.",
        "_______________________________________________\nusers mailing list\nhttps://lists.example/",
        "—\nYou are receiving this because you commented.\nReply to this email directly or view it on GitHub",
    ],
)
def test_what_programs_and_manners_add_at_the_end_goes(tail: str) -> None:
    assert clean_message(f"Hello,\n\n{NEWEST}\n\n{tail}\n", html=False) == f"Hello,\n\n{NEWEST}"


@pytest.mark.parametrize(
    "text",
    [
        "Thanks,\nAnn",
        "Thank you for the quick answer.\n\nIt works now.",
        "Hi,\nThanks\n\nBut it doesn't work on my phone.",
        "Problem one is the login.\n--\nProblem two: can you also refund me?",
        "Sent from my desk, where the phone does not work.",
        "The mail I got was\nsent from my iPhone\nand never arrived.",
        "I sent this message to the wrong recipient. It is confidential, please delete it before they see it.",
        "Hello,\n\nIs this message confidential, and is the intended recipient of the disclosure form us?",
        "Hello,\n\nthe list says\n\nBestseller\nKreditkarte\nbest seller",
        "My log:\n\n>>> import app\n> Error 42\n> at line 7",
        "Hello,\n\nit stops.\n\nThanks\n\nbrowser.cache.disk\nFirefox 65",
        "The steps:\n- Open\n- Close\n- Crash",
        "These do not work:\n\n/admin\n/users",
        "List:\n\n-- first\n-- second",
    ],
)
def test_content_that_looks_like_a_signature_is_kept(text: str) -> None:
    assert clean_message(text, html=False) == text


def test_a_line_that_says_something_below_a_closing_is_kept() -> None:
    text = f"{NEWEST}\n\nKind regards,\nAnn\nAcme Ltd\n\nPS: does it work on a Mac?"
    assert strip_signature(text) == f"{NEWEST}\n\nPS: does it work on a Mac?"
    numbered = f"{NEWEST}\n\nMit freundlichen Grüßen\nAnna\nKundennummer: 4711"
    assert signature(numbered) == f"{NEWEST}\n\nKundennummer: 4711"


def test_a_warning_banner_above_the_text_goes() -> None:
    banner = "CAUTION: This email originated from outside of the company. Do not click links or open attachments."
    assert clean_message(f"{banner}\n\n{NEWEST}", html=False) == NEWEST


# --- one message ----------------------------------------------------------------------------------------------------


def test_a_long_message_keeps_start_and_end() -> None:
    text = clean_message("First words.\n" + "log line 12\n" * 10_000 + "Why?", html=False)
    assert len(text) <= MAX_MESSAGE
    assert text.startswith("First words.")
    assert text.endswith("Why?")


HOSTILE = {
    "nested": ("<div>" * 20_000 + "x" + "</div>" * 20_000, True),
    "nested with attributes": ("<div class=x>" * 80_000, True),
    "nested, hidden from counting": ('<div x="<">' * 90_000 + "x", True),
    "unclosed formatting": ("".join(f"<b x={i}>" for i in range(60_000)) + "<p>x" * 60_000, True),
    "wide table": ("<table>" + "<tr><td>x" * 15_000 + "<tr><td>" + "A" * 60_000, True),
    "margins": ("<p style='margin-top:99999em'>x" * 30_000, True),
    "forward in quotes": ("<blockquote type=cite>---- Forwarded message" * 20_000, True),
    "comments": ("<!--" * 250_000, True),
    "brackets": ("<" * 1_000_000, True),
    "quote lines": (">\n" * 100_000, False),
    "quotes and answers": ("> a\nb\n" * 160_000, False),
    "one line": ("a" * 1_000_000, False),
    "spaces": (" " * 1_000_000, False),
    "empty lines": ("\n" * 1_000_000, False),
    "date and brackets": ("2020/01/01 " + " <" * 200_000 + "@" * 200_000, False),
    "dates and brackets": (("2020/01/01 " + " <@" * 2 + "\n") * 60_000, False),
    "half reply headers": ("On 2020 10:00 a@b wrote\n" * 40_000, False),
    "mail headers": ("From: x\n" * 125_000, False),
    "header and text": ("To: x\nx\n" * 100_000, False),
    "rules": (("-" * 290 + "a\n") * 3_400, False),
    "reply above": (("--reply above" * 20 + "\n") * 4_000, False),
    "closings": ("regards\n" * 120_000, False),
    "paragraphs": ("this message confidential\n\n" * 40_000, False),
    "addresses": ("a@" * 500_000, False),
    "surrogates": ("\ud800" * 1_000_000, False),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_takes_under_a_second(name: str) -> None:
    body, html = HOSTILE[name]
    started = time.process_time()
    text = clean_message(body, html)
    is_automatic(body[:1_000], text, body[:1_000])
    is_automatic("Re: x", body, "a@b.example")
    assert time.process_time() - started < 2
    assert len(text) <= MAX_MESSAGE


PIECES = st.sampled_from(
    [*INTROS, *BLOCKS, *FORWARDS, "> quoted", "-- ", "--", "Kind regards", "Thanks", "##- x -##", "<div>", "</div>",
     "<blockquote type=cite>", "<p style='font-size:", "hidden", "\n", "\n\n", "\x00", "\ud800", "\u202e", "אבג", "🙂"]
)  # fmt: skip
ANYTHING = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=()), max_size=400),
    st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=30).map("".join),
    st.lists(PIECES, max_size=12).map("\n".join),
)


@settings(max_examples=300, deadline=None)
@given(ANYTHING, st.booleans())
def test_nothing_raises_and_everything_can_be_stored(body: str, html: bool) -> None:
    for text in (clean_message(body, html), html_to_text(body), strip_quotes(body), strip_signature(body)):
        text.encode("utf-8")
        assert "\x00" not in text
    assert isinstance(is_automatic(body, body, body), bool)
    clean_ticket(Ticket("acme", "1", subject=body, messages=(Message("1", Author.CUSTOMER, body, html=html),)))


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_a_mail_that_says_something_is_never_cleaned_to_nothing(body: str) -> None:
    if any(character.isalnum() for character in clean._printable(body)):
        assert clean_message(body, html=False)


# --- automatic mail -------------------------------------------------------------------------------------------------

AUTOMATIC = [
    ("Automatic reply: Your ticket", "I am out of the office until Monday. For urgent matters contact Bob.", ""),
    ("Out of Office: Re: Export", "I'm currently away with limited access to e-mail and will reply on 3 June.", ""),
    ("Abwesenheitsnotiz", "Ich bin bis zum 3. Juni nicht im Büro. In dringenden Fällen wenden Sie sich an Bob.", ""),
    ("Automatische Antwort: Ihr Ticket", "Ihre Nachricht wird nicht weitergeleitet.", ""),
    ("Réponse automatique : Votre demande", "Je suis actuellement absente, de retour le 3 juin.", ""),
    ("Respuesta automática: Su solicitud", "Estoy fuera de la oficina hasta el lunes.", ""),
    ("Resposta automática: Pedido", "Estarei de férias até segunda.", ""),
    ("Risposta automatica: Richiesta", "Sono fuori ufficio fino a lunedì.", ""),
    ("Automatisch antwoord: Uw vraag", "Ik ben afwezig tot maandag.", ""),
    ("自動返信: お問い合わせ", "不在にしております。月曜日に返信いたします。", ""),
    ("Re: Your ticket", "Thank you for your email. I am on annual leave and will be back on Monday.", "ann@x.example"),
    (
        "Undelivered Mail Returned to Sender",
        "The following address failed: 550 5.1.1 user unknown",
        "MAILER-DAEMON@x.example",
    ),
    (
        "Undeliverable: Re: Export",
        "Your message couldn't be delivered. Diagnostic-Code: smtp; 550",
        "postmaster@x.example",
    ),
    ("Unzustellbar: AW: Export", "Die Nachricht konnte nicht zugestellt werden.", "postmaster@x.example"),
    ("Your invoice", "This is an automatically generated message. Please do not reply.", "no-reply@shop.example"),
    ("Ihre Bestellung", "Bitte antworten Sie nicht auf diese E-Mail.", "noreply@shop.example"),
    (
        "June news",
        "Big sale! View in browser. You are receiving this because you subscribed. Unsubscribe.",
        "hi@shop.example",
    ),
    (
        "Angebote im Juni",
        "Im Browser ansehen. Sie erhalten diese Mail als Kunde. Newsletter abmelden.",
        "news@shop.example",
    ),
]


@pytest.mark.parametrize(("subject", "body", "sender"), AUTOMATIC, ids=[row[0] for row in AUTOMATIC])
def test_machine_mail_is_recognized(subject: str, body: str, sender: str) -> None:
    assert automatic(subject, body, sender)


BY_PEOPLE = [
    (
        "Out of office reply is not sent",
        "How do I set an out of office message? Mine says 'I am away'.",
        "ann@x.example",
    ),
    ("Automatic reply stops working", "Since Monday no automatic reply is sent to our customers.", "ann@x.example"),
    ("Out of office", "I want to set up an auto reply, where is the setting?", "ann@x.example"),
    ("Abwesenheitsnotiz funktioniert nicht", "Ich möchte eine Abwesenheitsnotiz einrichten.", "anna@x.example"),
    ("Invoice 12", "I am out of office next week, please call me on Monday about the invoice.", "ann@x.example"),
    ("Re: Export", "I will be away on Friday. Can you fix it before? It is urgent.", "ann@x.example"),
    ("Delivery failure", "My parcel was not delivered, where is it?", "ann@x.example"),
    ("Delivery failed again", "Our customers get 550 5.7.1 when we send invoices. Help me please.", "ann@x.example"),
    (
        "Fwd: Undelivered Mail Returned to Sender",
        "Why do I get this?\n---------- Forwarded message ---------\n550 5.1.1",
        "a@x.example",
    ),
    (
        "Unsubscribe me",
        "Please unsubscribe me.\n\nView in browser. You are receiving this. Privacy policy",
        "ann@x.example",
    ),
    ("Website", "New message from the contact form: my order is broken. Please do not reply.", "noreply@shop.example"),
    ("Login", "I cannot log in.", "noreply@customer.example"),
    ("Newsletter", "How do customers unsubscribe from our newsletter?", "news@shop.example"),
    ("", "", ""),
]


@pytest.mark.parametrize(("subject", "body", "sender"), BY_PEOPLE, ids=[row[0] for row in BY_PEOPLE])
def test_people_are_never_taken_for_machines(subject: str, body: str, sender: str) -> None:
    assert not automatic(subject, body, sender)
    assert automatic(subject, body, sender, flagged=True)


# --- a whole ticket -------------------------------------------------------------------------------------------------


def message(author: Author, body: str, **more: object) -> Message:
    return Message("1", author, body, **more)  # type: ignore[arg-type]


def test_a_conversation_in_order_with_only_public_customer_words() -> None:
    when = datetime(2026, 6, 4, 10, 12, tzinfo=UTC)
    ticket = Ticket(
        "acme",
        "1",
        subject="  Export \n stops\x00 ",
        messages=(
            message(
                Author.CUSTOMER,
                "<p>The CSV export stops at 90 %.</p><p>Kind regards<br>Ann</p>",
                html=True,
                created_at=when,
            ),
            message(Author.AGENT, "Which browser do you use?"),
            message(Author.AGENT, "Looks like the old bug.", public=False),
            message(
                Author.CUSTOMER,
                f"Firefox.\n\nThe CSV export stops at 90 %.\n\n{INTROS[0]}\n> Which browser do you use?",
            ),
        ),
    )
    result = clean_ticket(ticket)
    assert result.subject == "Export stops"
    assert [m.text for m in result.messages][:3] == [
        "The CSV export stops at 90 %.",
        "Which browser do you use?",
        "Looks like the old bug.",
    ]
    assert (result.messages[0].author, result.messages[0].created_at, result.messages[2].public) == (
        Author.CUSTOMER,
        when,
        False,
    )
    assert result.latest == "Firefox.\n\nThe CSV export stops at 90 %."
    assert result.text == "The CSV export stops at 90 %.\n\nFirefox."
    assert (result.language, result.automatic) == ("en", False)


def test_an_absence_note_below_a_question_does_not_hide_it() -> None:
    note = "I am out of the office until Monday and will reply when I am back."
    ticket = Ticket(
        "acme",
        "1",
        subject="Re: Refund",
        messages=(message(Author.CUSTOMER, "Where is my refund?"), message(Author.CUSTOMER, note)),
    )
    result = clean_ticket(ticket)
    assert (result.latest, result.text, result.automatic) == ("Where is my refund?", "Where is my refund?", False)
    alone = clean_ticket(
        Ticket("acme", "2", subject="Automatic reply: Refund", messages=(message(Author.CUSTOMER, note),))
    )
    assert (alone.latest, alone.automatic) == (note, True)


def test_the_senders_address_and_the_helpdesks_mark_count() -> None:
    body = "Your monthly report is ready. Please do not reply."
    robot = Requester("7", email="no-reply@shop.example")
    assert clean_ticket(
        Ticket("acme", "1", requester=robot, messages=(message(Author.CUSTOMER, body, author_id="7"),))
    ).automatic
    assert not clean_ticket(
        Ticket("acme", "1", requester=robot, messages=(message(Author.CUSTOMER, body, author_id="8"),))
    ).automatic
    assert clean_ticket(Ticket("acme", "1", messages=(message(Author.CUSTOMER, "Hello?", automatic=True),))).automatic


def test_a_forward_prefix_keeps_the_quoted_mail_of_the_first_message_only() -> None:
    quoted = f"Can you take over?\n\n{BLOCKS[0]}\n\n{OLDER}"
    bodies = (message(Author.CUSTOMER, quoted), message(Author.CUSTOMER, quoted.replace("take over", "answer")))
    for subject in ("Fwd: Export", "WG: Export", "TR : Export", "RV: Export", "転送: x"):
        result = clean_ticket(Ticket("acme", "1", subject=subject, messages=bodies))
        assert OLDER in result.messages[0].text
        assert result.latest == "Can you answer?"


def test_a_ticket_without_words_is_no_error() -> None:
    result = clean_ticket(Ticket("acme", "1"))
    assert (result.latest, result.text, result.messages, result.language, result.automatic) == (
        "",
        "",
        (),
        "und",
        False,
    )


def test_a_short_text_takes_its_language_from_the_subject_too() -> None:
    ticket = Ticket(
        "acme", "1", subject="Die Rechnung wurde doppelt abgebucht", messages=(message(Author.CUSTOMER, "Hilfe"),)
    )
    assert clean_ticket(ticket).language == "de"


def test_all_words_together_are_limited() -> None:
    bodies = tuple(message(Author.CUSTOMER, f"{i} " + f"word{i} " * 3_000) for i in range(10))
    assert len(clean_ticket(Ticket("acme", "1", messages=bodies)).text) <= MAX_TEXT


def test_a_forward_line_needs_its_dashes() -> None:
    assert is_forward_line("---------- Forwarded message ---------")
    assert not is_forward_line("I got a forwarded message")
