"""The pages behind the links in notes: GET shows one button and changes nothing, POST records.

No login: the link itself is the permission, so it says one thing about one note and no page shows more than the note
did. An agent is known by a random cookie; the form carries a token made of that cookie and the link.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from triage.environment import Environment
from triage.links import (
    ON_DRAFT,
    PATH,
    VERDICTS,
    VOTE,
    WRONG_PRIORITY,
    WRONG_TEAM,
    BadLinkError,
    Claim,
    OldLinkError,
    read,
    sign,
)
from triage.live import Current
from triage.store import Store
from triage.store.feedback import DRAFT, REASON_LENGTH, TRIAGE, Vote
from triage.store.questions import ANSWERED, BY_LINK, DROPPED, OPEN, Question
from triage.store.runs import Run
from webhooks.login import source_of
from webhooks.pace import Pace
from webhooks.voters import Voters
from webhooks.wakeup import Wakeup

logger = logging.getLogger(__name__)
MOST_BODY = 16 * 1024
# An office shares one address.
VOTES_PER_SOURCE, SOURCE_SECONDS = 60, 60.0
VOTES_PER_NOTE, NOTE_SECONDS = 40, 600.0
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
BAD_LINK = "This link does not work", "It is not complete, or it belongs to another Tandem."
OLD_LINK = "This link is too old", "Links in notes work for some weeks. Nothing was recorded."
TOO_MANY = "Too many at once", "Nothing was recorded. Wait a few minutes and press the button again."
DATABASE_DOWN = "Not recorded", "Tandem's database does not answer. Try again in a minute."
UNEXPECTED = "Not recorded", "Something unexpected went wrong. Tandem's log names it."
NO_COOKIE = (
    "Not recorded yet: your browser did not send back the cookie that keeps one vote for each agent. Press the button "
    "once more; if that does not help, allow cookies for this address."
)
CLOSED = "This question is closed", "The ticket was solved, or something else was asked. Nothing was recorded."
CORRECT_IT = "To correct it, write a private note on the ticket that begins with @tandem."


@dataclass(frozen=True)
class Visit:
    """One request that came with a valid link."""

    token: str
    claim: Claim
    run: Run
    question: Question | None
    """Of an answer link."""
    voter: str
    """The cookie; a fresh one on a first visit."""
    is_new: bool


class Feedback:
    """The pages below /feedback/."""

    def __init__(self, environment: Environment, current: Current, store: Store, wakeup: Wakeup) -> None:
        self._key = environment.secret_key.get_secret_value()
        self._voters = Voters(self._key, secure=environment.public.lower().startswith("https:"))
        self._current = current
        self._store = store
        self._wakeup = wakeup
        self._sources = Pace(VOTES_PER_SOURCE, SOURCE_SECONDS)
        self._notes = Pace(VOTES_PER_NOTE, NOTE_SECONDS)

    def blueprint(self) -> Blueprint:
        """Return the routes. Flask answers HEAD as GET and OPTIONS by itself: neither records anything."""
        routes = Blueprint("feedback", __name__)
        routes.after_request(_protect)
        routes.register_error_handler(HTTPException, _http_error)
        routes.register_error_handler(SQLAlchemyError, _database_error)
        routes.register_error_handler(Exception, _any_error)
        routes.add_url_rule(PATH, "nothing", lambda: _message(BAD_LINK, 404))
        routes.add_url_rule(f"{PATH}<path:token>", "show", self._show, methods=["GET"])
        routes.add_url_rule(f"{PATH}<path:token>", "record", self._record, methods=["POST"])
        return routes

    def _show(self, token: str) -> Response:
        visit = self._visit(token)
        return visit if isinstance(visit, Response) else self._form(visit)

    def _record(self, token: str) -> Response:
        request.max_content_length = MOST_BODY
        now = time.monotonic()
        if not self._sources.admit(source_of(request.remote_addr), now):
            return _message(TOO_MANY, 429)
        visit = self._visit(token)
        if isinstance(visit, Response):
            return visit
        if visit.is_new or not self._voters.sent_by(visit.voter, token):
            return self._form(visit, NO_COOKIE, 400)
        if not self._notes.admit(visit.run.reference, now):
            return _message(TOO_MANY, 429)
        return self._vote(visit) if visit.claim.kind == VOTE else self._answer(visit)

    def _visit(self, token: str) -> Visit | Response:
        """Return what the link leads to, or the page that says why it leads nowhere."""
        try:
            # Nothing is signed with an empty key.
            claim = read(self._key, token if self._key else "", time.time())
        except BadLinkError:
            return _message(BAD_LINK, 404)
        except OldLinkError:
            return _message(OLD_LINK, 410)
        run = self._store.runs.by_reference(claim.reference)
        if run is None or run.desk not in self._current().desks:
            return _message(BAD_LINK, 404)
        if not self._current().feedback.links:
            return _message(OLD_LINK, 410)
        question = None
        if claim.kind != VOTE:
            question = self._store.questions.of_run(run.id)
            if question is None or int(claim.value) >= len(question.options):
                return _message(OLD_LINK, 410)
        return Visit(token, claim, run, question, *self._voters.of_request())

    def _form(self, visit: Visit, problem: str = "", status: int = 200) -> Response:
        """Return the page with the one button."""
        if visit.question:
            if visit.question.state != OPEN:
                return self._settled(visit, visit.question)
            page = self._page(visit, "answer", problem=problem, option=_option(visit, visit.question))
        else:
            about = DRAFT if visit.claim.value in ON_DRAFT else TRIAGE
            known = {} if visit.is_new else self._store.feedback.of_voter(visit.run.id, self._voters.name(visit.voter))
            page = self._page(
                visit,
                "vote",
                problem=problem,
                before=known.get(about),
                choices=self._choices(visit),
                reason_length=REASON_LENGTH,
            )
        page.status_code = status
        if visit.is_new:
            self._voters.remember(visit.voter, page)
        return page

    def _choices(self, visit: Visit) -> list[str]:
        """Return the labels that may be right instead."""
        ours = visit.run.classification or {}
        if visit.claim.value == WRONG_TEAM:
            return [team for team in self._current().teams if team != ours.get("primary_team")]
        if visit.claim.value == WRONG_PRIORITY:
            return [str(name) for name in self._current().priorities if name != ours.get("priority")]
        return []

    def _vote(self, visit: Visit) -> Response:
        run, verdict, label = visit.run, visit.claim.value, request.form.get("label", "")
        vote = Vote(
            run_id=run.id,
            desk=run.desk,
            ticket_id=run.ticket_id,
            voter=self._voters.name(visit.voter),
            about=DRAFT if verdict in ON_DRAFT else TRIAGE,
            verdict=verdict,
            label=label if label in self._choices(visit) else "",
            reason=_one_text(request.form.get("reason", "")) if verdict in ON_DRAFT else "",
            created_at=time.time(),
        )
        if not self._store.feedback.vote(vote):
            return _message(TOO_MANY, 429)
        detail = {"verdict": verdict, "label": vote.label, "reference": run.reference}
        self._store.audit.record(
            BY_LINK, "vote", vote.created_at, desk=run.desk, subject=f"ticket {run.ticket_id}", **detail
        )
        logger.info("feedback: desk=%s run=%d verdict=%s", run.desk, run.id, verdict)
        others = {
            name: PATH + sign(self._key, replace(visit.claim, value=name))
            for name in VERDICTS
            if name != verdict and (name in ON_DRAFT) == (verdict in ON_DRAFT)
        }
        return self._page(visit, "thanks", vote=vote, others=others, is_ours=True)

    def _answer(self, visit: Visit) -> Response:
        assert visit.question is not None
        question, now = visit.question, time.time()
        option = _option(visit, question)
        received = self._store.questions.answer_and_resume(question, option, BY_LINK, now)
        if received is None:
            return self._settled(visit, self._store.questions.of_run(visit.run.id) or question)
        if received.needs_queueing and self._wakeup.send(received.id):
            self._store.deliveries.mark_queued(received.id, time.time())
        # By its place: the words may be a model's.
        detail = {"question": question.id, "option": int(visit.claim.value)}
        self._store.audit.record(
            BY_LINK, "answer", now, desk=question.desk, subject=f"ticket {question.ticket_id}", **detail
        )
        logger.info("answer: desk=%s question=%d delivery=%d", question.desk, question.id, received.id)
        return self._page(visit, "answered", answer=option, is_ours=True)

    def _settled(self, visit: Visit, question: Question) -> Response:
        """Say that nothing can be recorded any more, and what was."""
        if question.state == DROPPED or not question.answer:
            return _message(CLOSED, 410)
        assert question.state == ANSWERED
        page = self._page(visit, "answered", answer=question.answer, is_ours=False)
        if request.method == "POST":
            page.status_code = 409
        return page

    def _page(self, visit: Visit, state: str, **values: object) -> Response:
        html = render_template(
            "feedback/page.html",
            state=state,
            run=visit.run,
            verdict=visit.claim.value,
            words=VERDICTS,
            question=visit.question,
            form_token=self._voters.form_token(visit.voter, visit.token),
            correct_it=CORRECT_IT,
            **values,
        )
        return make_response(html)


def _option(visit: Visit, question: Question) -> str:
    return question.options[int(visit.claim.value)]


def _one_text(text: str) -> str:
    """Return an agent's words as they may be stored: without what cannot be read, cut."""
    kept = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    return kept.encode("utf-8", "replace").decode().strip()[:REASON_LENGTH]


def _message(words: tuple[str, str], status: int) -> Response:
    title, text = words
    return make_response(render_template("feedback/message.html", title=title, text=text), status)


def _http_error(error: HTTPException) -> Response:
    return _message((error.name, "Nothing was recorded."), error.code or 500)


def _database_error(error: Exception) -> Response:
    logger.error("feedback: database failed (%s)", type(error).__name__)
    return _message(DATABASE_DOWN, 503)


def _any_error(error: Exception) -> Response:
    # The message may hold what the page or the address holds: log the kind only.
    logger.error("feedback: unexpected %s", type(error).__name__)
    return _message(UNEXPECTED, 500)


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
