"""A secret is compared in constant time, and every secret that is listed: the time taken tells nothing of them."""

from __future__ import annotations

import hmac

import pytest

from webhooks import freshdesk, zendesk
from webhooks.base import Call

SECRETS = ["the-old-secret-of-ours", "the-new-secret-of-ours", "another-secret-of-ours"]
NOW = 1_795_000_000.0
STAMP = "2026-11-18T11:06:40Z"


class Comparing:
    """Stands in for `hmac.compare_digest`: counts, and says what it is told to, or the truth."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []
        self.verdict: bool | None = None
        self._real = hmac.compare_digest
        monkeypatch.setattr(hmac, "compare_digest", self)

    def __call__(self, given: bytes, known: bytes) -> bool:
        self.pairs.append((given, known))
        return self._real(given, known) if self.verdict is None else self.verdict


@pytest.fixture
def comparing(monkeypatch: pytest.MonkeyPatch) -> Comparing:
    return Comparing(monkeypatch)


def signed(secret: str) -> Call:
    return Call(b"{}", {zendesk.TIMESTAMP: STAMP, zendesk.SIGNATURE: zendesk.sign(secret, STAMP, b"{}")})


@pytest.mark.parametrize("secret", [*SECRETS, "a-wrong-one"])
def test_a_signature_is_compared_with_that_of_every_secret(comparing: Comparing, secret: str) -> None:
    refused = zendesk.verify(signed(secret), SECRETS, NOW)
    assert bool(refused) == (secret not in SECRETS)
    assert [known.decode() for _, known in comparing.pairs] == [zendesk.sign(one, STAMP, b"{}") for one in SECRETS]


@pytest.mark.parametrize("secret", [*SECRETS, "a-wrong-one"])
def test_a_secret_is_compared_with_every_secret_wherever_it_stands(comparing: Comparing, secret: str) -> None:
    call = Call(b"{}", {freshdesk.SECRET_HEADER: secret}, {freshdesk.SECRET_PARAMETER: secret}, secret)
    refused = freshdesk.verify(call, SECRETS, NOW)
    assert bool(refused) == (secret not in SECRETS)
    assert comparing.pairs == [(secret.encode(), one.encode()) for _ in range(3) for one in SECRETS]


@pytest.mark.parametrize("verdict", [True, False])
def test_nothing_else_decides(comparing: Comparing, verdict: bool) -> None:
    comparing.verdict = verdict
    right, wrong = SECRETS[0], "a-wrong-one"
    for secret in (right, wrong):
        call = Call(b"{}", {freshdesk.SECRET_HEADER: secret})
        assert (zendesk.verify(signed(secret), SECRETS, NOW) == "") is verdict
        assert (freshdesk.verify(call, SECRETS, NOW) == "") is verdict
