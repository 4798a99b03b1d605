"""A new ticket's webhook as each vendor sends it."""

from __future__ import annotations

import time

from webhooks import zendesk


def knock(vendor: str, ticket_id: str, secret: str) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of the webhook that says that `ticket_id` is new, signed now."""
    headers = {"Content-Type": "application/json"}
    if vendor == "freshdesk":
        body = f'{{"event":"ticket_created","ticket_id":"{ticket_id}"}}'
        return body.encode(), headers | {"X-Webhook-Secret": secret}
    body = (
        f'{{"type":"zen:event-type:ticket.created","id":"new-{ticket_id}","account_id":1,'
        f'"subject":"zen:ticket:{ticket_id}","detail":{{"id":"{ticket_id}"}},"event":{{}}}}'
    )
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    signed = {zendesk.SIGNATURE: zendesk.sign(secret, stamp, body.encode()), zendesk.TIMESTAMP: stamp}
    return body.encode(), headers | signed
