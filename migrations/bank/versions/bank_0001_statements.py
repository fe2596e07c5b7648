"""Connections, accounts, uploaded statements and their imports."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import close_schema, drop_operational_tables, open_schema, operational_tables, run, touch, viewers_rows

revision = "bank_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "bank_schema"

CONNECTIONS = """
    create table bank_schema.bank_connections (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      provider varchar(50) not null,
      provider_item_id varchar(255) not null,

      institution_id varchar(255),
      institution_name varchar(255),
      institution_logo_url text,

      access_token_encrypted bytea,
      refresh_token_encrypted bytea,
      token_expires_at timestamptz,

      status varchar(50) not null default 'active',
      error_code varchar(100),
      error_message text,
      consent_expires_at timestamptz,

      last_sync_at timestamptz,
      last_sync_status varchar(50),
      last_successful_sync_at timestamptz,
      sync_cursor text,

      metadata jsonb not null default '{}',
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),

      constraint pk_bank_connections primary key (id),
      constraint uq_bank_connections_id_user_id unique (id, user_id),
      constraint ck_bank_connections_provider_known
        check (provider in ('plaid', 'tink', 'open_banking', 'file', 'sandbox', 'manual')),
      constraint ck_bank_connections_status_known check (status in ('active', 'error', 'disconnected', 'requires_update')),
      constraint ck_bank_connections_last_sync_status_known check (last_sync_status in ('success', 'partial', 'failed')),
      constraint ck_bank_connections_active_has_token
        check (status <> 'active' or provider not in ('plaid', 'tink', 'open_banking') or access_token_encrypted is not null)
    );
    create unique index uq_bank_connections_item on bank_schema.bank_connections (provider, provider_item_id)
      where provider not in ('file', 'manual');
    create unique index uq_bank_connections_user_item on bank_schema.bank_connections (user_id, provider, provider_item_id)
      where provider in ('file', 'manual');
    create index ix_bank_connections_user_id on bank_schema.bank_connections (user_id);
    create index ix_bank_connections_last_sync_at on bank_schema.bank_connections (last_sync_at) where status = 'active';
"""

ACCOUNTS = """
    create table bank_schema.bank_accounts (
      id uuid not null default gen_random_uuid(),
      connection_id uuid not null,
      user_id uuid not null,
      provider_account_id varchar(255) not null,
      account_type varchar(50),
      account_subtype varchar(50),

      account_name varchar(255),
      account_official_name varchar(255),
      account_mask varchar(10),

      current_balance numeric(19, 4),
      available_balance numeric(19, 4),
      credit_limit numeric(19, 4),
      currency varchar(3) not null default 'USD',

      status varchar(50) not null default 'active',
      is_manual boolean not null default false,
      metadata jsonb not null default '{}',
      balance_updated_at timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),

      constraint pk_bank_accounts primary key (id),
      constraint uq_bank_accounts_connection_id_provider_account_id unique (connection_id, provider_account_id),
      constraint fk_bank_accounts_connection_id
        foreign key (connection_id, user_id) references bank_schema.bank_connections (id, user_id),
      constraint ck_bank_accounts_account_type_known check (account_type in ('checking', 'savings', 'credit', 'investment', 'loan')),
      constraint ck_bank_accounts_status_known check (status in ('active', 'closed')),
      constraint ck_bank_accounts_currency_code check (currency ~ '^[A-Z]{3}$')
    );
    create index ix_bank_accounts_user_id on bank_schema.bank_accounts (user_id);
