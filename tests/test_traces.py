"""Spans as a real collector gets them: steps, endpoints and ids, and no word of a ticket."""

from __future__ import annotations

import gzip
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from triage import traces
from triage.errors import SettingsError
from triage.traces import set_up_traces, span

PROGRAM = """
import os
from triage.traces import set_up_traces, span
assert set_up_traces("tandem-test", dict(os.environ))
with span("triage", run=3, desk="acme"):
    with span("GET /tickets/{ticket}"):
        pass
    try:
        with span("classify"):
            raise ValueError("what a customer wrote")
    except ValueError:
        pass
"""


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted."""

    got: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        zipped = self.headers.get("Content-Encoding") == "gzip"
        self.got.append((self.path, gzip.decompress(body) if zipped else body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    handler = type("Handler", (Collector,), {"got": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.got
    server.shutdown()
    server.server_close()


def test_spans_arrive_with_ids_and_kinds_and_no_text(collector: tuple[str, list[tuple[str, bytes]]]) -> None:
    address, got = collector
    # A process of its own: one exporter per process, and what is left is sent when it ends.
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": address}
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environment, cwd=Path(__file__).parent.parent)
    assert {path for path, _ in got} == {"/v1/traces"}
    request = ExportTraceServiceRequest()
    spans = {}
    for _, body in got:
        request.ParseFromString(body)
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            assert names["service.name"] == "tandem-test"
            spans |= {one.name: one for scope in resource.scope_spans for one in scope.spans}
    assert set(spans) == {"triage", "GET /tickets/{ticket}", "classify"}
    assert spans["classify"].parent_span_id == spans["triage"].span_id
    ids = {one.key: one.value.string_value or one.value.int_value for one in spans["triage"].attributes}
    assert ids == {"tandem.run": 3, "tandem.desk": "acme"}
    assert {one.key: one.value.string_value for one in spans["classify"].attributes} == {"error.type": "ValueError"}
    assert b"customer wrote" not in b"".join(body for _, body in got)


def test_packages_that_are_missing_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with pytest.raises(SettingsError, match=r"pip install .* requirements-traces\.txt"):
        set_up_traces("tandem-test", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")  # set for the exporter, from what stood in .env


def test_without_a_collector_nothing_is_loaded_and_nothing_happens() -> None:
    assert not set_up_traces("tandem-test", {})
    assert traces._tracer is None
    with span("triage", run=3):
        pass
    loaded = "any(name.startswith('opentelemetry.exporter') for name in sys.modules)"
    code = f"import sys, workers.pipeline, webhooks.app; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0
