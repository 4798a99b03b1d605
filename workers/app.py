"""The Celery application. Light on purpose: the web process makes one too, to send tasks by name."""

from __future__ import annotations

from celery import Celery


def make_app() -> Celery:
    """Return an application configured by `celeryconfig.py`; tasks are imported only by a worker or beat."""
    app = Celery("tandem", include=["workers.tasks"])
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
