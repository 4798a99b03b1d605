"""The Flask application factory."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.middleware.proxy_fix import ProxyFix

from triage.environment import Environment
from triage.live import Live
from triage.settings import Settings
from triage.store import Store
from webhooks import console
from webhooks.door import Door
from webhooks.edge import MAX_BODY, RETRY_AFTER_SECONDS, Edge
from webhooks.feedback import Feedback
from webhooks.metrics import StoreCollector
from webhooks.openapi import DESCRIPTION
from webhooks.wakeup import Wakeup
from workers import health

logger = logging.getLogger(__name__)
GUARDS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app(environment: Environment, settings: Settings | Live, store: Store, wakeup: Wakeup) -> Flask:
    """Return the web application; everything it needs is handed in. `settings` may change while it runs."""
    live = Live(settings, store) if isinstance(settings, Settings) else settings
    # The only files served are the console's, below its own address.
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    edge = Edge(live.settings, store, wakeup)
    if proxies := environment.trusted_proxies:
        # Else anybody could name another address than their own and escape the console's lock-out.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    app.wsgi_app = Door(app, edge, GUARDS)  # type: ignore[method-assign]
    app.register_blueprint(console.blueprint(environment, live, store, wakeup))
    app.register_blueprint(Feedback(environment, live.settings, store, wakeup).blueprint())
    registry = CollectorRegistry()
    registry.register(StoreCollector(store))
    registry.register(edge.refusals)

    @app.after_request
    def guard(response: Response) -> Response:
        """Keep every answer, errors too, from being stored, guessed at or framed; pages say more themselves."""
        for name, value in GUARDS.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/healthz")
    def healthz() -> Response:
        """Say that the process answers."""
        return jsonify(status="ok")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        """Say whether webhooks can be stored, and how workers, inbox and disk stand."""
        # The broker is not asked: a hung one would hold this answer up, and webhooks are stored without it.
        found = [*health.database(store, time.time()), health.disk(environment), health.queue(wakeup.is_refused)]
        if found[0].state is health.State.OK:
            found += health.desks(store, time.time())
        checks = {one.what: {"state": one.state, "text": one.text} for one in found}
        is_ready = found[0].state is health.State.OK
        status = "down" if not is_ready else "ok" if health.worst(found) is not health.State.BROKEN else "degraded"
        return jsonify(status=status, checks=checks), 200 if is_ready else 503

    @app.get("/metrics")
    def metrics() -> Response:
        """Return the Prometheus metrics."""
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    @app.get("/openapi.json")
    def openapi() -> Response:
        """Return what the endpoints take and answer."""
        return jsonify(DESCRIPTION)

    _answer_errors(app)
    return app


def _answer_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[Response, int]:
        answer = jsonify(error=error.name.lower())
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return answer, error.code or 500

    @app.errorhandler(SQLAlchemyError)
    def database_error(error: SQLAlchemyError) -> tuple[Response, int]:
        logger.error("the database failed (%s)", type(error).__name__)
        answer = jsonify(error="the database does not answer")
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer, 503

    @app.errorhandler(Exception)
    def any_error(error: Exception) -> tuple[Response, int]:
        # The message may hold the body: log the kind only.
        logger.error("unexpected %s in the web process", type(error).__name__)
        return jsonify(error="internal error"), 500
