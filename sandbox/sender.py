"""Send webhooks as the vendors do: signed, in the background, with each vendor's own retry rules."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests

from sandbox.config import SandboxConfig
from sandbox.records import Vendor, iso, now

WORKERS = 8
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ZENDESK_RETRIES = {409: 3, 429: 3, 503: 3, None: 5}  # None: timed out; everything else is sent once
LONGEST_RETRY_AFTER = 60


def sign_zendesk(secret: str, timestamp: str, body: bytes) -> str:
    """Sign as Zendesk does: base64(HMAC-SHA256(secret as written, timestamp + raw body))."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def ulid() -> str:
    """Make an id as Zendesk gives webhooks and invocations: 48 bits of time, 80 of chance."""
    number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    return "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


@dataclass
class Attempt:
    """One try to deliver."""

    at: str
    status: int | None
    error: str
    seconds: float
    headers: dict[str, str]
    answer: str


@dataclass
class Delivery:
    """One webhook call with all its tries; the invocation id stays the same across them."""

    invocation_id: str
    vendor: Vendor
    ticket_id: int
    event: str
    url: str
    body: bytes
    webhook_id: str = ""  # of the webhook that was made through the API
    secret: str = field(default="", repr=False)  # empty: the one of the settings
    headers: dict[str, str] | None = field(default=None, repr=False)  # of a Freshdesk rule; None: as the settings say
    state: str = "waiting"  # waiting, sending, delivered, retrying, failed
    attempts: list[Attempt] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Show the delivery; header values that authenticate stay out."""
        hidden = ("authorization", "x-webhook-secret", "x-zendesk-webhook-signature")
        tries = [
            {
                "at": one.at,
                "status": one.status,
                "error": one.error,
                "seconds": round(one.seconds, 3),
                "headers": {k: ("•••" if k.lower() in hidden else v) for k, v in one.headers.items()},
                "answer": one.answer,
            }
            for one in self.attempts
        ]
        return {
            "id": self.invocation_id,
            "webhook_id": self.webhook_id,
            "vendor": self.vendor,
            "ticket_id": self.ticket_id,
            "event": self.event,
            "url": self.url.split("?")[0],
            "body": self.body.decode(),
            "state": self.state,
            "attempts": tries,
        }


class Sender:
    """Deliver on a bounded pool; waiting for a retry takes no worker."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.account_id = "22129848"
        self.webhook_id = ulid()
        self._pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="sandbox-webhook")
        self._lock = threading.Lock()
        self._deliveries: list[Delivery] = []
        self._timers: set[threading.Timer] = set()
        self._closed = False

    def send(self, vendor: Vendor, ticket_id: int, event: str, body: bytes) -> None:
        """Queue one delivery; without `deliver_to` nothing is sent."""
        if not self.config.deliver_to or self._closed:
            return
        desk = self.config.zendesk_desk if vendor == "zendesk" else self.config.freshdesk_desk
        url = f"{self.config.deliver_to.rstrip('/')}/webhooks/{vendor}/{desk}"
        if vendor == "freshdesk" and self.config.freshdesk_proof == "query":
            url += f"?token={quote(self.config.freshdesk_webhook_secret, safe='')}"
        self.dispatch(Delivery(ulid(), vendor, ticket_id, event, url, body))

    def dispatch(self, delivery: Delivery) -> None:
        """Queue one delivery to an address of its own."""
        if self._closed:
            return
        with self._lock:
            self._deliveries.append(delivery)
        self._submit(delivery)

    def once(self, delivery: Delivery) -> Attempt:
        """Deliver now and once, and give what came back."""
        with self._lock:
            self._deliveries.append(delivery)
        self._attempt(delivery)
        delivery.state = "delivered" if 200 <= (delivery.attempts[-1].status or 0) < 300 else "failed"
        return delivery.attempts[-1]

    def again(self, invocation_id: str) -> bool:
        """Send a delivery once more, as a vendor's duplicate would come; say whether it exists."""
        with self._lock:
            found = next((one for one in self._deliveries if one.invocation_id == invocation_id), None)
        if found:
            self._submit(found)
        return found is not None

    def as_list(self) -> list[dict[str, Any]]:
        """Show every delivery, oldest first."""
        with self._lock:
            return [delivery.as_dict() for delivery in self._deliveries]

    def close(self) -> None:
        """Stop sending; deliveries under way finish on their own."""
        with self._lock:
            self._closed = True
            for timer in self._timers:
                timer.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, delivery: Delivery) -> None:
        if not self._closed:
            self._pool.submit(self._try, delivery)

    def _try(self, delivery: Delivery) -> None:
        delivery.state = "sending"
        status, timed_out, retry_after = self._attempt(delivery)
        wait = self._wait(delivery, status, timed_out, retry_after)
        delivery.state = "delivered" if status and 200 <= status < 300 else "failed" if wait is None else "retrying"
        if wait is not None:
            self._later(delivery, wait)

    def _attempt(self, delivery: Delivery) -> tuple[int | None, bool, str]:
        """Call once; give status, whether time was up, and `Retry-After`."""
        headers = self._headers(delivery)
        started = time.monotonic()
        status: int | None = None
        retry_after, error, answer = "", "", ""
        timed_out = False
        try:
            zendesk = delivery.vendor == "zendesk"
            timeout = self.config.zendesk_timeout if zendesk else self.config.freshdesk_timeout
            with requests.Session() as session:
                session.trust_env = False  # a proxy from the environment must not see loopback calls
                reply = session.post(
                    delivery.url, data=delivery.body, headers=headers, timeout=timeout, allow_redirects=False
                )
            status, answer = reply.status_code, reply.text[:300]
            retry_after = reply.headers.get("Retry-After", "")
        except requests.Timeout:
            timed_out, error = True, "504 Gateway Timeout"
        except requests.RequestException as problem:
            error = type(problem).__name__
        attempt = Attempt(iso(now()) or "", status, error, time.monotonic() - started, headers, answer)
        with self._lock:
            delivery.attempts.append(attempt)
        return status, timed_out, retry_after

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        if delivery.vendor == "zendesk":
            stamp = iso(now()) or ""
            return {
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Zendesk Webhook",
                "X-Zendesk-Account-Id": self.account_id,
                "X-Zendesk-Webhook-Id": delivery.webhook_id or self.webhook_id,
                "X-Zendesk-Webhook-Invocation-Id": delivery.invocation_id,
                "X-Zendesk-Webhook-Signature": sign_zendesk(
                    delivery.secret or self.config.zendesk_webhook_secret, stamp, delivery.body
                ),
                "X-Zendesk-Webhook-Signature-Timestamp": stamp,
            }
        headers = {"Content-Type": "application/json", "User-Agent": "Freshdesk"}
        if delivery.headers is not None:
            headers |= delivery.headers
        elif self.config.freshdesk_proof == "header":
            headers["X-Webhook-Secret"] = self.config.freshdesk_webhook_secret
        elif self.config.freshdesk_proof == "basic":
            pair = f"freshdesk:{self.config.freshdesk_webhook_secret}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        return headers

    def _wait(self, delivery: Delivery, status: int | None, timed_out: bool, retry_after: str) -> float | None:
        """Give the seconds until the next try, or None for no further try."""
        tries = len(delivery.attempts)
        if delivery.vendor == "freshdesk":
            delays = self.config.freshdesk_retry_delays
            ok = status is not None and status < 400  # a redirect is an answer too, not a reason to try again
            return None if ok or tries > len(delays) else delays[tries - 1]
        if status is None and not timed_out:
            return None
        if tries > ZENDESK_RETRIES.get(status, 0):
            return None
        if status in (429, 503):
            short = retry_after.isdigit() and int(retry_after) < LONGEST_RETRY_AFTER
            return int(retry_after) * self.config.retry_after_scale if short else None
        return self.config.zendesk_retry_delay

    def _later(self, delivery: Delivery, wait: float) -> None:
        timer = threading.Timer(wait, self._fire, (delivery,))
        timer.daemon = True
        with self._lock:
            if self._closed:
                return
            self._timers = {old for old in self._timers if old.is_alive()}
            self._timers.add(timer)
            timer.start()

    def _fire(self, delivery: Delivery) -> None:
        try:
            self._submit(delivery)
        except RuntimeError:  # the pool was shut down between the check and the call
            delivery.state = "failed"
