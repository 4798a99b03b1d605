"""The Celery application. Light on purpose: the web process makes one too, to send tasks by name."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection

# How long worker and beat wait at most before they try a broker again that is away: by default up to 30 s, and that
# much later they would notice that it is back.
LONGEST_RETRY_SECONDS = 4.0


class _Connection(Connection):
    """A connection that is tried again soon, however long the broker has been away, and whose loss ends no worker."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        return super().ensure_connection(*args, interval_max=LONGEST_RETRY_SECONDS, **kwargs)  # type: ignore[no-untyped-call]

    def _do_close_transport(self) -> None:
        # kombu takes the address away from the transport too, and who gives a message back or acknowledges one over
        # it afterwards, as a task does that was under way, ends the worker.
        self._transport = None


class _Amqp(AMQP):  # type: ignore[misc]
    Connection = _Connection


def make_app() -> Celery:
    """Return an application configured by `celeryconfig.py`; tasks are imported only by a worker or beat."""
    app = Celery("tandem", amqp=_Amqp, include=["workers.tasks"])
    app.config_from_object("celeryconfig")
    return app


def impatient_app(seconds: float) -> Celery:
    """Return an application for sending that gives up after `seconds`, for whoever can do without the broker."""
    app = make_app()
    # One try: by default a broker that is down is tried again after 2 s of sleep.
    options = dict(app.conf.broker_transport_options) | {"max_retries": 0}
    if "socket_timeout" in options:
        options |= {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    app.conf.broker_transport_options = options
    app.conf.broker_connection_timeout = seconds
    app.conf.broker_connection_retry = False
    return app


app = make_app()
