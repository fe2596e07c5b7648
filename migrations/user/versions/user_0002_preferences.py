"""What people choose, and whom they sign in with elsewhere."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, touch, viewers_rows

revision = "user_0002"
down_revision = "user_0001"
branch_labels = None
depends_on = None

SCHEMA = "user_schema"

PREFERENCES = """
    create table user_schema.user_preferences (
      user_id uuid not null,

      notification_enabled boolean not null default true,
      email_notifications boolean not null default true,
      telegram_notifications boolean not null default true,
      telegram_chat_id varchar(255),
      telegram_username varchar(255),

      daily_summary_enabled boolean not null default true,
      daily_summary_time time not null default '09:00',
      weekly_report_enabled boolean not null default true,
      weekly_report_day varchar(10) not null default 'Monday',

      transaction_alert_enabled boolean not null default true,
      transaction_alert_threshold numeric(19, 4) not null default 500,
      currency varchar(3) not null,
      budget_alert_enabled boolean not null default true,
      budget_alert_thresholds numeric[] not null default array[0.8, 1.0, 1.2],

      dashboard_layout jsonb not null default '{}',
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),

      constraint pk_user_preferences primary key (user_id),
      constraint fk_user_preferences_user_id foreign key (user_id) references user_schema.users (id) on delete cascade,
      constraint ck_user_preferences_weekly_report_day_known
        check (weekly_report_day in ('Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday')),
      constraint ck_user_preferences_transaction_alert_threshold_not_negative check (transaction_alert_threshold >= 0),
      constraint ck_user_preferences_currency_code check (currency ~ '^[A-Z]{3}$'),
      constraint ck_user_preferences_budget_alert_thresholds_bounded
        check (cardinality(budget_alert_thresholds) <= 10 and array_position(budget_alert_thresholds, null) is null
               and 0 < all (budget_alert_thresholds) and 10 >= all (budget_alert_thresholds)),
      constraint ck_user_preferences_dashboard_layout_object check (jsonb_typeof(dashboard_layout) = 'object')
    );
    comment on column user_schema.user_preferences.currency is 'of transaction_alert_threshold';
"""

# C34: what a provider lets us in with is not kept after sign-in. The document's columns for it are there, and stay empty.
LINKS = """
    create table user_schema.oauth_connections (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      provider varchar(50) not null,
      provider_user_id varchar(255) not null,
      access_token text,
      refresh_token text,
      token_expires_at timestamptz,
      profile_data jsonb,
      connected_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint pk_oauth_connections primary key (id),
      constraint uq_oauth_connections_provider_provider_user_id unique (provider, provider_user_id),
      constraint fk_oauth_connections_user_id foreign key (user_id) references user_schema.users (id) on delete cascade,
      constraint ck_oauth_connections_provider_known check (provider in ('google', 'apple', 'facebook')),
      constraint ck_oauth_connections_tokens_not_kept
        check (access_token is null and refresh_token is null and token_expires_at is null),
      constraint ck_oauth_connections_profile_data_shown
        check (jsonb_typeof(profile_data) = 'object' and profile_data - '{name,email}'::text[] = '{}'::jsonb)
    );
    create index ix_oauth_connections_user_id on user_schema.oauth_connections (user_id);
"""

# C28, for every way in which an account may be marked deleted. Who marks it may delete its links: the system.
LINKS_END = """
    create function user_schema.end_oauth_connections() returns trigger
    language plpgsql set search_path = pg_catalog as $$
    begin
      delete from user_schema.oauth_connections where user_id = new.id;
      return null;
    end
    $$;
    revoke execute on function user_schema.end_oauth_connections() from public;
    create trigger end_oauth_connections after update of deleted_at on user_schema.users
      for each row when (old.deleted_at is null and new.deleted_at is not null) execute function user_schema.end_oauth_connections();
"""

# Who a chat belongs to is shown to the bot, not said by a client: the system writes it.
GRANTS = f"""
    grant select,
      insert (user_id, notification_enabled, email_notifications, telegram_notifications, daily_summary_enabled, daily_summary_time,
              weekly_report_enabled, weekly_report_day, transaction_alert_enabled, transaction_alert_threshold, currency,
              budget_alert_enabled, budget_alert_thresholds, dashboard_layout),
      update (notification_enabled, email_notifications, telegram_notifications, daily_summary_enabled, daily_summary_time,
              weekly_report_enabled, weekly_report_day, transaction_alert_enabled, transaction_alert_threshold, currency,
              budget_alert_enabled, budget_alert_thresholds, dashboard_layout)
      on user_schema.user_preferences to {APP_ROLE};
    grant select, insert, update (telegram_chat_id, telegram_username, telegram_notifications), delete
      on user_schema.user_preferences to {SYSTEM_ROLE};

    grant select (id, user_id, provider, provider_user_id, profile_data, connected_at, updated_at),
      insert (id, user_id, provider, provider_user_id, profile_data, connected_at), delete
      on user_schema.oauth_connections to {APP_ROLE};
    grant select, insert (id, user_id, provider, provider_user_id, profile_data, connected_at), update (profile_data), delete
      on user_schema.oauth_connections to {SYSTEM_ROLE};
"""

# C40: no statement asks for accounts by when they were made.
UNUSED = "drop index user_schema.ix_users_created_at;"


def upgrade() -> None:
    run(PREFERENCES + LINKS + LINKS_END)
    run(touch(SCHEMA, "user_preferences", "oauth_connections"))
    run(viewers_rows(SCHEMA, "user_preferences", "oauth_connections"))
    run(GRANTS)
    run(UNUSED)


def downgrade() -> None:
    run("create index ix_users_created_at on user_schema.users (created_at);")
    run("drop trigger end_oauth_connections on user_schema.users; drop function user_schema.end_oauth_connections();")
    run("drop table user_schema.oauth_connections, user_schema.user_preferences;")
