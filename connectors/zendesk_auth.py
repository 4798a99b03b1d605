"""Sign in to Zendesk: OAuth client credentials, or an API token while those still work.

https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from connectors.http import Credential, StaticCredential
from connectors.values import as_dict, number, text
from triage.errors import DeskLocked, FeatureOff, Gone, Refused, Stop
from triage.settings import Auth, OAuthClient

log = logging.getLogger(__name__)

RENEW_BEFORE_SECONDS = 60.0
# New OAuth clients get tokens of 30 minutes; assumed where the answer does not say.
DEFAULT_LIFE_SECONDS = 1800.0
SIGN_IN_FAILED = "Zendesk gave no OAuth token ({}): check client_id and client_secret of this desk"
SCOPE_MISSING = "Zendesk granted the scope '{}', not '{}': correct the OAuth client or `scope` in the settings"

Fetch = Callable[[dict[str, str]], Any]
"""Post this body to /oauth/tokens and return the decoded answer."""


def token_credential(email: str, api_token: str) -> StaticCredential:
    """Return the Basic credential of an API token."""
    pair = base64.b64encode(f"{email}/token:{api_token}".encode()).decode()
    return StaticCredential(f"Basic {pair}")


def credential(auth: Auth, fetch: Fetch) -> Credential:
    """Return how this desk signs in, OAuth before the API token."""
    if auth.oauth:
        return OAuthCredential(auth.oauth, fetch)
    assert auth.api_token  # the settings refuse a desk without either
    return token_credential(auth.email, auth.api_token.get_secret_value())


class OAuthCredential:
    """A token of the client-credentials grant, kept in memory and fetched by one thread at a time."""

    def __init__(self, client: OAuthClient, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._header = ""
        self._renew_at = 0.0

    def header(self) -> str:
        """Return the Authorization header, with a fresh token where the old one is about to end."""
        with self._lock:
            if not self._header or self._clock() >= self._renew_at:
                self._sign_in()
            return self._header

    def renew(self, refused: str) -> bool:
        """Fetch a new token, unless another thread already has since `refused` was sent."""
        with self._lock:
            if self._header == refused:
                self._sign_in()
            return True

    def _sign_in(self) -> None:
        body = {
            "grant_type": "client_credentials",
            "client_id": self._client.client_id,
            "client_secret": self._client.client_secret.get_secret_value(),
            "scope": self._client.scope,
        }
        try:
            answer = as_dict(self._fetch(body))
        except (Refused, Gone, Stop, FeatureOff) as error:
            raise DeskLocked(SIGN_IN_FAILED.format(error)) from None
        token = text(answer.get("access_token"))
        if not token:
            raise DeskLocked(SIGN_IN_FAILED.format("the answer holds none"))
        self._check_scope(answer.get("scope"))
        life = number(answer.get("expires_in")) or DEFAULT_LIFE_SECONDS
        self._renew_at = self._clock() + max(life - RENEW_BEFORE_SECONDS, life / 2)
        self._header = f"Bearer {token}"
        log.info("signed in to Zendesk, token good for %d s", life)

    def _check_scope(self, granted: Any) -> None:
        # A misspelt scope still yields a token, which then gets 403 everywhere: better to say so here.
        if not isinstance(granted, str) or not granted:
            return
        if missing := set(self._client.scope.split()) - set(granted.split()):
            raise DeskLocked(SCOPE_MISSING.format(granted, " ".join(sorted(missing))))
