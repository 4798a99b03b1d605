"""Everything one running sandbox holds."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import cast

from flask import current_app

from sandbox.config import SandboxConfig
from sandbox.desk import Desk
from sandbox.events import Announcer
from sandbox.faults import Faults
from sandbox.hooks import Hooks
from sandbox.limits import Calls, Window
from sandbox.records import Vendor
from sandbox.samples import Feed
from sandbox.sender import Sender

EXTENSION = "sandbox"


@dataclass(frozen=True)
class Token:
    """An OAuth access token."""

    scopes: frozenset[str]
    expires_at: float


class Tokens:
    """Hand out access tokens that really expire."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}

    def issue(self, scope: str, life: float) -> str:
        """Make a token."""
        text = secrets.token_hex(32)
        with self._lock:
            self._tokens[text] = Token(frozenset(scope.split()), time.monotonic() + life)
        return text

    def find(self, text: str) -> Token | None:
        """Find a token that is still good."""
        with self._lock:
            token = self._tokens.get(text)
        return token if token and token.expires_at > time.monotonic() else None

    def expire_all(self) -> None:
        """End every token at once, as an admin who revokes them would."""
        with self._lock:
            self._tokens.clear()


class Sandbox:
    """One sandbox: two desks, their sender, faults, limits and call counts."""

    def __init__(self, config: SandboxConfig) -> None:
        config.check()
        self.config = config
        self.sender = Sender(config)
        self.hooks = Hooks()
        announcer = Announcer(config, self.sender, self.hooks)
        self.desks: dict[Vendor, Desk] = {
            "zendesk": Desk("zendesk", config.zendesk_desk, config, announcer),
            "freshdesk": Desk("freshdesk", config.freshdesk_desk, config, announcer),
        }
        self.faults = Faults()
        self.calls = Calls()
        self.tokens = Tokens()
        self.feed = Feed(self.desks, config)
        self.zendesk_limit = Window(config.zendesk_limit)
        self.zendesk_updates = Window(config.zendesk_update_limit)
        self.zendesk_ticket_updates = Window(config.zendesk_ticket_update_limit, 600.0)
        self.zendesk_incremental = Window(config.zendesk_incremental_limit)
        self.freshdesk_limit = Window(config.freshdesk_limit)

    def close(self) -> None:
        """Stop everything that runs in the background."""
        self.feed.stop()
        self.sender.close()


def here() -> Sandbox:
    """Give the sandbox of the running app."""
    return cast(Sandbox, current_app.extensions[EXTENSION])
