"""People and their data keys."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import close_schema, drop_operational_tables, open_schema, operational_tables, run, touch, viewers_rows

revision = "user_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "user_schema"

USERS = """
    create table user_schema.users (
      id uuid not null default gen_random_uuid(),
      email varchar(255) not null,
      email_normalized varchar(255) not null,
      email_verified boolean not null default false,
      email_verified_at timestamptz,

      full_name varchar(255),
      avatar_url text,
      phone varchar(50),
      phone_verified boolean not null default false,

      timezone varchar(50) not null default 'UTC',
      currency varchar(3) not null default 'USD',
      locale varchar(10) not null default 'en-US',

      password_hash varchar(255),
      password_changed_at timestamptz,
      two_factor_enabled boolean not null default false,
      two_factor_secret bytea,

      last_login_at timestamptz,
      last_login_ip inet,
      login_count integer not null default 0,

      status varchar(20) not null default 'active',
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      deleted_at timestamptz,

      constraint pk_users primary key (id),
      constraint ck_users_status_known check (status in ('active', 'suspended', 'deleted')),
      constraint ck_users_deleted_once check ((status = 'deleted') = (deleted_at is not null)),
      constraint ck_users_currency_code check (currency ~ '^[A-Z]{3}$')
    );
    comment on column user_schema.users.two_factor_secret is 'encrypted with the user''s data key';
    create unique index uq_users_email_normalized on user_schema.users (email_normalized) where deleted_at is null;
    create index ix_users_created_at on user_schema.users (created_at);
"""

USER_KEYS = """
    create table user_schema.user_keys (
      user_id uuid not null,
      wrapped_key bytea not null,
      key_id varchar(100) not null,
      created_at timestamptz not null default now(),
      constraint pk_user_keys primary key (user_id),
      constraint fk_user_keys_user_id foreign key (user_id) references user_schema.users (id) on delete cascade
    );
"""

# Whoever signs up or in has no viewer yet: the system writes the row, and reads it by its address.
GRANTS = f"""
    grant select, update (full_name, avatar_url, phone, timezone, currency, locale, password_hash, password_changed_at,
                          two_factor_enabled, two_factor_secret, last_login_at, last_login_ip, login_count)
      on user_schema.users to {APP_ROLE};
    grant select, insert, update (email_verified, email_verified_at, password_hash, password_changed_at, last_login_at, last_login_ip,
                                  login_count, status, deleted_at)
      on user_schema.users to {SYSTEM_ROLE};
    grant select, insert on user_schema.user_keys to {APP_ROLE};
    grant select, insert, update (wrapped_key, key_id), delete on user_schema.user_keys to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(USERS + USER_KEYS)
    run(touch(SCHEMA, "users"))
    run(viewers_rows(SCHEMA, "users", owner="id") + viewers_rows(SCHEMA, "user_keys"))
    run(GRANTS)
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run("drop table user_schema.user_keys, user_schema.users;")
    run(close_schema(SCHEMA))
