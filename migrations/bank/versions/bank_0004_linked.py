"""Banks that are linked: links that were begun, when a connection is fetched next, how a fetch goes on, access that is to be revoked."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, viewers_rows

revision = "bank_0004"
down_revision = "bank_0003"
branch_labels = None
depends_on = None

SCHEMA = "bank_schema"

# A connection that has ended is not fetched any more: no tick may find it.
CONNECTIONS = """
    alter table bank_schema.bank_connections
      add column next_sync_at timestamptz,
      add column sync_failures integer not null default 0,
      add column sync_requested_at timestamptz,
      add column consent_warned_at timestamptz,
      add constraint ck_bank_connections_sync_failures_not_negative check (sync_failures >= 0),
      add constraint ck_bank_connections_disconnected_not_fetched check (status <> 'disconnected' or next_sync_at is null);
    comment on column bank_schema.bank_connections.next_sync_at is 'NULL: nothing is fetched by the calendar';
    comment on column bank_schema.bank_connections.sync_failures is 'in a row, up to now';
    comment on column bank_schema.bank_connections.consent_warned_at is 'of the consent that holds now';
    create index ix_bank_connections_next_sync_at on bank_schema.bank_connections (next_sync_at) where next_sync_at is not null;

    alter table bank_schema.bank_accounts add column persistent_id varchar(255);
    comment on column bank_schema.bank_accounts.persistent_id is 'names the account even when its owner links the bank again';
"""

# What only a fetch has is NULL or 0 for a statement that was taken in.
HISTORY = """
    alter table bank_schema.sync_history
      add column job_id uuid,
      add column stage varchar(20),
      add column pages integer not null default 0,
      add column transactions_fetched integer not null default 0,
      add column transactions_removed integer not null default 0,
      add column version bigint not null default 0,
      drop constraint ck_sync_history_sync_type_known,
      add constraint ck_sync_history_sync_type_known check (sync_type in ('scheduled', 'manual', 'retry', 'webhook')),
      add constraint ck_sync_history_stage_known check (stage in ('fetching', 'applying', 'budgets', 'done', 'failed')),
      add constraint ck_sync_history_pages_not_negative check (pages >= 0),
      add constraint ck_sync_history_transactions_fetched_not_negative check (transactions_fetched >= 0),
      add constraint ck_sync_history_transactions_removed_not_negative check (transactions_removed >= 0),
      add constraint uq_sync_history_job_id unique (job_id);
"""

# The secret goes when the link is completed or over; the row stays a while, so that whoever asks again is told the same.
LINKS = """
    create table bank_schema.bank_links (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      provider varchar(50) not null,
      connection_id uuid,
      institution_id varchar(255),
      redirect_url text,
      state_digest varchar(64),
      secret_encrypted bytea,
      expires_at timestamptz not null,
      claimed_at timestamptz,
      completed_at timestamptz,
      result_connection_id uuid,
      created_at timestamptz not null default now(),
      constraint pk_bank_links primary key (id),
      constraint fk_bank_links_connection_id
        foreign key (connection_id, user_id) references bank_schema.bank_connections (id, user_id),
      constraint fk_bank_links_result_connection_id
        foreign key (result_connection_id, user_id) references bank_schema.bank_connections (id, user_id),
      constraint ck_bank_links_provider_known check (provider in ('plaid', 'tink', 'open_banking', 'file', 'sandbox', 'manual')),
      constraint ck_bank_links_state_digest_hex check (state_digest ~ '^[0-9a-f]{64}$'),
      constraint ck_bank_links_completed_once check ((completed_at is not null) = (result_connection_id is not null)),
      constraint ck_bank_links_completed_has_no_secret check (completed_at is null or secret_encrypted is null)
    );
    comment on column bank_schema.bank_links.connection_id is 'what is to be repaired; NULL: a new connection';
    comment on column bank_schema.bank_links.state_digest is 'SHA-256 of the state that the bank sends back, lower-case hex';
    comment on column bank_schema.bank_links.claimed_at is 'when somebody began to complete it';
    create index ix_bank_links_user_id on bank_schema.bank_links (user_id);
    create index ix_bank_links_expires_at on bank_schema.bank_links (expires_at);
