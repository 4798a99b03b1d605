"""Everything outside of a worker, in a process of its own: a Zendesk account and a language model that take their time.

Not the sandbox: that is a whole helpdesk on a server for tests and takes more CPU time for a call than a worker does.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.tickets import sample_tickets

HELPDESK, MODEL = "/zendesk", "/v1"
GROUPS = ("Finance & Billing", "Technical Support", "Product", "Customer Success", "Security", "Enterprise Support")
REQUESTER, SUBMITTER_ROLE = 900_000, "end-user"
TICKET = re.compile(r"/api/v2/tickets/(\d+)(/tags|/comments)?\.json")
# So generous that no budget of ours ever waits.
LIMITS = {"X-Rate-Limit": "1000000", "X-Rate-Limit-Remaining": "1000000"}
UPDATE_LIMIT = {"zendesk-ratelimit-tickets-update": "total=1000000; remaining=1000000; resets=60"}
VERDICT: dict[str, Any] = {
    "evidence": [], "summary": "The customer cannot open the calendar.",
    "primary_team": "technical_bug", "primary_team_confidence": 92,
    "primary_team_runner_up": "account_management", "primary_team_runner_up_confidence": 4,
    "priority": "P2_medium", "priority_confidence": 81, "priority_runner_up": "P1_high",
    "priority_runner_up_confidence": 12, "sentiment": "neutral", "sentiment_confidence": 85,
    "sentiment_runner_up": "frustrated", "sentiment_runner_up_confidence": 10, "churn_risk": "low",
    "churn_risk_confidence": 90, "churn_risk_runner_up": "medium", "churn_risk_runner_up_confidence": 7,
    "secondary_team": "none", "issue_category": "calendar does not load", "language": "en",
    "auto_resolution_possible": False,
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "greeting": "Hello,",
    "questions": [
        {
            "question": "Why does the calendar not open?",
            "answer": [
                {"text": "Please sign out of the workspace, clear the cache of the browser and sign in again.",
                 "sources": [1]},
            ],
        },
    ],
    "closing": "Kind regards",
    "ask_colleague": "", "options": [],
}  # fmt: skip

Answer = tuple[int, dict[str, str], Any]


class Outside:
    """Both services; waits are in seconds and may be set anew while they serve."""

    def __init__(self) -> None:
        self.waits = {HELPDESK: 0.0, MODEL: 0.0}
        self.calls: Counter[str] = Counter()
        self.waited: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.tags: dict[str, list[str]] = {}
        self.values: dict[str, dict[str, Any]] = {}
        self.connections = 0
        self._samples = sample_tickets()
        self._born = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until its client hangs up."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, _ = head.split(" ", 2)
                found = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
                body = await reader.readexactly(int(found[1])) if found else b""
                status, headers, data = await self._answer(method, target, body)
                content = json.dumps(data).encode()
                headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 {status} OK\r\n{lines}\r\n".encode() + content)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, target: str, body: bytes) -> Answer:
        path, _, _ = target.partition("?")
        service = MODEL if path.startswith(MODEL) else HELPDESK
        if path == "/told":
            return 200, {}, self.told()
        if path == "/set":
            self.waits |= json.loads(body)
            for counted in (self.calls, self.waited):
                counted.clear()
            return 200, {}, {}
        self.calls[f"{method} {re.sub(r'[0-9]+(?=[/.])', 'N', path)}"] += 1
        self.waited[service] += 1
        await asyncio.sleep(self.waits[service])
        if service == MODEL:
            return 200, {}, self._chat(json.loads(body))
        return self._helpdesk(method, path.removeprefix(HELPDESK), json.loads(body) if body else {})

    def told(self) -> dict[str, Any]:
        """Return what has been counted since the waits were set; notes since the start."""
        return {
            "calls": self.calls,
            "waited": sum(self.waits[service] * count for service, count in self.waited.items()),
            "notes": len(self.notes),
            "twice": sum(1 for count in self.notes.values() if count > 1),
            "connections": self.connections,
        }

    def _chat(self, asked: dict[str, Any]) -> dict[str, Any]:
        schema = asked.get("response_format", {}).get("json_schema", {}).get("schema", {})
        said = VERDICT if "primary_team" in schema.get("properties", {}) else ANSWER
        message = {"role": "assistant", "content": json.dumps(said), "refusal": None}
        return {
            "id": "c-1", "object": "chat.completion", "created": 1, "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 1500, "completion_tokens": 200, "total_tokens": 1700},
        }  # fmt: skip

    def _helpdesk(self, method: str, path: str, sent: dict[str, Any]) -> Answer:
        if found := TICKET.fullmatch(path):
            number, part = found.groups()
            if part == "/comments":
                return 200, LIMITS, self._comments(number)
            if part == "/tags":
                held = self.tags.setdefault(number, [])
                held += [tag for tag in sent["tags"] if tag not in held]
                return 200, LIMITS | UPDATE_LIMIT, {"tags": held}
            if method == "PUT":
                return 200, LIMITS | UPDATE_LIMIT, self._written(number, sent["ticket"])
            return 200, LIMITS, self._ticket(number)
        if path == "/api/v2/users/me.json":
            return 200, LIMITS, {"user": {"id": 1, "name": "Tandem", "role": "admin"}}
        if path == "/api/v2/groups.json":
            groups = [{"id": place, "name": name} for place, name in enumerate(GROUPS, 1)]
            return 200, LIMITS, {"groups": groups, "meta": {"has_more": False}}
        if path.endswith("/tickets/requested.json"):
            return 200, LIMITS, {"tickets": [], "meta": {"has_more": False}}
        return 404, LIMITS, {"error": "RecordNotFound", "description": "Not found"}

    def _ticket(self, number: str) -> dict[str, Any]:
        sample = self._samples[int(number) % len(self._samples)]
        requester = REQUESTER + int(number)
        held = {"priority": None, "group_id": None} | self.values.get(number, {})
        person = {"id": requester, "name": "Priya Raman", "email": "priya@fernhill.example", "role": SUBMITTER_ROLE}
        raw = {
            "id": int(number), "subject": sample.subject, "description": sample.messages[0].body, "status": "new",
            "created_at": self._born, "updated_at": self._born, "requester_id": requester, "submitter_id": requester,
            "tags": self.tags.get(number, []), "custom_fields": [], "comment_count": 1, "is_public": True,
            "via": {"channel": "email"}, **held,
        }  # fmt: skip
        return {"ticket": raw, "users": [person | {"user_fields": {}}], "groups": [], "organizations": []}

    def _comments(self, number: str) -> dict[str, Any]:
        raw = self._ticket(number)["ticket"]
        first = {"id": 1, "author_id": raw["requester_id"], "body": raw["description"], "public": True}
        return {"comments": [first | {"created_at": self._born}], "users": [], "meta": {"has_more": False}}

    def _written(self, number: str, sent: dict[str, Any]) -> dict[str, Any]:
        self.values.setdefault(number, {}).update({k: v for k, v in sent.items() if k in ("priority", "group_id")})
        self.notes[number] += "comment" in sent
        note = {"type": "Comment", "id": int(number), "public": False}
        return self._ticket(number) | {"audit": {"events": [note]}}


async def main(port: int) -> None:
    """Serve on `port` of this machine until the process is ended."""
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = Outside().serve
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1000)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
