"""Sends messages to people through Apprise: one address per channel, in a time limit, and never a secret in a log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import SecretStr

from triage.errors import Refused, Retry, SettingsError, UnknownOutcome
from triage.settings import Settings

LIMIT_SECONDS = 15.0
NO_CHANNEL = "channel '{}' is no longer in the settings"
BAD_ADDRESS = "the address of channel '{}' is none that Apprise knows; see its list of services"
FAILED = "channel '{}' did not take the message"
TOO_SLOW = "channel '{}' did not answer in {:.0f} s; the message may have arrived"


def check(channels: Mapping[str, SecretStr], name: str) -> None:
    """Raise Refused where Apprise does not know the kind of address; nothing is sent."""
    _sender(channels, name)


def check_channels(settings: Settings, path: str = "tandem.yaml") -> None:
    """Raise SettingsError for a channel whose kind of address Apprise does not know; its messages would all be lost."""
    for name in settings.sla.channels:
        try:
            check(settings.sla.channels, name)
        except Refused as error:
            raise SettingsError(f"{path}: sla.channels.{name}: {error}") from None


def send(channels: Mapping[str, SecretStr], name: str, title: str, body: str, limit: float = LIMIT_SECONDS) -> None:
    """Send one message.

    Raises Refused for a channel that cannot work, Retry for one that does not now, UnknownOutcome for one too slow.
    """
    sender = _sender(channels, name)
    done: list[bool] = []

    def work() -> None:
        done.append(bool(sender.notify(title=title, body=body, body_format="text")))

    # A thread of its own: a service that never answers costs this message its time and nobody else's.
    thread = threading.Thread(target=work, name=f"channel-{name}", daemon=True)
    thread.start()
    thread.join(limit)
    if not done and thread.is_alive():
        # It may arrive yet.
        raise UnknownOutcome(TOO_SLOW.format(name, limit))
    if not done or not done[0]:
        raise Retry(FAILED.format(name))


def _sender(channels: Mapping[str, SecretStr], name: str) -> Any:
    if name not in channels:
        raise Refused(NO_CHANNEL.format(name))
    # Loaded by the first message: most processes send none.
    apprise = import_module("apprise")
    # Its own lines name addresses.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    sender = apprise.Apprise()
    if not sender.add(channels[name].get_secret_value()):
        raise Refused(BAD_ADDRESS.format(name))
    for service in sender:
        # Longer than ours: by its own 4 s a slow answer would look like none, and be sent again.
        service.socket_read_timeout = 2 * LIMIT_SECONDS
    return sender
