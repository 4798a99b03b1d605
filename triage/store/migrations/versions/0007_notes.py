"""drafts, exchanges, questions, feedback, controls, audit, what the console searches by"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What runs said before there were columns to search by.
LABELS = {
    "sqlite": "json_extract(classification, '$.{}')",
    "postgresql": "classification ->> '{}'",
}


def upgrade() -> None:
    """Apply."""
    _search()
    op.add_column("runs", sa.Column("draft", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("drafted", sa.String(10), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("speech", sa.String(length=12), server_default="", nullable=False))
    for table in ("effects", "acts"):
        op.add_column(table, sa.Column("undo", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("heard", sa.String(length=40), nullable=True))
    with op.batch_alter_table("deliveries") as rows:
        rows.alter_column("occasion", type_=sa.String(length=80), existing_nullable=False)
    op.drop_index(op.f("ix_deliveries_received_at"), "deliveries")
    browse = ["received_at", "id", "desk", "state", "event"]
    op.create_index("ix_deliveries_browse", "deliveries", browse, unique=False)
    op.create_table(
        "audit",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_desk_at"), "audit", ["desk", "at"], unique=False)
    op.create_table(
        "answered",
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("requester", sa.String(length=40), nullable=False),
        sa.Column("run_id", Id, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("desk", "requester", name=op.f("pk_answered")),
    )
    op.create_table(
        "controls",
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("desk", "name", name=op.f("pk_controls")),
    )
    op.create_table(
        "exchanges",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("run_id", Id, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_exchanges_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchanges")),
    )
    op.create_index(op.f("ix_exchanges_at"), "exchanges", ["at"], unique=False)
    op.create_index(op.f("ix_exchanges_run_id"), "exchanges", ["run_id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("run_id", Id, nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("ticket_id", sa.String(length=40), nullable=False),
        sa.Column("voter", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=10), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_feedback_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("run_id", "voter", "about", name=op.f("uq_feedback_run_id_voter_about")),
    )
    op.create_index(op.f("ix_feedback_desk_created_at"), "feedback", ["desk", "created_at"], unique=False)
    op.create_table(
        "questions",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("run_id", Id, nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("ticket_id", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("answered_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_questions_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
        sa.UniqueConstraint("run_id", name=op.f("uq_questions_run_id")),
    )
    op.create_index(op.f("ix_questions_created_at"), "questions", ["created_at"], unique=False)
    op.create_index(op.f("ix_questions_desk_ticket_id"), "questions", ["desk", "ticket_id"], unique=False)


def _search() -> None:
    for name, length, key in (("team", 80, "primary_team"), ("priority", 40, "priority")):
        op.add_column("runs", sa.Column(name, sa.String(length=length), server_default="", nullable=False))
        label = LABELS[op.get_bind().dialect.name].format(key)
        op.execute(f"UPDATE runs SET {name} = substr(coalesce({label}, ''), 1, {length})")  # noqa: S608 - no input
    op.drop_index(op.f("ix_runs_created_at"), "runs")
    op.drop_index(op.f("ix_runs_finished_at"), "runs")
    op.create_index(op.f("ix_runs_finished_at_state"), "runs", ["finished_at", "state"], unique=False)
    columns = ["created_at", "id", "desk", "state", "classifier", "team", "priority", "cost_usd"]
    op.create_index("ix_runs_browse", "runs", columns, unique=False)
    op.create_table(
        "day_counts",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=450), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("day", "name", "desk", "key", name=op.f("pk_day_counts")),
    )


def _forget_search() -> None:
    op.drop_index("ix_deliveries_browse", "deliveries")
    op.create_index(op.f("ix_deliveries_received_at"), "deliveries", ["received_at"], unique=False)
    op.drop_table("day_counts")
    op.drop_index("ix_runs_browse", "runs")
    op.drop_index(op.f("ix_runs_finished_at_state"), "runs")
    op.create_index(op.f("ix_runs_finished_at"), "runs", ["finished_at"], unique=False)
    op.create_index(op.f("ix_runs_created_at"), "runs", ["created_at"], unique=False)
    op.drop_column("runs", "priority")
    op.drop_column("runs", "team")


def downgrade() -> None:
    """Take back."""
    _forget_search()
    for table in ("answered", "audit", "controls", "exchanges", "feedback", "questions"):
        op.drop_table(table)
    with op.batch_alter_table("deliveries") as rows:
        rows.alter_column("occasion", type_=sa.String(length=10), existing_nullable=False)
    for table in ("effects", "acts"):
        op.drop_column(table, "undo")
    op.drop_column("runs", "heard")
    op.drop_column("runs", "speech")
    op.drop_column("runs", "drafted")
    op.drop_column("runs", "draft")
