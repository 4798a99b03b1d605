"""Tells agents apart without a login: a random cookie each, and forms that only the browser with it can send."""

from __future__ import annotations

import hmac
import secrets

from flask import Response, request

COOKIE = "tandem_voter"
COOKIE_PATH = "/feedback"
# The longest browsers keep one.
COOKIE_SECONDS = 400 * 86_400
VOTER_LENGTH = 43
FIELD = "form"


class Voters:
    """The cookies of one installation; `secure` where it is reached by https."""

    def __init__(self, secret_key: str, *, secure: bool) -> None:
        self._key = secret_key.encode()
        self._secure = secure

    def of_request(self) -> tuple[str, bool]:
        """Return the voter of this request, and whether it is a fresh one because none came along."""
        cookie = request.cookies.get(COOKIE, "")
        return (cookie, False) if len(cookie) == VOTER_LENGTH else (secrets.token_urlsafe(32), True)

    def remember(self, voter: str, page: Response) -> None:
        """Let the browser keep `voter`."""
        page.set_cookie(
            COOKIE,
            voter,
            max_age=COOKIE_SECONDS,
            path=COOKIE_PATH,
            secure=self._secure,
            httponly=True,
            # Sent along a link from the helpdesk, which is another site; not along a form from there.
            samesite="Lax",
        )

    def form_token(self, voter: str, token: str) -> str:
        """Return what the form of the link `token` carries for this voter."""
        return self._digest("form", f"{voter}\0{token}")

    def sent_by(self, voter: str, token: str) -> bool:
        """Say whether the posted form is the one that this voter got for the link `token`."""
        given = request.form.get(FIELD, "").encode("utf-8", "replace")
        return hmac.compare_digest(given, self.form_token(voter, token).encode())

    def name(self, voter: str) -> str:
        """Return what stands for a voter in the database: who reads it there cannot vote with it."""
        return self._digest("voter", voter)[:32]

    def _digest(self, purpose: str, text: str) -> str:
        message = f"tandem feedback {purpose}\0{text}".encode("utf-8", "replace")
        return hmac.digest(self._key, message, "sha256").hex()
