"""What people are told, and what they want to be told."""

from migrations.ddl import close_schema, drop_operational_tables, open_schema, operational_tables, run

revision = "notification_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "notification_schema"


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run(close_schema(SCHEMA))
