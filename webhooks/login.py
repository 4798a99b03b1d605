"""The console's door: one password, signed sessions, a token in every form, a lock-out after wrong tries.

The session is Flask's signed cookie. Its key is made of SECRET_KEY and the password: changing either ends all sessions.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
import time
from dataclasses import dataclass

from flask import request, session
from flask.sansio.app import App

from triage.environment import Environment

SESSION_SECONDS = 12 * 3600
WRONG_TRIES = 5
# Over all addresses. It bounds what a botnet can try and what we remember; sessions that exist go on.
WRONG_TRIES_IN_ALL = 100
LOCK_SECONDS = 300.0
COOKIE = "tandem_console"
COOKIE_PATH = "/console/"
SINCE, ID, TOKEN = "since", "id", "csrf"
NAME, ROLE = "name", "role"
ADMIN, VIEWER = "admin", "viewer"


@dataclass(frozen=True)
class User:
    """Who is signed in; a viewer changes nothing and sees no raw bodies."""

    name: str
    role: str

    @property
    def is_admin(self) -> bool:
        """Say whether this person may change things."""
        return self.role == ADMIN

    @property
    def actor(self) -> str:
        """Return the name in the audit log."""
        return f"console:{self.name}"


class Lockout:
    """Counts wrong tries per source; a source, or everybody, waits five minutes after the last one too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tries: dict[str, tuple[int, float]] = {}

    def admit(self, source: str, now: float) -> bool:
        """Say whether `source` may try, and count the try as wrong until `forgive`: tries at once are counted too."""
        with self._lock:
            self._tries = {key: kept for key, kept in self._tries.items() if now - kept[1] < LOCK_SECONDS}
            tries, _ = self._tries.get(source, (0, now))
            if tries >= WRONG_TRIES or sum(count for count, _ in self._tries.values()) >= WRONG_TRIES_IN_ALL:
                return False
            self._tries[source] = tries + 1, now
            return True

    def is_closed(self, source: str, now: float) -> bool:
        """Say whether the next try of `source` would be refused."""
        with self._lock:
            tries, last = self._tries.get(source, (0, now))
            return tries >= WRONG_TRIES and now - last < LOCK_SECONDS

    def forgive(self, source: str) -> None:
        """Forget the tries of `source`: it knew the password."""
        with self._lock:
            self._tries.pop(source, None)


class Login:
    """Says who may see the console."""

    def __init__(self, environment: Environment) -> None:
        key = environment.secret_key.get_secret_value().encode()
        password = environment.console_password.get_secret_value()
        self.missing = [name for name, value in (("CONSOLE_PASSWORD", password), ("SECRET_KEY", key)) if not value]
        """The variables without which nobody can sign in."""
        self.lockout = Lockout()
        self._key = key
        self._password = self._digest("console password", password)
        self._secure = environment.public.lower().startswith("https:")
        self._lock = threading.Lock()
        self._ended: dict[str, float] = {}

    def prepare(self, app: App) -> None:
        """Configure the application's sessions."""
        if not self.missing:
            app.secret_key = self._digest("console sessions", self._password.hex())
        app.config.update(
            SESSION_COOKIE_NAME=COOKIE,
            SESSION_COOKIE_PATH=COOKIE_PATH,
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Strict",
            SESSION_COOKIE_SECURE=self._secure,
            SESSION_REFRESH_EACH_REQUEST=False,
            PERMANENT_SESSION_LIFETIME=SESSION_SECONDS,
        )

    def is_signed_in(self) -> bool:
        """Say whether this request comes from somebody who gave the password in the last 12 hours."""
        with self._lock:
            ended = session.get(ID) in self._ended
        return ID in session and not ended and time.time() - session[SINCE] < SESSION_SECONDS

    def user(self) -> User:
        """Return who is signed in."""
        return User(str(session.get(NAME, "")), str(session.get(ROLE, VIEWER)))

    def sign_in(self, password: str) -> bool:
        """Begin a new session when the password is right."""
        if not hmac.compare_digest(self._digest("console password", password), self._password):
            return False
        self.begin(User(ADMIN, ADMIN))
        return True

    def begin(self, user: User) -> None:
        """Begin a new session for `user`, whose identity was proven."""
        session.clear()
        session.permanent = True
        session[ID], session[SINCE] = secrets.token_urlsafe(16), time.time()
        session[NAME], session[ROLE] = user.name, user.role

    def sign_out(self) -> None:
        """End this session; a copy of its cookie is of no use either."""
        now = time.time()
        with self._lock:
            self._ended = {key: until for key, until in self._ended.items() if until > now}
            self._ended[session[ID]] = session[SINCE] + SESSION_SECONDS
        session.clear()

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{purpose}\0{text}".encode("utf-8", "replace"), "sha256")


def form_token() -> str:
    """Return the token that every form of this session carries."""
    if TOKEN not in session:
        session[TOKEN] = secrets.token_urlsafe(32)
    return str(session[TOKEN])


def form_is_ours() -> bool:
    """Say whether the posted form carries this session's token."""
    known = str(session.get(TOKEN, ""))
    return bool(known) and hmac.compare_digest(request.form.get(TOKEN, "").encode("utf-8", "replace"), known.encode())


def source_of(address: str | None) -> str:
    """Return what stands for one caller: an IPv4 address, or the /64 network an IPv6 caller can choose from."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
