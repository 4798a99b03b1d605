"""Files, batches and fine-tuning jobs of the scripted endpoint, in the shapes of OpenAI's API reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from email import message_from_bytes
from email.message import Message
from typing import Any

Answer = tuple[int, bytes]
Row = dict[str, Any]


class Jobs:
    """Holds uploaded files; each look at a batch or job moves it on by one of `statuses`, the last one for ever.

    `row` answers one request of a batch: (status, body of the answer).
    """

    def __init__(self, row: Callable[[Row], tuple[int, Any]] | None = None) -> None:
        self.row = row or (lambda _request: (200, {}))
        self.statuses = ["validating", "in_progress", "completed"]
        self.files: dict[str, tuple[str, bytes]] = {}
        self.deleted: list[str] = []
        self.batches: dict[str, Row] = {}
        self.tunings: dict[str, Row] = {}
        self.shuffle = False
        self.refuse: dict[str, int] = {}
        """Part of a path -> error status."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], sent: bytes) -> Answer:
        """Return status and body for one call."""
        where = path.split("?")[0].partition("/v1/")[2].strip("/").split("/")
        refused = next((status for part, status in self.refuse.items() if part in f"{method} {path}"), None)
        if refused:
            return refused, _json({"error": {"message": "no", "code": "refused"}})
        match method, where:
            case "POST", ["files"]:
                return 200, _json(self._upload(headers, sent))
            case "GET", ["files", name, "content"]:
                return 200, self.files[name][1]
            case "DELETE", ["files", name]:
                self.deleted.append(name)
                return 200, _json({"id": name, "object": "file", "deleted": True})
            case "POST", ["batches"]:
                return 200, _json(self._batch(json.loads(sent)))
            case "GET", ["batches", name]:
                return 200, _json(self._moved(self.batches[name]))
            case "POST", ["fine_tuning", "jobs"]:
                return 200, _json(self._tuning(json.loads(sent)))
            case "GET", ["fine_tuning", "jobs", name]:
                return 200, _json(self._tuned(self.tunings[name]))
            case "GET", ["fine_tuning", "jobs", name, "events"]:
                return 200, _json(self._events(self.tunings[name]))
        return 404, _json({"error": {"message": "no such path"}})

    def lines(self, file_id: str) -> list[Row]:
        """Return the rows of an uploaded file."""
        return [json.loads(line) for line in self.files[file_id][1].splitlines()]

    def _upload(self, headers: Mapping[str, str], sent: bytes) -> Row:
        mail = message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + sent)
        parts: dict[str, Message] = {
            str(part.get_param("name", header="content-disposition")): part for part in mail.walk()
        }
        purpose = bytes(parts["purpose"].get_payload(decode=True)).decode().strip()  # type: ignore[arg-type]
        name = f"file-{len(self.files) + 1}"
        self.files[name] = purpose, bytes(parts["file"].get_payload(decode=True))  # type: ignore[arg-type]
        size = len(self.files[name][1])
        return {"id": name, "object": "file", "bytes": size, "created_at": 1, "filename": "x", "purpose": purpose}

    def _batch(self, asked: Row) -> Row:
        assert asked["endpoint"] == "/v1/chat/completions"
        assert asked["completion_window"] == "24h"
        assert self.files[asked["input_file_id"]][0] == "batch"
        batch = {
            "id": f"batch_{len(self.batches) + 1}", "object": "batch", "endpoint": asked["endpoint"], "created_at": 1,
            "input_file_id": asked["input_file_id"], "completion_window": "24h", "status": "", "looks": 0,
            "output_file_id": None, "error_file_id": None,
        }  # fmt: skip
        self.batches[batch["id"]] = batch
        return batch | {"status": "validating"}

    def _moved(self, batch: Row) -> Row:
        batch["status"] = self.statuses[min(batch["looks"], len(self.statuses) - 1)]
        batch["looks"] += 1
        rows = self.lines(batch["input_file_id"])
        done = batch["status"] in ("completed", "expired", "cancelled")
        if done and not batch["output_file_id"]:
            self._finish(batch, rows[: len(rows) // 2] if batch["status"] == "expired" else rows)
        if batch["status"] == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "invalid_model", "message": "m", "line": 1}]}
        counts = {"total": len(rows), "completed": len(rows) if done else 0, "failed": 0}
        return batch | {"request_counts": counts}

    def _finish(self, batch: Row, rows: list[Row]) -> None:
        good, bad = [], []
        for row in reversed(rows) if self.shuffle else rows:
            status, body = self.row(row)
            line = {"id": f"r-{row['custom_id']}", "custom_id": row["custom_id"], "error": None}
            line["response"] = {"status_code": status, "request_id": "q", "body": body}
            (good if status == 200 else bad).append(_json(line))
        for key, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                batch[key] = f"file-{batch['id']}-{key}"
                self.files[batch[key]] = "batch_output", b"\n".join(lines) + b"\n"

    def _tuning(self, asked: Row) -> Row:
        for key in ("training_file", "validation_file"):
            assert asked.get(key) is None or self.files[asked[key]][0] == "fine-tune"
        job = {
            "id": f"ftjob-{len(self.tunings) + 1}", "object": "fine_tuning.job", "created_at": 1, "looks": 0,
            "status": "validating_files", "fine_tuned_model": None, "trained_tokens": None, "error": None, **asked,
        }  # fmt: skip
        self.tunings[job["id"]] = job
        return job

    def _tuned(self, job: Row) -> Row:
        job["status"] = self.statuses[min(job["looks"], len(self.statuses) - 1)]
        job["looks"] += 1
        if job["status"] == "succeeded":
            job |= {"fine_tuned_model": f"ft:{job['model']}:org:{job.get('suffix', '')}:1", "trained_tokens": 1234}
        if job["status"] == "failed":
            job["error"] = {"code": "invalid_training_file", "message": "line 3 is too long", "param": "training_file"}
        return job

    def _events(self, job: Row) -> Row:
        data = [
            {"id": f"e-{at}", "object": "fine_tuning.job.event", "created_at": at, "level": "info", "message": text}
            for at, text in enumerate(["Created job", f"Job is {job['status']}"], 1)
        ]
        return {"object": "list", "data": data[::-1], "has_more": False}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
