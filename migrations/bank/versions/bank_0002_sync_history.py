"""What every fetch from a bank, and every statement that was taken in, came to."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, viewers_rows

revision = "bank_0002"
down_revision = "bank_0001"
branch_labels = None
depends_on = None

SCHEMA = "bank_schema"

# C29: nothing takes a row of this with it when it goes. What a statement belongs to is known once it is read: until then, and
# for one that cannot be, there is no connection.
HISTORY = """
    alter table bank_schema.statement_imports add constraint uq_statement_imports_id_user_id unique (id, user_id);

    create table bank_schema.sync_history (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      connection_id uuid,
      import_id uuid,
      sync_type varchar(50) not null,
      status varchar(50) not null default 'started',
      transactions_added integer not null default 0,
      transactions_updated integer not null default 0,
      error_code varchar(100),
      error_message text,
      duration_ms integer,
      started_at timestamptz not null default now(),
      completed_at timestamptz,
      constraint pk_sync_history primary key (id),
      constraint uq_sync_history_import_id unique (import_id),
      constraint fk_sync_history_connection_id
        foreign key (connection_id, user_id) references bank_schema.bank_connections (id, user_id),
      constraint fk_sync_history_import_id
        foreign key (import_id, user_id) references bank_schema.statement_imports (id, user_id) on delete set null (import_id),
      constraint ck_sync_history_sync_type_known check (sync_type in ('scheduled', 'manual', 'retry')),
      constraint ck_sync_history_status_known check (status in ('started', 'success', 'failed', 'partial')),
      constraint ck_sync_history_transactions_added_not_negative check (transactions_added >= 0),
      constraint ck_sync_history_transactions_updated_not_negative check (transactions_updated >= 0),
      constraint ck_sync_history_duration_ms_not_negative check (duration_ms >= 0),
      constraint ck_sync_history_completed_once check ((status <> 'started') = (completed_at is not null)),
      constraint ck_sync_history_failed_says_why check (status <> 'failed' or error_code is not null)
    );
    create index ix_sync_history_user_id_started_at on bank_schema.sync_history (user_id, started_at, id);
    create index ix_sync_history_user_id_connection_id_started_at on bank_schema.sync_history (user_id, connection_id, started_at, id);
"""

GRANTS = f"""
    grant select, insert,
      update (connection_id, status, transactions_added, transactions_updated, error_code, error_message, duration_ms, completed_at)
      on bank_schema.sync_history to {APP_ROLE};
    grant select, delete on bank_schema.sync_history to {SYSTEM_ROLE};
"""

# C40: nothing asks for everybody's connections by when they were heard from, nor for the imports of one connection.
UNUSED = "drop index bank_schema.ix_bank_connections_last_sync_at, bank_schema.ix_statement_imports_connection_id;"


def upgrade() -> None:
    run(HISTORY)
    run(viewers_rows(SCHEMA, "sync_history"))
    run(GRANTS)
    run(UNUSED)


def downgrade() -> None:
    run("create index ix_bank_connections_last_sync_at on bank_schema.bank_connections (last_sync_at) where status = 'active';")
    run("create index ix_statement_imports_connection_id on bank_schema.statement_imports (connection_id);")
    run("drop table bank_schema.sync_history;")
    run("alter table bank_schema.statement_imports drop constraint uq_statement_imports_id_user_id;")
