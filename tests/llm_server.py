"""A scripted OpenAI-compatible endpoint on loopback: replies are queued, prompts recorded. No model is behind it."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.llm_jobs import Jobs

GOOD: dict[str, Any] = {
    "evidence": ["We were charged twice."],
    "summary": "Two charges in October.",
    "primary_team": "billing",
    "primary_team_confidence": 90,
    "primary_team_runner_up": "account_management",
    "primary_team_runner_up_confidence": 6,
    "priority": "P2_medium",
    "priority_confidence": 70,
    "priority_runner_up": "P1_high",
    "priority_runner_up_confidence": 20,
    "sentiment": "neutral",
    "sentiment_confidence": 80,
    "sentiment_runner_up": "frustrated",
    "sentiment_runner_up_confidence": 15,
    "churn_risk": "low",
    "churn_risk_confidence": 85,
    "churn_risk_runner_up": "medium",
    "churn_risk_runner_up_confidence": 10,
    "secondary_team": "none",
    "issue_category": "duplicate charge",
    "language": "en",
    "auto_resolution_possible": False,
}
LONG_HEAD = 600
USAGE = {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}


@dataclass
class Reply:
    """What the endpoint answers to one call."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: float = 0.0
    """Seconds before the first byte."""
    drip: float = 0.0
    """Seconds between two bytes of the body."""
    drip_head: float = 0.0
    """Seconds between two bytes of a head without end."""
    cut: bool = False
    """Half of the body is sent."""


def says(
    content: str | None, *, finish: str = "stop", refusal: str | None = None, usage: Any = USAGE, logprobs: Any = None
) -> Reply:
    """Return a chat completion that says `content`."""
    return Reply(body=json.dumps(completion(content, finish, refusal, usage, logprobs)).encode())


def completion(
    content: str | None, finish: str = "stop", refusal: str | None = None, usage: Any = USAGE, logprobs: Any = None
) -> dict[str, Any]:
    """Return the body of a chat completion."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return {
        "id": "c-1", "object": "chat.completion", "created": 1, "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}], "usage": usage,
    }  # fmt: skip


def spoken(pieces: Sequence[str | tuple[str, dict[str, float]]], *, with_bytes: bool = True) -> Reply:
    """Return a chat completion said in these tokens; beside a token may stand text -> probability at its place."""
    content = []
    for piece in pieces:
        text, chances = (piece, {piece: 1.0}) if isinstance(piece, str) else piece
        top = [_entry(other, chance, with_bytes) for other, chance in chances.items()]
        content.append(_entry(text, chances[text], with_bytes) | {"top_logprobs": top})
    said = "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces)
    return says(said, logprobs={"content": content})


def _entry(text: str, chance: float, with_bytes: bool) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(chance), "bytes": list(text.encode()) if with_bytes else None}


def answers(**changed: Any) -> Reply:
    """Return a chat completion with the good answer, except for what is `changed`."""
    return says(json.dumps(GOOD | changed))


def fails(status: int, message: str = "no", headers: dict[str, str] | None = None, code: str | None = None) -> Reply:
    """Return an error in OpenAI's shape."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()
    return Reply(status, body, headers or {})


class LlmServer:
    """The endpoint: `replies` are given in turn, the last one for ever; `calls` holds each chat request's JSON.

    Files, batches and fine-tuning jobs are answered by `jobs` where a test sets it; else with 404, as most servers do.
    """

    def __init__(self) -> None:
        self.jobs: Jobs | None = None
        self.paths: list[str] = []
        self.replies: list[Reply] = [answers()]
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self.choose: Callable[[dict[str, Any]], Reply] | None = None
        """Says what is answered to a request, where a test sets it."""

    def queue(self, *replies: Reply) -> None:
        """Answer the next calls with `replies`."""
        self.replies = list(replies)

    def next_reply(self) -> Reply:
        """Return the reply to the call just recorded."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def prompt(self, call: int = -1) -> str:
        """Return all that the model was told in one call."""
        return "\n".join(message["content"] for message in self.calls[call]["messages"])


def send(reply: Reply, handler: BaseHTTPRequestHandler) -> None:
    """Answer a request, as slowly and as wholly as `reply` says."""
    time.sleep(reply.hold)
    if reply.drip_head:
        _slowly(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * LONG_HEAD, reply.drip_head)
        return
    handler.send_response(reply.status)
    for name, value in {"Content-Type": "application/json", **reply.headers}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(reply.body)))
    handler.end_headers()
    if reply.drip:
        _slowly(handler, reply.body, reply.drip)
    else:
        handler.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)


def _slowly(handler: BaseHTTPRequestHandler, sent: bytes, pause: float) -> None:
    for place in range(len(sent)):
        handler.wfile.write(sent[place : place + 1])
        handler.wfile.flush()
        time.sleep(pause)


@contextmanager
def running() -> Iterator[LlmServer]:
    """Serve on a free loopback port until the block ends."""
    script = LlmServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.paths.append(f"{self.command} {self.path}")
            script.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.path.endswith("/chat/completions"):
                asked = json.loads(sent)
                script.calls.append(asked)
                self._answer(script.choose(asked) if script.choose else script.next_reply())
            elif script.jobs is None:
                self._answer(fails(404, "no such path"))
            else:
                status, body = script.jobs.answer(self.command, self.path, self.headers, sent)
                self._answer(Reply(status, body))

        def do_GET(self) -> None:
            self.do_POST()

        def do_DELETE(self) -> None:
            self.do_POST()

        def _answer(self, reply: Reply) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
                send(reply, self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
