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
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response

from triage.environment import Environment

SESSION_SECONDS = 12 * 3600
WRONG_TRIES = 5
# Over all addresses. It bounds what a botnet can try and what we remember; sessions that exist go on, and a browser
# that an admin has signed in with has tries of its own, so that nobody else can keep them out.
# https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
WRONG_TRIES_IN_ALL = 100
LOCK_SECONDS = 300.0
COOKIE = "tandem_console"
COOKIE_PATH = "/console/"
# Of a browser that an admin has signed in with, for the 400 days that browsers keep a cookie at most.
KNOWN_COOKIE, KNOWN_SECONDS = "tandem_known", 400 * 86_400
KNOWN = "browser "
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
            strangers = sum(count for key, (count, _) in self._tries.items() if not key.startswith(KNOWN))
            if tries >= WRONG_TRIES or (strangers >= WRONG_TRIES_IN_ALL and not source.startswith(KNOWN)):
                return False
            self._tries[source] = tries + 1, now
            return True

    def is_closed(self, source: str, now: float) -> bool:
        """Say whether the next try of `source` would be refused."""
        with self._lock:
            tries, last = self._tries.get(source, (0, now))
            return tries >= WRONG_TRIES and now - last < LOCK_SECONDS

    def forgive(self, source: str) -> None:
        """Forget the tries of `source`: it knew the admin's password."""
        with self._lock:
            self._tries.pop(source, None)

    def uncount(self, source: str) -> None:
        """Forget the last try of `source`, which was right, and not those before."""
        with self._lock:
            tries, at = self._tries.get(source, (0, 0.0))
            if tries:
                self._tries[source] = tries - 1, at


@dataclass(frozen=True)
class Door:
    """A password that lets in, for one role: as it is, or (which goes first) its hash."""

    role: str
    plain: str
    stored: str


class Login:
    """Says who may see the console."""

    def __init__(self, environment: Environment) -> None:
        key = environment.secret_key.get_secret_value().encode()
        self._key = key
        self._doors = _doors(environment)
        self.by_password = bool(self._doors)
        """Somebody can sign in with a password."""
        has_way = self.by_password or bool(environment.oidc_issuer)
        self.missing = [name for name, known in (("CONSOLE_PASSWORD", has_way), ("SECRET_KEY", key)) if not known]
        """The variables without which nobody can sign in."""
        self.lockout = Lockout()
        self._secure = environment.public.lower().startswith("https:")
        # Who is let in by the identity provider depends on these; another list ends all sessions.
        lists = (environment.oidc_issuer, environment.oidc_claim, environment.oidc_admins, environment.oidc_viewers)
        self._state = "\0".join([*(f"{door.role}={door.stored or door.plain}" for door in self._doors), *lists])
        self._lock = threading.Lock()
        self._ended: dict[str, float] = {}

    def prepare(self, app: App) -> None:
        """Configure the application's sessions."""
        if not self.missing:
            app.secret_key = self.key("console sessions", self._state)
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
        """Begin a new session when the password is right, in the role it is for."""
        # All of them, so that the time taken says nothing.
        fitting = [door.role for door in self._doors if self._fits(door, password)]
        if not fitting:
            return False
        self.begin(User(fitting[0], fitting[0]))
        return True

    def begin(self, user: User) -> None:
        """Begin a new session for `user`, whose identity was proven."""
        session.clear()
        session.permanent = True
        session[ID], session[SINCE] = secrets.token_urlsafe(16), time.time()
        session[NAME], session[ROLE] = user.name, user.role

    def known_browser(self, cookie: str) -> str:
        """Return what stands for a browser an admin has signed in with, "" where the cookie is none of ours."""
        name, _, mark = cookie.partition(".")
        is_ours = hmac.compare_digest(mark.encode("utf-8", "replace"), self._mark(name).encode())
        return KNOWN + name if is_ours else ""

    def know(self, answer: Response) -> None:
        """Let the browser keep that an admin has signed in with it; what it keeps opens nothing."""
        name = secrets.token_urlsafe(16)
        answer.set_cookie(
            KNOWN_COOKIE,
            f"{name}.{self._mark(name)}",
            max_age=KNOWN_SECONDS,
            path=COOKIE_PATH,
            secure=self._secure,
            httponly=True,
            samesite="Strict",
        )

    def _mark(self, name: str) -> str:
        return hmac.digest(
            self.key("console known browser", self._state), name.encode("utf-8", "replace"), "sha256"
        ).hex()

    def sign_out(self) -> None:
        """End this session; a copy of its cookie is of no use either."""
        now = time.time()
        with self._lock:
            self._ended = {key: until for key, until in self._ended.items() if until > now}
            self._ended[session[ID]] = session[SINCE] + SESSION_SECONDS
        session.clear()

    def _fits(self, door: Door, password: str) -> bool:
        if door.stored:
            return check_password_hash(door.stored, password)
        given, known = (self.key("console password", one) for one in (password, door.plain))
        return hmac.compare_digest(given, known)

    def key(self, purpose: str, text: str = "") -> bytes:
        """Return a key for one purpose, made of SECRET_KEY."""
        return hmac.digest(self._key, f"{purpose}\0{text}".encode("utf-8", "replace"), "sha256")

    @property
    def is_secure(self) -> bool:
        """Say whether the console is reached over https, so that its cookies need never go without."""
        return self._secure


def _doors(environment: Environment) -> list[Door]:
    given = (
        (ADMIN, environment.console_password, environment.console_password_hash),
        (VIEWER, environment.console_viewer_password, environment.console_viewer_password_hash),
    )
    doors = [Door(role, plain.get_secret_value(), stored.get_secret_value()) for role, plain, stored in given]
    return [door for door in doors if door.plain or door.stored]


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
