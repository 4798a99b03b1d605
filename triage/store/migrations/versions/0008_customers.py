"""the tickets of each customer"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "customers",
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("requester_id", sa.String(length=40), nullable=False),
        sa.Column("listed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("desk", "requester_id", name=op.f("pk_customers")),
    )
    op.create_index(op.f("ix_customers_listed_at"), "customers", ["listed_at"], unique=False)
    op.create_table(
        "customer_tickets",
        sa.Column("desk", sa.String(length=40), nullable=False),
        sa.Column("ticket_id", sa.String(length=40), nullable=False),
        sa.Column("requester_id", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("desk", "ticket_id", name=op.f("pk_customer_tickets")),
    )
    index = op.f("ix_customer_tickets_desk_requester_id")
    op.create_index(index, "customer_tickets", ["desk", "requester_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    for table in ("customer_tickets", "customers"):
        op.drop_table(table)
