"""Sums of amounts have room for more digits than one amount."""

from migrations.ddl import run

revision = "budget_0002"
down_revision = "budget_0001"
branch_labels = None
depends_on = None

SUMS = ("amount_spent", "amount_pending", "amount_remaining", "daily_average", "projected_end_amount")


def upgrade() -> None:
    run(_of_type("numeric(38, 4)"))  # the same scale: no row is rewritten


def downgrade() -> None:
    run(_of_type("numeric(19, 4)"))


def _of_type(kind: str) -> str:
    return "alter table budget_schema.budget_utilization " + ", ".join(f"alter column {name} type {kind}" for name in SUMS) + ";"
