"""The OpenAI-compatible HTTP API as plain data in and out; the only file that imports `openai`.

Every failure is a ModelError whose text names a status at most: bodies repeat the ticket or the key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai

from triage.classify.reply import UNREADABLE
from triage.classify.wire import MAX_ANSWER, TooLarge, bounded_client
from triage.errors import ModelError
from triage.traces import span

OPENAI_URL = "https://api.openai.com/v1"
COMPLETIONS = "/chat/completions"
NO_KEY = "none"  # the SDK wants a word; local endpoints ask for no key
FILE_SECONDS = 600.0
"""Patience with one file; results of a large batch are hundreds of megabytes."""
CALL_SECONDS = 60.0
MAX_FILE = 2_000_000_000

TIMEOUT = "the model did not answer in time"
UNREACHABLE = "the model endpoint cannot be reached"
TOO_LARGE = "the model endpoint sent an answer of impossible size"
NOT_UNDERSTOOD = "the model endpoint sent something unreadable"
STATUS = "the model endpoint answered HTTP {status}"

Body = dict[str, Any]


class Refusal(ModelError):
    """An error status. `message` is the endpoint's own and may repeat what was sent: never shown, only searched."""

    def __init__(self, status: int, message: str, code: str, retry_after: str) -> None:
        super().__init__(STATUS.format(status=status))
        self.status = status
        self.message = message
        self.code = code
        self.retry_after = retry_after


class Unreachable(ModelError):
    """Nobody answered at the address."""


class Api:
    """One endpoint. Nothing is tried again here: who calls knows how long it may take."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url or OPENAI_URL
        self._key = api_key or NO_KEY
        self._chat = self._client(MAX_ANSWER)
        self._files = self._client(MAX_FILE)

    def _client(self, most: int) -> openai.OpenAI:
        http_client = bounded_client(self.base_url, most)
        return openai.OpenAI(base_url=self.base_url, api_key=self._key, max_retries=0, http_client=http_client)

    def chat(self, arguments: Body, seconds: float) -> Body:
        """Return the body of the chat completion for `arguments` (model, messages and so on)."""
        # Not `chat.completions.create`: it looks through every argument and every part of the answer for types of its
        # own, which costs more than the call; what we send and read is plain data.
        with _plain_errors(UNREADABLE), span("chat", model=str(arguments.get("model", ""))):
            answer = self._chat.post(COMPLETIONS, cast_to=object, body=arguments, options={"timeout": seconds})
            # Text is what comes where an endpoint does not say that it sends JSON.
            body = json.loads(answer) if isinstance(answer, str) else answer
            if not isinstance(body, dict):
                raise ModelError(UNREADABLE)
            return body

    def upload(self, file: Path, purpose: str) -> str:
        """Send a JSONL file and return its id; `purpose` is `batch` or `fine-tune`."""
        with _plain_errors(), file.open("rb") as content:
            create: Callable[..., Any] = self._files.files.create
            sent = create(file=(file.name, content, "application/jsonl"), purpose=purpose, timeout=FILE_SECONDS)
            return str(_body(sent)["id"])

    def download(self, file_id: str, target: Path) -> None:
        """Write the content of a stored file to `target`."""
        with (
            _plain_errors(),
            self._files.files.with_streaming_response.content(file_id, timeout=FILE_SECONDS) as response,
        ):
            response.stream_to_file(target)

    def delete_file(self, file_id: str) -> None:
        """Delete a stored file."""
        with _plain_errors():
            self._files.files.delete(file_id, timeout=CALL_SECONDS)

    def create_batch(self, file_id: str) -> Body:
        """Start a batch of chat completions over an uploaded file; the endpoint may take a day."""
        with _plain_errors():
            return _body(
                self._files.batches.create(
                    input_file_id=file_id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    timeout=CALL_SECONDS,
                )
            )

    def batch(self, batch_id: str) -> Body:
        """Return how a batch stands: `status`, `request_counts`, `output_file_id`, `error_file_id`."""
        with _plain_errors():
            return _body(self._files.batches.retrieve(batch_id, timeout=CALL_SECONDS))

    def create_job(self, arguments: Body) -> Body:
        """Start a fine-tuning job (model, training_file, validation_file, suffix)."""
        create: Callable[..., Any] = self._files.fine_tuning.jobs.create
        with _plain_errors():
            return _body(create(timeout=CALL_SECONDS, **arguments))

    def job(self, job_id: str) -> Body:
        """Return how a fine-tuning job stands: `status`, `fine_tuned_model`, `trained_tokens`, `error`."""
        with _plain_errors():
            return _body(self._files.fine_tuning.jobs.retrieve(job_id, timeout=CALL_SECONDS))

    def job_events(self, job_id: str) -> list[Body]:
        """Return the newest events of a fine-tuning job, oldest first."""
        with _plain_errors():
            page = self._files.fine_tuning.jobs.list_events(job_id, limit=50, timeout=CALL_SECONDS)
            return [_body(event) for event in reversed(page.data)]


@contextmanager
def _plain_errors(unreadable: str = NOT_UNDERSTOOD) -> Iterator[None]:
    """Turn what the SDK raises into errors of ours, without the bodies they carry."""
    try:
        yield
    except openai.APITimeoutError:
        raise ModelError(TIMEOUT) from None
    except openai.APIConnectionError as error:
        if isinstance(error.__cause__, TooLarge):
            raise ModelError(TOO_LARGE) from None
        raise Unreachable(UNREACHABLE) from None
    except openai.APIStatusError as error:
        after = error.response.headers.get("retry-after", "")
        raise Refusal(error.status_code, str(error.message), str(getattr(error, "code", "")), after) from None
    except TooLarge:
        raise ModelError(TOO_LARGE) from None
    except (openai.OpenAIError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(unreadable) from None


def _body(answer: Any, unreadable: str = NOT_UNDERSTOOD) -> Body:
    """Return what the endpoint sent; the SDK checks nothing of what it parsed."""
    if not isinstance(answer, openai.BaseModel):
        raise ModelError(unreadable)
    return answer.to_dict(warnings=False)
