"""The tables. Times are UTC seconds since 1970 (float): one type that compares alike on both databases."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)
# SQLite only counts up by itself on INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("key", String(200), nullable=False),  # the sender's id of this call, or what stands for it
    Column("ticket_id", String(40), nullable=False, default=""),
    Column("event", String(80), nullable=False, default=""),
    Column("occasion", String(80), nullable=False, default="created", server_default="created"),  # "clock", or a run's
    Column("state", String(12), nullable=False),  # received, queued, done, ignored, unreadable, dead
    Column("reason", Text, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("wakeups", Integer, nullable=False, default=0),  # how often the sweep sent it again
    Column("received_at", Float, nullable=False),
    Column("due_at", Float),  # when the sweep looks at it again; null when over
    Column("finished_at", Float),
    Column("body", LargeBinary),  # as received, until the retention days are over
    UniqueConstraint("desk", "key"),
    Index(None, "due_at", sqlite_where=text("due_at IS NOT NULL"), postgresql_where=text("due_at IS NOT NULL")),
    Index(None, "desk", "ticket_id"),
    Index(None, "state", "received_at"),
    # The console searches through this one alone, newest first, without a look at the rows.
    Index("ix_deliveries_browse", "received_at", "id", "desk", "state", "event"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    # What is triaged: "created", or what came later ("message:ID", "asked:ID", "answer:ID"); one run for each.
    Column("occasion", String(80), nullable=False),
    Column("reference", String(20), nullable=False, unique=True),  # the TDM-... line of its note
    Column("state", String(12), nullable=False),  # waiting, running, done, skipped, dead
    Column("owner", String(80), nullable=False, default=""),
    Column("lease_until", Float),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("reason", Text, nullable=False, default=""),
    Column("policy", String(20), nullable=False, default=""),
    Column("classification", JSON),
    Column("decision", JSON),
    Column("classifier", String(40), nullable=False, default=""),
    Column("model", String(120), nullable=False, default=""),
    Column("tokens_in", Integer, nullable=False, default=0),
    Column("tokens_out", Integer, nullable=False, default=0),
    Column("cost_usd", Float, nullable=False, default=0.0),
    Column("timings", JSON),  # step -> seconds
    Column("sources", JSON),  # articles and solved tickets that were found: kind, key and score, no text
    Column("draft", JSON),  # triage/draft.py
    Column(
        "drafted", String(10), nullable=False, default="", server_default=""
    ),  # what the draft came to; stays when it goes
    Column("speech", String(12), nullable=False, default="", server_default=""),  # silent, note, safe, reply
    Column("heard", String(40)),  # id of the newest message it read; empty: only the first one; null: not kept
    # What the classification says, to be searched by; kept when its details are forgotten.
    Column("team", String(80), nullable=False, default="", server_default=""),
    Column("priority", String(40), nullable=False, default="", server_default=""),
    UniqueConstraint("desk", "ticket_id", "occasion"),
    Index(None, "finished_at", "state"),
    # As that of deliveries; costs are summed from it, too.
    Index("ix_runs_browse", "created_at", "id", "desk", "state", "classifier", "team", "priority", "cost_usd"),
)

effects = Table(
    "effects",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("run_id", Id, ForeignKey("runs.id"), nullable=False),
    Column("kind", String(12), nullable=False),  # note, update, fields, tags, reply
    Column("state", String(12), nullable=False),  # planned, sent, confirmed, failed, undone
    Column("intent", JSON, nullable=False),
    Column("before", JSON),
    Column("after", JSON),
    Column("refused", JSON),
    Column("note_id", String(40), nullable=False, default=""),
    Column("created_at", Float, nullable=False),
    Column("sent_at", Float),
    Column("confirmed_at", Float),
    Column("undo", JSON),  # what taking it back was to do and has done; set before anything is
    UniqueConstraint("run_id", "kind"),
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("kind", String(40), nullable=False),  # public_note, desk_locked
    Column("ticket_id", String(40), nullable=False, default=""),
    Column("text", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("desk", "kind", "ticket_id"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("desk", String(40), primary_key=True),
    Column("name", String(40), primary_key=True),  # see marks.py
    Column("value", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("field", String(20), nullable=False),  # primary_team, priority, sentiment, churn_risk
    Column("created_at", Float, nullable=False),
    Column("kind", String(80), nullable=False),  # how it was fitted, for people
    Column("labels", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),  # what the test on held-out tickets gave
    Column("thresholds", JSON, nullable=False),  # target precision -> probability
    Column("encoder", String(80), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("blob", LargeBinary, nullable=False),  # numbers only, see triage/classify/head.py
    # At most one active model per field, also when two people teach at once.
    Index(None, "desk", "field", unique=True, sqlite_where=text("active"), postgresql_where=text("active")),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    Column("run_id", Id, ForeignKey("runs.id"), nullable=False),
    Column("field", String(20), nullable=False),  # primary_team, priority, sentiment, churn_risk
    Column("ours", String(200), nullable=False),  # the label we chose
    Column("theirs", String(200), nullable=False),  # what people ended with: our label, or the helpdesk's own name
    Column("agreed", Boolean, nullable=False),
    Column("written", Boolean, nullable=False),  # we had set or tagged it, not only watched
    Column("probability", Float, nullable=False),  # ours, as it was shown
    Column("probabilities", JSON),  # label -> probability before any temperature, until the retention days are over
    Column("default_temperature", Float, nullable=False, default=1.0),  # what is applied where none was fitted
    Column("classifier", String(40), nullable=False),
    Column("final", Boolean, nullable=False),  # the ticket is solved or closed, so the label holds
    Column("observed_at", Float, nullable=False),  # when the ticket changed to what was seen
    UniqueConstraint("run_id", "field"),
    Index(None, "desk", "field", "observed_at"),
    Index(None, "observed_at"),
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("classifier", String(40), nullable=False),
    Column("field", String(20), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("temperature", Float),  # null where none helped
    Column("thresholds", JSON, nullable=False),  # target precision -> probability; empty: the classifier's own
    Column("metrics", JSON, nullable=False),  # log-loss and calibration error before and after
    Column("tickets", Integer, nullable=False),  # how many outcomes it was fitted on
    Column("active", Boolean, nullable=False),
    # At most one is applied, also when two workers refit at once.
    Index(
        None, "desk", "classifier", "field", unique=True, sqlite_where=text("active"), postgresql_where=text("active")
    ),
)

backtests = Table(
    "backtests",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("arguments", String(200), nullable=False),  # what was asked for, as text: the same again goes on
    Column("serial", Integer, nullable=False),  # which of those with the same arguments this is
    Column("policy", String(20), nullable=False),  # settings, models and prompt it replays
    Column("state", String(12), nullable=False),  # reading, working, done
    Column("since", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("cursor", Text, nullable=False, default=""),  # how far the closed tickets were listed
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    # Two commands at once begin one backtest.
    UniqueConstraint("desk", "arguments", "serial"),
    Index(None, "created_at"),
)

# No text of a customer: tickets are read again by their ids.
backtest_tickets = Table(
    "backtest_tickets",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("backtest_id", Id, ForeignKey("backtests.id"), nullable=False),
    Column("ticket_id", String(80), nullable=False),
    Column("state", String(12), nullable=False),  # context, waiting, running, done, skipped
    Column("place", Float, nullable=False),  # by chance, so that a part of them stands for all
    Column("owner", String(80), nullable=False, default=""),
    Column("lease_until", Float),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", Float),  # when the customer wrote; null where a file does not say
    Column("requester", String(40), nullable=False, default=""),
    Column("url", String(300), nullable=False, default=""),
    Column("truth", JSON, nullable=False),  # field -> label that people gave
    Column("answer", JSON),  # the classification without a word of the ticket
    Column("seen", JSON, nullable=False),  # fields whose learned model has learned from this very text
    Column("reason", Text, nullable=False, default=""),
    Column("finished_at", Float),
    Column("cost_usd", Float, nullable=False, default=0.0),
    UniqueConstraint("backtest_id", "ticket_id"),
    Index(None, "backtest_id", "state", "place"),
    Index(None, "backtest_id", "requester"),
    Index(None, "finished_at"),
)

# What a desk knows: help-centre articles, Markdown files, and solved tickets, these masked.
knowledge_documents = Table(
    "knowledge_documents",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("kind", String(12), nullable=False),  # article, file, ticket
    Column("key", String(300), nullable=False),  # article:language, path in the folder, ticket id
    Column("group_key", String(300), nullable=False),  # the translations of one article share it
    Column("language", String(10), nullable=False),
    Column("title", String(300), nullable=False),
    Column("path", String(300), nullable=False),  # of its page, on the desk's host
    Column("stamp", String(60), nullable=False),  # when the source last changed it, in the source's words
    Column("fingerprint", String(64), nullable=False),  # the same means that nothing is to be done
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),  # when the source last showed it
    UniqueConstraint("desk", "kind", "key"),
)

knowledge_passages = Table(
    "knowledge_passages",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("document_id", Id, ForeignKey("knowledge_documents.id"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("part", Integer, nullable=False),  # 0 title, 1 body, 2 answer
    Column("text", Text, nullable=False),
    Column("encoder", String(80), nullable=False),  # vectors of different models must never meet
    Column("dim", Integer, nullable=False),
    Column("vector", LargeBinary, nullable=False),  # one signed byte for each dimension
    Column("scale", Float, nullable=False),  # what the bytes are to be multiplied with
    Column("words", LargeBinary, nullable=False),  # see triage/knowledge/terms.py
    UniqueConstraint("document_id", "place"),
)

knowledge_rounds = Table(
    "knowledge_rounds",
    metadata,
    Column("desk", String(40), primary_key=True),
    Column("kind", String(12), primary_key=True),  # article, file, ticket
    Column("cursor", Text, nullable=False),  # where the round goes on; empty at its beginning
    Column("started_at", Float),  # null while none is under way
    Column("finished_at", Float),
    Column("reason", Text, nullable=False),  # why there is nothing to read, empty where there is
    Column("lease_until", Float, nullable=False),
)

# What happened on a day (UTC), counted from the other tables; see days.py for the names.
day_counts = Table(
    "day_counts",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970
    Column("name", String(20), primary_key=True),
    Column("desk", String(40), primary_key=True),
    Column("key", String(450), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("amount", Float, nullable=False),
)

# What is known of a ticket whose SLA clocks are kept; every change of its clocks goes through this row's version.
watches = Table(
    "watches",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("seen_at", Float, nullable=False),  # the ticket's own time of change when it was last read
    Column("looked_at", Float, nullable=False),  # when it was last read
    Column("status", String(12), nullable=False),
    Column("priority", String(40), nullable=False),  # P0_critical ..., by which the clocks run
    Column("team", String(80), nullable=False),
    Column("tier", String(80), nullable=False),
    Column("judged_priority", String(40), nullable=False),  # what triage was sure of, else empty
    Column("judged_team", String(80), nullable=False),
    Column("held", JSON, nullable=False),  # {"paused": [[from, to or null]], "solved": [...]}
    Column("stage", String(10), nullable=False),  # ok, at_risk, breached: the worst of its open clocks
    Column("episode", Integer, nullable=False),  # goes up when the stage goes down: what is said is said once in each
    Column("escalated", JSON),  # what our escalation set: {"priority": word, "group": name, "was": priority}
    Column("note_id", String(40), nullable=False, default=""),  # the SLA note, where the helpdesk can change notes
    Column("created_at", Float, nullable=False),
    UniqueConstraint("desk", "ticket_id"),
)

clocks = Table(
    "clocks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    Column("metric", String(16), nullable=False),  # first_response, next_response, resolution
    Column("cycle", Integer, nullable=False),  # 0; for next_response the second it began
    Column("state", String(10), nullable=False),  # running, paused, breached (and still open), met, cancelled
    Column("stage", String(10), nullable=False),  # ok, at_risk, breached; of a clock that has ended: when it ended
    Column("source", String(10), nullable=False),  # policy, helpdesk
    Column("priority", String(40), nullable=False),
    Column("team", String(80), nullable=False),
    Column("tier", String(80), nullable=False),
    Column("calendar", String(80), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("target", Float, nullable=False),  # minutes that count in the calendar
    Column("remaining", Float, nullable=False),  # of them, when it was last read; while paused this stays true
    Column("at_risk_at", Float),
    Column("due_at", Float),  # null while paused, and for never
    Column("next_check_at", Float),  # when the sweep looks at it; null when nothing will happen by itself
    Column("ended_at", Float),
    Column("failures", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("desk", "ticket_id", "metric", "cycle"),
    Index(
        None,
        "next_check_at",
        sqlite_where=text("next_check_at IS NOT NULL"),
        postgresql_where=text("next_check_at IS NOT NULL"),
    ),
    # The views are counted from these three alone, without a look at the rows.
    Index(
        "ix_clocks_ended",
        *("ended_at", "state", "stage", "desk", "team", "priority", "metric"),
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    ),
    Index(
        "ix_clocks_open",
        *("desk", "team", "priority", "metric", "stage", "source"),
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "ix_clocks_due",
        *("due_at", "desk", "metric"),
        sqlite_where=text("ended_at IS NULL AND due_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NULL AND due_at IS NOT NULL"),
    ),
)

# What is done about a ticket's stage: each recorded before it is done, at most once per episode.
acts = Table(
    "acts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("desk", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    Column("episode", Integer, nullable=False),
    Column("stage", String(10), nullable=False),  # ok (clearing up), at_risk, breached
    Column("kind", String(10), nullable=False),  # note, fields, tags, message
    Column("channel", String(40), nullable=False, default=""),  # of a message
    Column("state", String(10), nullable=False),  # planned, sent, confirmed, failed, dropped, undone
    Column("reference", String(20), nullable=False, default=""),  # the TDM-... line of a note
    Column("note_id", String(40), nullable=False, default=""),
    Column("before", JSON),
    Column("after", JSON),
    Column("refused", JSON),
    Column("attempts", Integer, nullable=False, default=0),
    Column("try_at", Float),  # when the sweep takes it up; null when over
    Column("reason", Text, nullable=False, default=""),
    Column("created_at", Float, nullable=False),
    Column("sent_at", Float),
    Column("confirmed_at", Float),
    Column("undo", JSON),  # as in effects
    UniqueConstraint("desk", "ticket_id", "episode", "stage", "kind", "channel"),
    Index(None, "try_at", sqlite_where=text("try_at IS NOT NULL"), postgresql_where=text("try_at IS NOT NULL")),
)

# What left for a language model, as it left: masked. Kept for the retention days of run details.
exchanges = Table(
    "exchanges",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("run_id", Id, ForeignKey("runs.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("purpose", String(20), nullable=False),  # classify, draft
    Column("host", String(255), nullable=False),
    Column("model", String(120), nullable=False),
    Column("sent", Text, nullable=False),  # the messages as JSON
    Column("answer", Text, nullable=False),  # as it came, placeholders and all; cut where it was too long to read
    Column("problem", Text, nullable=False),  # why there is none, or why it could not be used
    Column("seconds", Float, nullable=False),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Index(None, "run_id"),
    Index(None, "at"),
)

# Whom Tandem has answered by itself within a day: none of them a second time. A requester is an id.
answered = Table(
    "answered",
    metadata,
    Column("desk", String(40), primary_key=True),
    Column("requester", String(40), primary_key=True),
    Column("run_id", Id, nullable=False),
    Column("at", Float, nullable=False),
)

# One fact that a person was asked for in a note.
questions = Table(
    "questions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("run_id", Id, ForeignKey("runs.id"), nullable=False, unique=True),
    Column("desk", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("options", JSON, nullable=False),  # what the links in the note offer
    Column("state", String(10), nullable=False),  # open, answered, dropped
    Column("answer", Text, nullable=False, default=""),
    Column("answered_by", String(80), nullable=False, default=""),  # link, or "asked:ID" of a private note
    Column("created_at", Float, nullable=False),
    Column("answered_at", Float),
    Index(None, "desk", "ticket_id"),
    Index(None, "created_at"),
)

# What agents said of a note by its links: each has one vote on the triage and one on the draft, the later one holds.
feedback = Table(
    "feedback",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("run_id", Id, ForeignKey("runs.id"), nullable=False),
    Column("desk", String(40), nullable=False),
    Column("ticket_id", String(40), nullable=False),
    Column("voter", String(64), nullable=False),  # hash of a random name in the agent's browser
    Column("about", String(10), nullable=False),  # triage, draft
    Column("verdict", String(24), nullable=False),
    Column("label", String(200), nullable=False, default=""),  # which team or priority is right, where they say so
    Column("reason", Text, nullable=False, default=""),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("run_id", "voter", "about"),
    Index(None, "desk", "created_at"),
)

# What people have switched while everything runs: goes before the settings file.
controls = Table(
    "controls",
    metadata,
    Column("desk", String(40), primary_key=True),  # "*" for all
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("updated_at", Float, nullable=False),
)

# Who changed what: never changed itself, deleted only by its own retention days.
audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("actor", String(80), nullable=False),  # console:NAME, command:USER of the machine, feedback link
    Column("action", String(40), nullable=False),
    Column("desk", String(40), nullable=False, default=""),
    Column("subject", String(120), nullable=False, default=""),  # what it was done to: "delivery 7", "mode"
    Column("detail", JSON, nullable=False),  # ids, values before and after; no text of a customer, no secret
    Index(None, "at"),
    Index(None, "desk", "at"),
)

# Customers whose list of tickets was read, and when it was asked for; from then on it is kept up.
customers = Table(
    "customers",
    metadata,
    Column("desk", String(40), primary_key=True),
    Column("requester_id", String(40), primary_key=True),
    Column("listed_at", Float, nullable=False),
    Index(None, "listed_at"),
)

# As last shown by a list, by the catch-up or by a read; whole only for the customers above.
customer_tickets = Table(
    "customer_tickets",
    metadata,
    Column("desk", String(40), primary_key=True),
    Column("ticket_id", String(40), primary_key=True),
    Column("requester_id", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("tags", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),  # on the helpdesk: an older state never takes a newer one's place
    Index(None, "desk", "requester_id"),
)
