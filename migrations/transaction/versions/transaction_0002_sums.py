"""Sums of amounts have room for more digits than one amount."""

from migrations.ddl import run

revision = "transaction_0002"
down_revision = "transaction_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(_of_type("numeric(38, 4)"))


def downgrade() -> None:
    run(_of_type("numeric(19, 4)"))


def _of_type(kind: str) -> str:
    """The column that is generated from it cannot stay meanwhile."""
    return f"""
        alter table transaction_schema.monthly_category_summary drop column avg_amount;
        alter table transaction_schema.monthly_category_summary alter column total_amount type {kind};
        alter table transaction_schema.monthly_category_summary
          add column avg_amount numeric(19, 4) not null generated always as (total_amount / transaction_count) stored;
    """
