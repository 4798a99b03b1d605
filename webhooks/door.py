"""Answers webhooks before Flask sees them: its way to a view and back costs more than all that is done for one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.http import HTTP_STATUS_CODES

from webhooks.edge import Answer, Edge

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

ADDRESS = "webhooks"
RULE = f"/{ADDRESS}/<vendor>/<desk>"


class Door:
    """A WSGI application that hands whatever is no webhook on to Flask's."""

    def __init__(self, app: Flask, edge: Edge, headers: Mapping[str, str]) -> None:
        """Stand before `app`; every answer to a webhook has these `headers`."""
        self._app = app
        self._inside: WSGIApplication = app.wsgi_app
        self._edge = edge
        self._headers = [("Content-Type", "application/json"), *headers.items()]
        # So that Flask knows what else is allowed at this address; nothing of it has a view.
        app.add_url_rule(RULE, "webhook", methods=["POST"])

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one HTTP call."""
        parts = environ["PATH_INFO"].split("/")
        if len(parts) != 4 or parts[1] != ADDRESS or environ["REQUEST_METHOD"] != "POST":
            return self._inside(environ, start_response)
        try:
            answer = self._edge.receive(parts[2], parts[3], environ)
        except Exception as error:  # answered and logged as anywhere else
            with self._app.request_context(environ):
                response = self._app.finalize_request(self._app.handle_user_exception(error))
            return response(environ, start_response)
        return self._send(answer, start_response)

    def _send(self, answer: Answer, start_response: StartResponse) -> list[bytes]:
        body = json.dumps(answer.data, separators=(",", ":")).encode() + b"\n"
        headers = [*self._headers, ("Content-Length", str(len(body))), *answer.headers.items()]
        start_response(f"{answer.status} {HTTP_STATUS_CODES[answer.status].upper()}", headers)
        return [body]
