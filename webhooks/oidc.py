"""Signing in with an identity provider: OpenID Connect's code flow with PKCE, state and nonce.

What must be remembered between leaving and coming back is in a signed cookie of its own, for ten minutes: the session's
cookie is `SameSite=Strict` and would not come along on the way back from another site.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from triage.environment import Environment
from webhooks.login import ADMIN, VIEWER, User

logger = logging.getLogger(__name__)
COOKIE = "tandem_oidc"
COOKIE_PATH = "/console/oidc/"
BACK = "/console/oidc/back"
AWAY_SECONDS = 600
TIMEOUT_SECONDS = 5.0
# Discovery and keys are read again after this.
KEPT_SECONDS = 3600.0
# Clocks of two machines.
LEEWAY_SECONDS = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
ANYBODY = "*"


class RefusedError(Exception):
    """The identity provider, or what came back from it, does not let anybody in. The text says why, for people."""


@dataclass(frozen=True)
class Leaving:
    """Where the browser goes, and the cookie it takes along."""

    url: str
    cookie: str


class Oidc:
    """One identity provider."""

    def __init__(self, environment: Environment, key: bytes) -> None:
        self.is_on = bool(environment.oidc_issuer)
        self._environment = environment
        self._signer = URLSafeTimedSerializer(key, salt="console oidc")
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any], KeySet] | None = None

    def leave(self) -> Leaving:
        """Begin: return where to send the browser. Raises RefusedError while the provider does not answer."""
        metadata, _ = self._provider()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._client() as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        return Leaving(url, self._signer.dumps([state, nonce, verifier]))

    def come_back(self, arguments: Mapping[str, str], cookie: str) -> User:
        """End: return who signed in. Raises RefusedError for everybody else, and for whatever is not in order."""
        try:
            state, nonce, verifier = self._signer.loads(cookie, max_age=AWAY_SECONDS)
        except (BadSignature, ValueError):
            raise RefusedError("This sign-in took too long, or began in another browser. Try again.") from None
        if not secrets.compare_digest(arguments.get("state", "").encode(), state.encode()):
            raise RefusedError("This answer belongs to another sign-in. Try again.")
        if "code" not in arguments:
            raise RefusedError("The identity provider did not sign you in.")
        token = self._token(arguments["code"], verifier)
        return self._user(self._claims(token, nonce))

    def _token(self, code: str, verifier: str) -> str:
        metadata, _ = self._provider()
        try:
            with self._client() as client:
                token = client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                )
        except (OAuthError, OSError, ValueError) as error:
            # requests' errors are OSErrors. Their text may hold the code: the kind is enough.
            logger.warning("console: the identity provider gave no token (%s)", type(error).__name__)
            raise RefusedError("The identity provider did not answer as it should. Try again.") from None
        return str(token.get("id_token", ""))

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        metadata, keys = self._provider()
        try:
            try:
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError):
                # Its keys may have been rotated since we read them.
                metadata, keys = self._provider(fresh=True)
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            client_id = self._environment.oidc_client_id
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": metadata["issuer"]},
                    "aud": {"essential": True, "value": client_id},
                },
                {"nonce": nonce, "client_id": client_id},
            )
            claims.validate(leeway=LEEWAY_SECONDS)
            if claims.get("nonce") != nonce:
                raise ValueError("nonce")
        except (JoseError, OAuthError, ValueError, KeyError) as error:
            logger.warning("console: an id token was refused (%s)", type(error).__name__)
            raise RefusedError("What the identity provider sent cannot be trusted. Try again.") from None
        return dict(claims)

    def _user(self, claims: Mapping[str, Any]) -> User:
        # Some providers write the truth as a text.
        is_unverified = str(claims.get("email_verified", True)).casefold() == "false"
        wanted = self._environment.oidc_claim
        # In the audit log nobody goes by an address that may be somebody else's.
        names = ["sub"] if is_unverified and wanted != "email" else ["email", "preferred_username", "sub"]
        name = next(str(claims[one]) for one in names if claims.get(one))
        if wanted == "email" and is_unverified:
            raise RefusedError(f"{name} may not sign in here: the address is not verified.")
        found = claims.get(wanted)
        mine = {str(one).casefold() for one in (found if isinstance(found, list) else [found]) if one}
        if mine & _names(self._environment.oidc_admins):
            return User(name, ADMIN)
        viewers = _names(self._environment.oidc_viewers)
        if mine & viewers or ANYBODY in viewers:
            return User(name, VIEWER)
        raise RefusedError(f"{name} may not sign in here: ask an admin for a place in OIDC_ADMINS or OIDC_VIEWERS.")

    def _client(self) -> OAuth2Session:
        environment = self._environment
        return OAuth2Session(
            environment.oidc_client_id,
            environment.oidc_client_secret.get_secret_value(),
            scope="openid email profile",
            redirect_uri=f"{environment.public}{BACK}",
            code_challenge_method="S256",
        )

    def _provider(self, *, fresh: bool = False) -> tuple[dict[str, Any], KeySet]:
        """Return the provider's description of itself, and its keys."""
        with self._lock:
            if self._known and not fresh and time.monotonic() - self._known[0] < KEPT_SECONDS:
                return self._known[1], self._known[2]
            issuer = self._environment.oidc_issuer.rstrip("/")
            try:
                with self._client() as client:
                    metadata = _read(client, f"{issuer}/.well-known/openid-configuration")
                    keys = KeySet.import_key_set(_read(client, metadata["jwks_uri"]))
                if metadata["issuer"].rstrip("/") != issuer:
                    raise ValueError("issuer")
            except (OSError, ValueError, KeyError, JoseError) as error:
                logger.warning("console: the identity provider does not answer (%s)", type(error).__name__)
                raise RefusedError("The identity provider does not answer. Try again later.") from None
            self._known = time.monotonic(), metadata, keys
            return metadata, keys


def _read(client: OAuth2Session, url: str) -> Any:
    answer = client.get(url, withhold_token=True, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    answer.raise_for_status()
    return answer.json()


def _names(given: str) -> set[str]:
    return {one.strip().casefold() for one in given.split(",") if one.strip()}
