"""Many tickets by the OpenAI Batch API: one file up, hours of patience, one file back, at half the price.

Everything that must not be lost, ids of files and batches, stands in a state file from the moment it is known; the
same work started again goes on from there. Answers take the same checks as live ones.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from triage.classification import Classification
from triage.classify.api import Body, Refusal
from triage.classify.asking import INVALID, Bill
from triage.classify.base import PaidModelError
from triage.classify.bulk_state import DAMAGED, BulkError, NoBatchesError, Part, State, code_of, result_of
from triage.classify.endpoint import Plan
from triage.classify.llm import LlmClassifier
from triage.classify.reply import CHARS_PER_TOKEN, Reply, read_reply
from triage.errors import ModelError
from triage.ticket import Ticket

BATCH_PRICE = 0.5
"""Share of the live price (https://platform.openai.com/docs/guides/batch, "50% cost discount")."""
MAX_ROWS = 10_000
MAX_BYTES = 150_000_000
"""Of one batch; the vendor takes 50,000 requests and 200 MB (API reference, "Create batch")."""
ANSWER_TOKENS = 350
"""Output tokens of a usual answer, for the estimate."""
FIRST_LOOK, LAST_LOOK = 5.0, 60.0
OVER = frozenset({"completed", "failed", "expired", "cancelled"})
NO_SUCH_API = frozenset({400, 404, 405, 501})

NO_BATCHES = "the endpoint has no batch API (HTTP {status})"
OTHER_WORK = (
    "{state} belongs to a batch of other tickets or settings ({batches}); let that one finish with the input it was "
    "started with, or delete the file to give it up"
)
TOO_DEAR = "this batch would cost about {cost:.2f} USD, above llm.daily_cap_usd; raise the cap or split the file"
FAILED = "the batch {batch} failed ({code}); nothing was answered"
NO_ANSWER = "the batch holds no answer for this ticket ({status})"

Say = Callable[[str], None]


class Bulk:
    """One piece of bulk work over `tickets`, resumable by its state file."""

    def __init__(
        self, llm: LlmClassifier, tickets: Sequence[Ticket], state: Path, say: Say = lambda _line: None
    ) -> None:
        self._llm = llm
        self._tickets = tickets
        self._path = state
        self._say = say
        self._state = State("", {})

    def start(self) -> None:
        """Send what has not been sent yet. Raises NoBatchesError, BulkError or ModelError."""
        fingerprint, cost = self._weigh()
        known = State.read(self._path)
        if known and known.fingerprint != fingerprint:
            ids = ", ".join(part.batch for part in known.parts if part.batch) or "none sent"
            raise BulkError(OTHER_WORK.format(state=self._path, batches=ids))
        if known and known.tickets > len(self._tickets):
            raise BulkError(DAMAGED.format(state=self._path))
        if known:
            self._state = known
            self._say(f"going on with {', '.join(part.batch for part in known.parts if part.batch) or 'an upload'}")
        else:
            cap = self._llm.settings.daily_cap_usd
            if cap is not None and cost > cap:
                raise BulkError(TOO_DEAR.format(cost=cost))
            self._state = State(fingerprint, asdict(self._learnt_plan()))
        self._send_parts()

    def _weigh(self) -> tuple[str, float]:
        """Return what this work is told by, and its price in US dollars, estimated."""
        digest = hashlib.sha256(self._llm.model.encode())
        bill = Bill()
        for ticket in self._tickets:
            try:
                messages = self._llm.questionnaire.question(ticket).messages
            except ModelError:
                continue  # it cannot be asked about; its row stays out as well
            digest.update(json.dumps(messages).encode())
            bill.tokens_in += sum(len(message["content"]) for message in messages) // CHARS_PER_TOKEN
            bill.tokens_out += ANSWER_TOKENS
        return digest.hexdigest(), bill.cost(self._llm.settings, BATCH_PRICE)

    def _learnt_plan(self) -> Plan:
        """Ask the first ticket live: what the endpoint refuses is better learnt by one call than by every row."""
        with suppress(ModelError):
            self._llm.classify(self._tickets[0])
        return self._llm.endpoint.plan

    def _send_parts(self) -> None:
        sent = sum(part.count for part in self._state.parts if part.batch)
        # A part that was not created yet is made again: its upload may be lost.
        self._state.parts = [part for part in self._state.parts if part.batch]
        while sent < len(self._tickets):
            part = self._sent(sent)
            self._state.parts.append(part)
            self._state.write(self._path)
            sent += part.count
            self._say(f"sent {part.count} tickets as {part.batch}")

    def _sent(self, first: int) -> Part:
        """Send one batch of the tickets from `first` on."""
        api = self._llm.api
        try:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "tandem-batch.jsonl"
                count = self._write_rows(file, first)
                uploaded = api.upload(file, "batch")
            return Part(first, count, uploaded, str(api.create_batch(uploaded).get("id")))
        except Refusal as refusal:
            if refusal.status in NO_SUCH_API and not self._state.parts:
                raise NoBatchesError(NO_BATCHES.format(status=refusal.status)) from None
            raise

    def _write_rows(self, file: Path, first: int) -> int:
        """Write the requests from ticket `first` on, as many as one batch takes, and return how many."""
        count = size = 0
        with file.open("w", encoding="utf-8") as out:
            for place in range(first, min(first + MAX_ROWS, len(self._tickets))):
                try:
                    line = json.dumps(self._row(place)) + "\n"
                except ModelError:
                    line = ""
                size += len(line)
                if count and size > MAX_BYTES:
                    break
                out.write(line)
                count += 1
        return count

    def _row(self, place: int) -> Body:
        messages = self._llm.questionnaire.question(self._tickets[place]).messages
        body = self._llm.endpoint.request(Plan(**self._state.plan), self._llm.model, messages)
        return {"custom_id": f"ticket-{place}", "method": "POST", "url": "/v1/chat/completions", "body": body}

    def ready(self, *, wait: bool) -> bool:
        """Say whether every batch is over; with `wait` look again, more and more seldom, until it is."""
        pause = FIRST_LOOK
        while True:
            self._look()
            if all(part.status in OVER for part in self._state.parts):
                return True
            if not wait:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, LAST_LOOK)

    def _look(self) -> None:
        for part in self._state.parts:
            if part.status in OVER:
                continue
            try:
                batch = self._llm.api.batch(part.batch)
            except Refusal as refusal:
                if refusal.status != 429 and refusal.status < 500:
                    raise
                continue
            except ModelError:
                continue  # nobody answered: the next look may find somebody
            status = str(batch.get("status"))
            counts = batch.get("request_counts") or {}
            if isinstance(counts, dict) and (status != part.status or status == "in_progress"):
                self._say(f"{part.batch}: {status}, {counts.get('completed', 0)} of {part.count} answered")
            part.status = status
            part.output, part.errors = str(batch.get("output_file_id") or ""), str(batch.get("error_file_id") or "")
            self._state.write(self._path)
            if status == "failed":
                self._path.unlink()
                raise BulkError(FAILED.format(batch=part.batch, code=code_of(batch)))

    def answers(self) -> Iterator[Classification | ModelError]:
        """Yield one classification per ticket, in order, or why there is none, once `ready` says so."""
        for part in self._state.parts:
            bodies = self._results(part)
            for place in range(part.first, part.first + part.count):
                found = bodies.pop(f"ticket-{place}", NO_ANSWER.format(status=part.status))
                try:
                    yield self._answer(self._tickets[place], found)
                except ModelError as error:
                    yield error

    def _answer(self, ticket: Ticket, found: Body | str) -> Classification:
        if isinstance(found, str):
            raise ModelError(found)
        question, bill = self._llm.questionnaire.question(ticket), Bill()
        reply: Reply = read_reply(found, question.messages)
        bill.add(reply)
        try:
            if reply.problem:
                raise ModelError(reply.problem)
            verdict = self._llm.questionnaire.verdict(question, reply)
        except ModelError as error:
            reason = reply.problem or INVALID.format(problem=error)
            cost = bill.cost(self._llm.settings, BATCH_PRICE)
            raise PaidModelError(reason, bill.tokens_in, bill.tokens_out, cost) from None
        return self._llm.questionnaire.classification(question, verdict, self._llm.used(bill, BATCH_PRICE))

    def _results(self, part: Part) -> dict[str, Body | str]:
        """Return row id -> body of the answer, or the reason why there is none."""
        found: dict[str, Body | str] = {}
        with tempfile.TemporaryDirectory() as folder:
            for number, file_id in enumerate((part.output, part.errors)):
                if file_id:
                    target = Path(folder) / f"{number}.jsonl"
                    self._llm.api.download(file_id, target)
                    with target.open(encoding="utf-8", errors="replace") as lines:
                        for name, body in filter(None, map(result_of, lines)):
                            # A request that was tried twice may stand here with an answer and with a failure.
                            if not isinstance(found.get(name), dict):
                                found[name] = body
        return found

    def clear(self) -> None:
        """Forget the work once its answers are kept, at the endpoint too: its files hold what customers wrote."""
        for part in self._state.parts:
            for file_id in (part.file, part.output, part.errors):
                if file_id:
                    with suppress(ModelError):
                        self._llm.api.delete_file(file_id)
        self._path.unlink(missing_ok=True)
