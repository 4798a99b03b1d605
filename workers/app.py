"""The Celery application. Light on purpose: the web process makes one too, to send tasks by name."""

from __future__ import annotations

from celery import Celery


def make_app() -> Celery:
    """Return an application configured by `celeryconfig.py`; tasks are imported only by a worker or beat."""
    app = Celery("tandem", include=["workers.tasks"])
    app.config_from_object("celeryconfig")
    return app


app = make_app()
