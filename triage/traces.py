"""OpenTelemetry traces, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector; else nothing is loaded and nothing costs.

Spans hold ids, names of steps and endpoints, and kinds of errors: no text, no address of a person. The exporter reads
its own standard variables: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from triage.errors import SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE = "OTEL_SERVICE_NAME"
NOT_INSTALLED = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set but OpenTelemetry is not installed: pip install --require-hashes -r "
    "requirements-traces.txt, or take the variable out of .env"
)
_tracer: Any = None


def set_up_traces(service: str, variables: Mapping[str, str]) -> bool:
    """Export this process's spans as `service` where `variables` name a collector, and say whether they do.

    Raises SettingsError where the packages for it are missing.
    """
    global _tracer
    if not any(variables.get(name) for name in ENDPOINTS):
        return False
    # The exporter reads the process's own; ours may stand in .env.
    for name, value in variables.items():
        if name.startswith("OTEL_"):
            os.environ.setdefault(name, value)
    try:  # only here: packages of their own, for those who want traces
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise SettingsError(NOT_INSTALLED) from None

    resource = Resource.create({"service.name": os.environ.get(SERVICE) or service})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("tandem")
    return True


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """Trace the block as `name`; an error is named by its kind only."""
    if _tracer is None:
        yield
        return
    named = {f"tandem.{key}": value for key, value in attributes.items()}
    # Its own way to record an error would keep the error's text, which may be a customer's.
    with _tracer.start_as_current_span(
        name, attributes=named, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            raise
