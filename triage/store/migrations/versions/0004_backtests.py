"""backtests"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "backtests",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("arguments", sa.String(length=200), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backtests")),
        sa.UniqueConstraint("desk", "arguments", "serial", name=op.f("uq_backtests_desk_arguments_serial")),
    )
    op.create_index(op.f("ix_backtests_created_at"), "backtests", ["created_at"])
    op.create_table(
        "backtest_tickets",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("backtest_id", Id, nullable=False),
        sa.Column("ticket_id", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("place", sa.Float(), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=True),
        sa.Column("requester", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=300), nullable=False),
        sa.Column("truth", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backtest_id"], ["backtests.id"], name=op.f("fk_backtest_tickets_backtest_id_backtests")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backtest_tickets")),
        sa.UniqueConstraint("backtest_id", "ticket_id", name=op.f("uq_backtest_tickets_backtest_id_ticket_id")),
    )
    for columns in (["backtest_id", "state", "place"], ["backtest_id", "requester"], ["finished_at"]):
        op.create_index(op.f(f"ix_backtest_tickets_{'_'.join(columns)}"), "backtest_tickets", columns)


def downgrade() -> None:
    """Take back."""
    op.drop_table("backtest_tickets")
    op.drop_table("backtests")