"""

# A ciphertext does not compress: trying would cost, hence `external`.
UPLOADS = """
    create table bank_schema.uploads (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      filename varchar(255) not null,
      content_type varchar(255),
      size_bytes integer not null,
      sha256 varchar(64) not null,
      ciphertext bytea not null,
      created_at timestamptz not null default now(),
      expires_at timestamptz not null,
      constraint pk_uploads primary key (id),
      constraint uq_uploads_id_user_id unique (id, user_id),
      constraint ck_uploads_size_bytes_bounded check (size_bytes between 0 and 10485760),
      constraint ck_uploads_sha256_hex check (sha256 ~ '^[0-9a-f]{64}$')
    );
    comment on column bank_schema.uploads.size_bytes is 'of the plain file';
    comment on column bank_schema.uploads.sha256 is 'of the plain file, lower-case hex';
    alter table bank_schema.uploads alter column ciphertext set storage external;
    create index ix_uploads_user_id_created_at on bank_schema.uploads (user_id, created_at);
    create index ix_uploads_expires_at on bank_schema.uploads (expires_at);
"""

IMPORTS = """
    create table bank_schema.statement_imports (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      upload_id uuid,
      connection_id uuid,
      filename varchar(255) not null,
      status varchar(20) not null default 'queued',
      options jsonb not null default '{}',
      added integer not null default 0,
      updated integer not null default 0,
      unchanged integer not null default 0,
      account_count integer not null default 0,
      error_code varchar(100),
      error_message text,
      version bigint not null default 0,
      created_at timestamptz not null default now(),
      completed_at timestamptz,
      constraint pk_statement_imports primary key (id),
      constraint fk_statement_imports_upload_id
        foreign key (upload_id, user_id) references bank_schema.uploads (id, user_id) on delete set null (upload_id),
      constraint fk_statement_imports_connection_id
        foreign key (connection_id, user_id) references bank_schema.bank_connections (id, user_id),
      constraint ck_statement_imports_status_known check (status in ('queued', 'running', 'done', 'failed')),
      constraint ck_statement_imports_added_not_negative check (added >= 0),
      constraint ck_statement_imports_updated_not_negative check (updated >= 0),
      constraint ck_statement_imports_unchanged_not_negative check (unchanged >= 0),
      constraint ck_statement_imports_account_count_not_negative check (account_count >= 0),
      constraint ck_statement_imports_completed_once check ((status in ('done', 'failed')) = (completed_at is not null))
    );
    create index ix_statement_imports_user_id_created_at on bank_schema.statement_imports (user_id, created_at desc);
    create index ix_statement_imports_upload_id on bank_schema.statement_imports (upload_id);
    create index ix_statement_imports_connection_id on bank_schema.statement_imports (connection_id);
"""

# Connections and accounts are ended, never deleted. An upload goes once it is imported, or by retention.
GRANTS = f"""
    grant select, insert,
      update (institution_id, institution_name, institution_logo_url, access_token_encrypted, refresh_token_encrypted, token_expires_at,
              status, error_code, error_message, consent_expires_at, last_sync_at, last_sync_status, last_successful_sync_at,
              sync_cursor, metadata)
      on bank_schema.bank_connections to {APP_ROLE};
    grant select, insert,
      update (account_type, account_subtype, account_name, account_official_name, account_mask, current_balance, available_balance,
              credit_limit, currency, status, metadata, balance_updated_at)
      on bank_schema.bank_accounts to {APP_ROLE};
    grant select, insert, delete on bank_schema.uploads to {APP_ROLE};
    grant select, insert,
      update (upload_id, connection_id, status, options, added, updated, unchanged, account_count, error_code, error_message, version,
              completed_at)
      on bank_schema.statement_imports to {APP_ROLE};

    grant select on bank_schema.bank_connections, bank_schema.bank_accounts, bank_schema.statement_imports to {SYSTEM_ROLE};
    grant select (id, user_id, size_bytes, created_at, expires_at), delete on bank_schema.uploads to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(CONNECTIONS + ACCOUNTS + UPLOADS + IMPORTS)
    run(touch(SCHEMA, "bank_connections", "bank_accounts"))
    run(viewers_rows(SCHEMA, "bank_connections", "bank_accounts", "uploads", "statement_imports"))
    run(GRANTS)
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run("drop table bank_schema.statement_imports, bank_schema.uploads, bank_schema.bank_accounts, bank_schema.bank_connections;")
    run(close_schema(SCHEMA))
