"""Links in notes: what is signed can be read until its last day is over, and nothing else can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer

from triage.links import (
    DAY_SECONDS,
    LONGEST_TOKEN,
    VERDICTS,
    BadLinkError,
    Claim,
    Links,
    OldLinkError,
    read,
    sign,
)
from triage.store.runs import new_reference

KEY = "a-secret-key-for-tests"
NOW = 1_795_000_000.0
TODAY = int(NOW // DAY_SECONDS)
CLAIMS = [Claim("vote", "TDM-ABCDEFGH23", verdict, TODAY + 30) for verdict in VERDICTS]
CLAIMS += [Claim("answer", "TDM-ABCDEFGH23", str(place), TODAY + 30) for place in range(6)]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.kind}-{claim.value}")
def test_what_is_signed_is_read(claim: Claim) -> None:
    token = sign(KEY, claim)
    assert read(KEY, token, NOW) == claim
    # Two lines of them stand in a note.
    assert len(token) < 70


def test_every_reference_can_be_signed() -> None:
    for _ in range(100):
        claim = Claim("vote", new_reference(), "right", TODAY)
        assert read(KEY, sign(KEY, claim), NOW) == claim


def test_the_last_day_counts_whole() -> None:
    token = sign(KEY, Claim("vote", "TDM-ABCDEFGH23", "right", TODAY))
    last_second = (TODAY + 1) * DAY_SECONDS - 1
    assert read(KEY, token, last_second).value == "right"
    with pytest.raises(OldLinkError):
        read(KEY, token, last_second + 1)


def test_a_changed_token_is_refused_at_every_place() -> None:
    token = sign(KEY, CLAIMS[0])
    for place in range(len(token)):
        for other in "vtpA0_-.":
            changed = token[:place] + other + token[place + 1 :]
            if changed != token:
                with pytest.raises(BadLinkError):
                    read(KEY, changed, NOW)


def test_a_cut_token_is_refused() -> None:
    token = sign(KEY, CLAIMS[0])
    for length in range(len(token)):
        with pytest.raises(BadLinkError):
            read(KEY, token[:length], NOW)


def test_another_key_and_another_purpose_are_refused() -> None:
    with pytest.raises(BadLinkError):
        read("another-secret-key-for-tests", sign(KEY, CLAIMS[0]), NOW)
    body = sign(KEY, CLAIMS[0]).rpartition(".")[0]
    for salt in (b"", b"itsdangerous", b"cookie-session"):
        with pytest.raises(BadLinkError):
            read(KEY, Signer(KEY, salt=salt).sign(body.encode()).decode(), NOW)


def test_a_signature_cannot_be_moved_to_another_verdict_or_note() -> None:
    signature = sign(KEY, CLAIMS[0]).rpartition(".")[2]
    other = sign(KEY, Claim("vote", "TDM-ZZZZZZZZZZ", "right", TODAY + 30)).rpartition(".")[0]
    for body in (other, sign(KEY, CLAIMS[1]).rpartition(".")[0]):
        with pytest.raises(BadLinkError):
            read(KEY, f"{body}.{signature}", NOW)


@given(st.text(max_size=LONGEST_TOKEN + 50) | st.just("A" * 10_240) | st.just("." * 10_240))
def test_anything_else_is_refused(token: str) -> None:
    with pytest.raises(BadLinkError):
        read(KEY, token, NOW)


def test_the_links_of_a_note() -> None:
    links = Links("https://tandem.example.com", KEY, 30)
    votes = links.votes("TDM-ABCDEFGH23", NOW, drafted=True)
    assert [link.text for link in votes] == ["Right", "Wrong team", "Wrong priority", "Draft used", "Draft unusable"]
    claims = [read(KEY, link.url.removeprefix("https://tandem.example.com/feedback/"), NOW) for link in votes]
    assert [claim.value for claim in claims] == list(VERDICTS)
    assert {claim.last_day for claim in claims} == {TODAY + 30}
    assert [link.text for link in links.votes("TDM-ABCDEFGH23", NOW, drafted=False)] == list(VERDICTS.values())[:3]
    answers = links.answers("TDM-ABCDEFGH23", ["Yes", "No"], NOW)
    assert [link.text for link in answers] == ["Yes", "No"]
    assert read(KEY, answers[1].url.rpartition("/")[2], NOW).value == "1"
