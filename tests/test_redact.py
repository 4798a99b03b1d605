"""Redaction: what is found in five languages and more, what is left alone, and that it comes back."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import redact
from triage.errors import ModelError
from triage.redact import SHOWN, Masks, RedactionError, find
from triage.redact_contacts import CHECKED_AT_MOST, find_emails, find_ips, find_phones
from triage.redact_given import GIVEN
from triage.redact_ids import find_ids
from triage.redact_names import find_names, gather_names
from triage.redact_numbers import find_cards, find_ibans, is_card
from triage.redact_plain import plain
from triage.redact_secrets import entropy, find_secrets, find_urls
from triage.redact_spans import KINDS, Span
from triage.redact_words import NO_NAMES, ORDINARY, TALK


def seen(spans: object, text: str) -> list[str]:
    return [text[span.start : span.end] for span in spans]  # type: ignore[attr-defined]


def found(text: str, kind: str) -> list[str]:
    return [text[span.start : span.end] for span in find(text) if span.kind == kind]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Write to anna.b+x@mail.example.co.uk, please", "EMAIL", "anna.b+x@mail.example.co.uk"),
        ("<john@x.com>", "EMAIL", "john@x.com"),
        ("reach me: jo [at] acme [dot] com", "EMAIL", "jo [at] acme [dot] com"),
        ("müller@käse.de schreibt", "EMAIL", "müller@käse.de"),
        ("Card 4111 1111 1111 1111, thanks", "CARD", "4111 1111 1111 1111"),
        ("amex 378282246310005", "CARD", "378282246310005"),
        ("order 77 and 5500-0000-0000-0004", "CARD", "5500-0000-0000-0004"),
        ("IBAN DE89 3704 0044 0532 0130 00 danke", "IBAN", "DE89 3704 0044 0532 0130 00"),
        ("gb82west12345698765432", "IBAN", "gb82west12345698765432"),
        ("SSN: 460-89-9847", "ID", "460-89-9847"),
        ("ssn 460899847.", "ID", "460899847"),
        ("NI number AB 12 34 56 C", "ID", "AB 12 34 56 C"),
        ("Steuer-ID 86 095 742 719", "ID", "86 095 742 719"),
        ("NIR 2 55 08 14 168 025 38", "ID", "2 55 08 14 168 025 38"),
        ("mi DNI es 12345678Z", "ID", "12345678Z"),
        ("NIE X1234567L", "ID", "X1234567L"),
        ("CPF 529.982.247-25", "ID", "529.982.247-25"),
        ("codice RSSMRA85T10A562S qui", "ID", "RSSMRA85T10A562S"),
        ("AHV 756.9217.0769.85", "ID", "756.9217.0769.85"),
        ("My passport number is C01X00T47", "ID", "C01X00T47"),
        ("from 41.173.96.26 today", "IP", "41.173.96.26"),
        ("2001:db8::ff00:42:8329 is blocked", "IP", "2001:db8::ff00:42:8329"),
        ("Call +49 30 901820.", "PHONE", "+49 30 901820"),
        ("or (415) 555-2671 then", "PHONE", "(415) 555-2671"),
        ("Rufnummer: 0151 23456789", "PHONE", "0151 23456789"),
        ("appelez le 01 84 17 61 18", "PHONE", "01 84 17 61 18"),
        ("mi móvil es 612345678", "PHONE", "612345678"),
        ("meu celular (11) 91234-5678", "PHONE", "(11) 91234-5678"),
        ("key sk_live_4eC39HqLyjWDarjtT1zdp7dc leaked", "SECRET", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
        ("AKIAIOSFODNN7EXAMPLE", "SECRET", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abc.def-123456789", "SECRET", "abc.def-123456789"),
        ("password: hunter", "SECRET", "hunter"),
        ("my password is Sunny-Day9!", "SECRET", "Sunny-Day9"),
        ("Das Passwort ist Sonnenschein.", "SECRET", "Sonnenschein"),
        ("mot de passe : soleil", "SECRET", "soleil"),
        ("la contraseña es girasol7", "SECRET", "girasol7"),
        ('{"api_key": "0123456789abcdef"}', "SECRET", "0123456789abcdef"),
        ("PIN 4821", "SECRET", "4821"),
        ("pass: hunter2", "SECRET", "hunter2"),
        ("login bob, pass: sunshine", "SECRET", "sunshine"),
        ("sshpass -p hunter ssh web1", "SECRET", "hunter"),
        ("mysql -u root -phunter shop", "SECRET", "hunter"),
        ("curl -u bob:hunter https://x.example", "SECRET", "bob:hunter"),
        ("<password>sunny day</password>", "SECRET", "sunny day"),
        ("AccountName=a;AccountKey=qrstuv==", "SECRET", "qrstuv=="),
        ("Authorization: Bearer qwertyuiop", "SECRET", "qwertyuiop"),
        ("we send Bearer qwertyuiopasdfghjklzxcvb", "SECRET", "qwertyuiopasdfghjklzxcvb"),
        ("it uses the key 0123456789abcdef0123456789abcdef", "SECRET", "0123456789abcdef0123456789abcdef"),
        ("mongodb://app:p@ss@db.example/x", "URL", "app:p@ss"),
        ("redis://:hunter2@cache:6379", "URL", ":hunter2"),
        ("amqps://u:p@mq.example", "URL", "u:p"),
        ("https://x.example/reset?t=0123456789abcdef0123", "URL", "0123456789abcdef0123"),
        ("https://x.example/reset/0123456789abcdef0123456789abcdef", "URL", "0123456789abcdef0123456789abcdef"),
        ("4111.1111.1111.1111", "CARD", "4111.1111.1111.1111"),
        ("4111\u202f1111\u20111111\u00a01111", "CARD", "4111\u202f1111\u20111111\u00a01111"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "CARD", "٤١١١ ١١١١ ١١١١ ١١١١"),
        ("order 4111 1111 1111 1111", "CARD", "4111 1111 1111 1111"),
        (
            "DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00",
            "IBAN",
            "DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00",
        ),
        ("IBAN DE89 3704 0044\n0532 0130 00", "IBAN", "DE89 3704 0044\n0532 0130 00"),
        ("bob＠mail．example.com", "EMAIL", "bob＠mail．example.com"),
        ("order +49 30 901820", "PHONE", "+49 30 901820"),
        ("in any case 0301234567 reaches me; in case: (415) 555-2671", "PHONE", "(415) 555-2671"),
        ("sent Zx9Kq2LmPw7RtYv4BnHs8JdFgCe5AuQ1 to you", "SECRET", "Zx9Kq2LmPw7RtYv4BnHs8JdFgCe5AuQ1"),
        ("https://bob:hunter2@host.example/x", "URL", "bob:hunter2"),
        ("https://x.example/reset?token=abcdef&lang=de", "URL", "abcdef"),
        ("https://x.example/i/Zx9Kq2LmPw7RtYv4BnHs8Jd", "URL", "Zx9Kq2LmPw7RtYv4BnHs8Jd"),
        ("Hi Zebediah,\nit is broken", "NAME", "Zebediah"),
        ("hi zebediah,", "NAME", "zebediah"),
        ("Sehr geehrter Herr Dr. Quandt,", "NAME", "Quandt"),
        ("Broken.\n\nBest regards,\nZebediah Q. van der Quux", "NAME", "Zebediah Q. van der Quux"),
        ("Danke!\nViele Grüße\nZebediah", "NAME", "Zebediah"),
        ("Thanks, Quux", "NAME", "Quux"),
        ("my name is Zebediah Quux and", "NAME", "Zebediah Quux"),
        ("Je m'appelle Zébulon Quux.", "NAME", "Zébulon Quux"),
        ("me llamo Quixote", "NAME", "Quixote"),
        ("This is Quentus Quux from Acme", "NAME", "Quentus Quux"),
        ("I talked to Mrs. Quux today", "NAME", "Quux"),
        ("when Michael Quux from sales left", "NAME", "Michael Quux"),
    ],
)
def test_private_data_is_found(text: str, kind: str, expected: str) -> None:
    assert expected in found(text, kind)


@pytest.mark.parametrize(
    "text",
    [
        "Order 4711-0815-22 of 2024-11-22 10:30:00 came to 1.200.300,50 EUR",
        "version 10.0.19.1, build 1.2.3.4, v2.0.0.1 and 127.0.0.1",
        "invoice 1234567890123456, ticket 20241122, part AB123456",
        "12:30:45 in std::cout, see http://example.com/docs/page-2024.html",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 broke it",
        "https://git.example/shop/commit/?id=9fceb02d0ae598e95dc970b74767f19372d61af8",
        "the token test broke with commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "Pass: 120/130, all tests pass: yes; bearer authentication is required, basic subscription",
        "order 0301234567, ticket 123-456-7890, sku 049-99-1234, case 943 476 5919, ref 12345678Z",
        "order no. 0301234567; invoice #0301234567; order number: 4111111111111111",
        "Auftragsnummer 0301234567, Rechnungs-Nr.: 0301234567, numéro de commande 0184176118",
        "nº de pedido: 0301234567, factura n° 0184176118, referência 12345678Z",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "My password is wrong and the password reset link does not arrive.",
        "password manager, token expired, the API key is missing; Passwort vergessen. La contraseña no funciona.",
        "Hello team, hi there, dear support, Hallo zusammen, Bonjour à tous,\nHola equipo,",
        "I am Very Happy. Will you mark the page? This is great news. It is my first case.",
        "Thanks in advance,\nBest regards",
        "The Export of the Annual Report fails in Firefox on Windows.",
        "[INFO] user_id=17 page=2 size=1000",
        "Sehr geehrtes Support-Team, Hello World!\nPrezado Atendimento ao Cliente,\nGuten Tag IT-Service-Support,",
        "cudnn==8.6.0.163 with nginx/1.13.6.2 gives 0.639648 and [ 0.85893923, 4 ]",
        "PWD=/proc/self/cwd, token: ${TOKEN}, password: ******** and DXVA2_ModeH264_VLD_Stereo_Progressive_NoFGT",
        "https://shop.example/Used/Vintage-Reissue-1959-Bassman-LTD-4x10-Tube-Amp multiplied by 46283860790870",
        'Pin "other" bookmarks',
        "We need 10 000 000 rows and 3.141592653 of them",
        "",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert [(span.kind, text[span.start : span.end]) for span in find(text)] == []


def test_same_words_get_the_same_placeholder_in_all_texts() -> None:
    masks = Masks()
    first, second = masks.mask_all(["a@x.com and b@x.com", "b@x.com wrote to a@x.com"])
    assert first == "[EMAIL_1] and [EMAIL_2]"
    assert second == "[EMAIL_2] wrote to [EMAIL_1]"


def test_names_are_masked_wherever_they_stand() -> None:
    masks = Masks(["Zebediah O'Quux"])
    subject, body = masks.mask_all(["Quillan is locked out", "Hi,\nmy colleague Quillan Quasar and zebediah.\nO'Quux"])
    assert "Quillan" not in subject + body
    assert "ebediah" not in body
    assert "Quux" not in body
    # A known name that is a word too keeps its word.
    assert (
        Masks(["Will Grant"]).mask("Will you grant access? Regards, Will")
        == "[NAME_1] you grant access? Regards, [NAME_1]"
    )
    assert Masks(["Billing Team"]).mask("the Billing page") == "the Billing page"


def test_placeholders_of_a_stranger_are_not_ours() -> None:
    masks = Masks()
    masked = masks.mask("mail a@x.com, not [EMAIL_1] or [SECRET_9]")
    assert masked == "mail [EMAIL_1], not [LITERAL_1] or [LITERAL_2]"
    assert masks.restore(masked) == "mail a@x.com, not [EMAIL_1] or [SECRET_9]"
    assert masks.restore("[EMAIL_7] [OTHER_1]") == "[EMAIL_7] [OTHER_1]"


def test_only_names_and_phones_come_back_where_people_read() -> None:
    masks = Masks()
    masked = masks.mask("Dear Anna, password: hunter2, mail a@x.com, call +49 30 901820")
    shown = masks.restore(masked, SHOWN)
    assert "Anna" in shown
    assert "+49 30 901820" in shown
    assert "hunter2" not in shown
    assert "a@x.com" not in shown


@given(
    st.lists(st.one_of(st.text(), st.from_regex(r"[\w.@+: /\[\]-]{0,40}"), st.sampled_from(["Hi Anna,", "[NAME_1]"])))
)
def test_any_text_comes_back(parts: list[str]) -> None:
    masks = Masks(["Anna Blum"])
    texts = [" ".join(parts), *parts]
    assert [masks.restore(masked) for masked in masks.mask_all(texts)] == texts


@given(st.text(alphabet=st.characters(categories=["Nd", "No", "Nl", "Lu", "Cs", "Zs", "Pd"]), max_size=80))
def test_digits_and_signs_of_any_script_come_back(text: str) -> None:
    for told in (text, f"ssn {text}", f"password: {text}"):
        masks = Masks([text])
        assert masks.restore(masks.mask_all([told])[0]) == told


@pytest.mark.parametrize(
    ("form", "example"),
    [(find_ids, "RSSMRA85M10A562S"), (find_ids, "12345678Z"), (find_ids, "2 55 08 14 168 025 38"),
     (find_cards, "4111 1111 1111 1111"), (find_ibans, "DE89 3704 0044 0532 0130 00")],
)  # fmt: skip
def test_a_finder_alone_takes_digits_of_any_script(form: Callable[[str], Iterator[Span]], example: str) -> None:
    for zero in (0x660, 0x966, 0xFF10, 0x1D7CE):
        text = "".join(chr(zero + int(sign)) if sign.isdigit() else sign for sign in example)
        half = example[: len(example) // 2] + text[len(example) // 2 :]
        assert seen(form(half), half) in ([], [half])
        assert len(plain(text)) == len(text)
        assert plain(text).replace("\u00a0", " ") == example


def test_where_masking_fails_nothing_goes_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(text: str) -> Iterator[Span]:
        raise KeyError(text)

    monkeypatch.setattr(redact, "_FINDERS", (broken,))
    with pytest.raises(ModelError, match=r"could not be masked \(KeyError\)"):
        Masks().mask("my secret")
    with pytest.raises(RedactionError):
        Masks().mask_all(["my secret"])
    assert "redaction failed (KeyError)" in caplog.text
    assert "my secret" not in caplog.text


@given(st.text(alphabet="0123456789 -.+()aA@:/=[]_\n", max_size=200))
def test_spans_are_inside_sorted_and_apart(text: str) -> None:
    spans = find(text)
    assert all(0 <= span.start < span.end <= len(text) and span.kind in KINDS for span in spans)
    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


@pytest.mark.parametrize(
    "unit",
    ["a", "1 ", "a@", "-", ":", "Hi A B ", "call 1234567 ", "-----BEGIN PRIVATE KEY-----", "password: ", "http://a?b=c&",
     "my name is ", "de la A ", "Best,\n\n", "DE89", "Peter ",
     "mysql ", "curl ", "<token>", "token key ", "aa://a@", "order 123 4567 ",
     "pass: ", "http://a/reset/0a", "bearer ", "٤ "],
)  # fmt: skip
def test_hostile_text_takes_linear_time(unit: str) -> None:
    # Linear: ten times the text may take ten times as long, with some slack, not a hundred times. A busy machine makes
    # also CPU time longer, now and then: what is linear is so once in three.
    times = []
    for _ in range(3):
        times = [_seconds(unit * (size // len(unit))) for size in (20_000, 200_000)]
        if times[1] < 40 * max(times[0], 0.005) and times[1] < 3:
            return
    pytest.fail(f"{times[0]:.3f} s became {times[1]:.3f} s for ten times the text")


def _seconds(text: str) -> float:
    started = time.process_time()
    find(text, ["Peter Pan"])
    return time.process_time() - started


def test_every_number_of_a_flood_is_masked() -> None:
    text = "\n".join(f"555{number:04d}" for number in range(CHECKED_AT_MOST + 50))
    masked = list(find_phones(text))
    assert len(masked) >= 50


def test_finders_alone() -> None:
    assert seen(find_emails("x a@b.io"), "x a@b.io") == ["a@b.io"]
    assert seen(find_ips("8.8.4.4"), "8.8.4.4") == ["8.8.4.4"]
    assert seen(find_ids("12345678A"), "12345678A") == []
    assert not is_card("4111111111111112")
    assert not is_card("0000000000000000")
    assert list(find_cards("4111111111111112")) == []
    assert list(find_ibans("DE89370400440532013001")) == []
    assert gather_names(["my name is Quux"]) == ["Quux"]
    assert Span("NAME", 3, 7) in set(find_names("Hi Quux,", []))
    assert list(find_secrets("tokens are fine")) == []
    assert list(find_urls("http://x.example/a?page=3")) == []
    assert entropy("abab") == 1.0
    assert not GIVEN & NO_NAMES
    assert not GIVEN & ORDINARY
    assert "wrong" in TALK


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Is Hanne I. Kreutz still here?", "Hanne I. Kreutz"),
        ("We met Hedvig Arvidsson there.", "Hedvig Arvidsson"),
        ("Amanda's account is locked.", "Amanda"),
        ("Please add Efimiya, Sandra and Thomas.", "Efimiya"),
        ("Her maiden name is Chmiel.", "Chmiel"),
    ],
)
def test_a_name_is_known_by_its_build_or_its_neighbours(text: str, name: str) -> None:
    assert name not in Masks().mask(text)


@pytest.mark.parametrize(
    "text",
    ["Laut den Allgemeinen Bedingungen", "Settings, Plan, Seats", "Outlook, Teams and Excel", "Unsere Neuen Maschinen"],
)
def test_words_that_only_look_like_names_stay(text: str) -> None:
    assert Masks().mask(text) == text
