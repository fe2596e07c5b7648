"""Tokens end with the connection, and what an import was ends when its transactions do."""

from db.base import SYSTEM_ROLE
from migrations.ddl import run

revision = "bank_0003"
down_revision = "bank_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(f"""
        alter table bank_schema.bank_connections add constraint ck_bank_connections_disconnected_has_no_token
          check (status <> 'disconnected'
                 or access_token_encrypted is null and refresh_token_encrypted is null and token_expires_at is null);
        grant delete on bank_schema.statement_imports to {SYSTEM_ROLE};
    """)


def downgrade() -> None:
    run(f"""
        revoke delete on bank_schema.statement_imports from {SYSTEM_ROLE};
        alter table bank_schema.bank_connections drop constraint ck_bank_connections_disconnected_has_no_token;
    """)