"""

# C10: the connection has no token from the moment it is removed. What the bank must still be told with is here, and not for long.
REVOCATIONS = """
    create table bank_schema.bank_revocations (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      connection_id uuid not null,
      access_token_encrypted bytea not null,
      refresh_token_encrypted bytea,
      token_expires_at timestamptz,
      gives_up_at timestamptz not null,
      created_at timestamptz not null default now(),
      constraint pk_bank_revocations primary key (id),
      constraint fk_bank_revocations_connection_id
        foreign key (connection_id, user_id) references bank_schema.bank_connections (id, user_id)
    );
"""

# A receipt per message that a provider has sent about somebody's connection: the second of two equal ones finds it.
WEBHOOKS = """
    create table bank_schema.bank_webhooks (
      provider varchar(50) not null,
      digest varchar(64) not null,
      user_id uuid not null,
      connection_id uuid not null,
      kind varchar(100) not null,
      received_at timestamptz not null default now(),
      constraint pk_bank_webhooks primary key (provider, digest),
      constraint fk_bank_webhooks_connection_id
        foreign key (connection_id, user_id) references bank_schema.bank_connections (id, user_id),
      constraint ck_bank_webhooks_provider_known check (provider in ('plaid', 'tink', 'open_banking', 'file', 'sandbox', 'manual')),
      constraint ck_bank_webhooks_digest_hex check (digest ~ '^[0-9a-f]{64}$')
    );
    comment on column bank_schema.bank_webhooks.digest is 'SHA-256 of the message as it came, lower-case hex';
    create index ix_bank_webhooks_received_at on bank_schema.bank_webhooks (received_at);
"""

# An account that is found again moves to the connection that reaches it now.
GRANTS = f"""
    grant update (next_sync_at, sync_failures, sync_requested_at, consent_warned_at) on bank_schema.bank_connections to {APP_ROLE};
    grant update (connection_id, provider_account_id, persistent_id) on bank_schema.bank_accounts to {APP_ROLE};
    grant update (stage, pages, transactions_fetched, transactions_removed, version) on bank_schema.sync_history to {APP_ROLE};
    grant select, insert, update (secret_encrypted, claimed_at, completed_at, result_connection_id) on bank_schema.bank_links to {APP_ROLE};
    grant select, insert, delete on bank_schema.bank_revocations to {APP_ROLE};
    grant select, insert on bank_schema.bank_webhooks to {APP_ROLE};

    grant update (next_sync_at, consent_warned_at) on bank_schema.bank_connections to {SYSTEM_ROLE};
    grant select (id, user_id, expires_at, created_at), update (secret_encrypted), delete on bank_schema.bank_links to {SYSTEM_ROLE};
    grant select (id, user_id, gives_up_at, created_at), delete on bank_schema.bank_revocations to {SYSTEM_ROLE};
    grant select, delete on bank_schema.bank_webhooks to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(CONNECTIONS + HISTORY + LINKS + REVOCATIONS + WEBHOOKS)
    run(viewers_rows(SCHEMA, "bank_links", "bank_revocations", "bank_webhooks"))
    run(GRANTS)


def downgrade() -> None:
    run("drop table bank_schema.bank_webhooks, bank_schema.bank_revocations, bank_schema.bank_links;")
    run("""
        alter table bank_schema.sync_history no force row level security;
        update bank_schema.sync_history set sync_type = 'scheduled' where sync_type = 'webhook';
        alter table bank_schema.sync_history force row level security;
        alter table bank_schema.sync_history
          drop column job_id, drop column stage, drop column pages, drop column transactions_fetched, drop column transactions_removed,
          drop column version,
          drop constraint ck_sync_history_sync_type_known,
          add constraint ck_sync_history_sync_type_known check (sync_type in ('scheduled', 'manual', 'retry'));
        alter table bank_schema.bank_accounts drop column persistent_id;
        alter table bank_schema.bank_connections
          drop constraint ck_bank_connections_disconnected_not_fetched,
          drop column next_sync_at, drop column sync_failures, drop column sync_requested_at, drop column consent_warned_at;
    """)
