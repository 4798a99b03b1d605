"""What the encoder can read: languages, scripts, words."""

from __future__ import annotations

import pytest

from triage.classify.legible import legible
from triage.language import detect_language

READ = [
    "Login broken", "ok", "403 error", "ERR_CONN_REFUSED 0x80070005", "Rechnungsstellung", "HTTPS SSO", "¿Qué?",
    "Schon wieder derselbe Fehler, ich habe wirklich genug davon!", "Źdźbło trawy i wszystko inne, proszę o pomoc",
    "Система не работает, никто не может войти", "لا أستطيع الدخول إلى حسابي", "本番環境が落ちて誰もログインできません",
    "프로덕션이 다운되어 아무도 로그인할 수 없습니다", "ระบบล่ม ไม่มีใครเข้าสู่ระบบได้", "系统坏了,没人能登录",
    "Sistem çalışmıyor, kimse giriş yapamıyor",
    "De productie ligt plat, niemand kan inloggen", "java.lang.NullPointerException at com.acme.Foo.bar(Foo.java:42)",
]  # fmt: skip
NOT_READ = [
    "המערכת נפלה", "Η παραγωγή δεν λειτουργεί", "სისტემა არ მუშაობს", "Produktionen ligger nere, ingen kan logga in",
    "Tuotanto on alhaalla, kukaan ei voi kirjautua sisään", "fghj kkkl wertz uiop dfghjk xcvbnm", "12345 67890",
    "4d5a9000 03000000 04000000", "\ufffd\ufffdPK\ufffd\ufffdab \ufffd\ufffd cd", "",
]  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_words_are_read(text: str) -> None:
    assert legible(text, detect_language(text))


@pytest.mark.parametrize("text", NOT_READ)
def test_noise_and_languages_the_encoder_has_not_seen_are_not(text: str) -> None:
    assert not legible(text, detect_language(text))


def test_the_language_of_a_short_text_is_not_believed() -> None:
    assert legible("Login SSO kaputt", "da")
    assert not legible("Login kaputt, ingen kan komme ind", "da")
