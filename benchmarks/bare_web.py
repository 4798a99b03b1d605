"""The least a Flask route can do, under the web process's own server: what ingest is compared with."""

from __future__ import annotations

import sys

from flask import Flask, Response, jsonify, request

from commands.web import listen
from triage.environment import read_environment
from triage.logs import configure_logging
from webhooks.wsgi import settle

app = Flask(__name__, static_folder=None)


@app.post("/webhooks/<vendor>/<desk>")
def receive(vendor: str, desk: str) -> tuple[Response, int]:
    """Read the body and answer as for a webhook that was stored; nothing is checked, stored, told or logged."""
    del vendor, desk
    request.get_data(cache=False)
    return jsonify(status="accepted", delivery=1), 202


@app.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return jsonify(status="ok")


if __name__ == "__main__":
    environment = read_environment()
    configure_logging(environment.log_level, environment.log_format)
    settle()
    listen(app, port=environment.port, host="127.0.0.1", threads=int(sys.argv[1]))
