"""A language model that is always sure of one matter and drafts from one article, over HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.llm_server import GOOD, completion

# A page of the sandbox's help centre, and who asks for it.
ARTICLE = "Add a second location"
QUESTION = "Hello,\n\nhow do I add a second location to our workspace?\n\nBest regards\nAda"
SURE = {
    "evidence": ["how do I add a second location to our workspace?"],
    "summary": "Asks how to add a location.",
    "primary_team": "account_management",
    "primary_team_confidence": 99,
    "primary_team_runner_up": "billing",
    "primary_team_runner_up_confidence": 1,
    "priority": "P3_low",
    "priority_confidence": 99,
    "priority_runner_up": "P2_medium",
    "priority_runner_up_confidence": 1,
    "sentiment_confidence": 99,
    "sentiment_runner_up_confidence": 1,
    "churn_risk_confidence": 99,
    "churn_risk_runner_up_confidence": 1,
    "issue_category": "add a location",
}
SENTENCES = ("Open Settings, Locations, Add.", "Each location has its own opening hours, staff and booking page.")
SETTINGS = "speech:\n  auto_reply:\n    add_a_location: {team: account_management, min_probability: 0.9}\n"
_SOURCE = re.compile(r"\[(\d+)\][^\n]*\b" + re.escape(ARTICLE))


@contextmanager
def model() -> Iterator[str]:
    """Serve on a free loopback port until the block ends; give the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            body = json.dumps(completion(json.dumps(_answer(json.loads(asked))))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    told = "\n".join(message["content"] for message in asked["messages"])
    if "ask_colleague" not in json.dumps(asked):
        return GOOD | SURE
    number = int(found[1]) if (found := _SOURCE.search(told)) else 1
    answer = [{"text": sentence, "sources": [number]} for sentence in SENTENCES]
    return {
        "language": "en",
        "greeting": "Hello Ada,",
        "questions": [{"question": "How do I add a second location?", "answer": answer}],
        "closing": "Best regards",
        "ask_colleague": "",
        "options": [],
    }
