"""When a connection was begun, or begun anew: what was fetched before tells nothing of it."""

from db.base import APP_ROLE
from migrations.ddl import run

revision = "bank_0005"
down_revision = "bank_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(f"""
        alter table bank_schema.bank_connections add column linked_at timestamptz;
        comment on column bank_schema.bank_connections.linked_at is 'when it was begun, or begun anew after it had ended';
        grant update (linked_at) on bank_schema.bank_connections to {APP_ROLE};
    """)


def downgrade() -> None:
    run("alter table bank_schema.bank_connections drop column linked_at;")
