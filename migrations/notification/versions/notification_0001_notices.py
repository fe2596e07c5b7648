"""What people are told, and what they want to be told; the words for it, and how delivery goes."""

from db.base import APP_ROLE, SYSTEM_ROLE
from db.notification.reference.templates import TEMPLATES
from migrations.ddl import close_schema, drop_operational_tables, open_schema, operational_tables, run, touch, viewers_rows
from migrations.reference import load_templates

revision = "notification_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "notification_schema"

# Written a few times after it was made: sent, delivered, read.
NOTIFICATIONS = """
    create table notification_schema.notifications (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      type varchar(50) not null,
      channel varchar(20) not null,

      title varchar(255),
      message text not null,
      data jsonb not null default '{}',

      status varchar(20) not null default 'pending',
      sent_at timestamptz,
      delivered_at timestamptz,
      read_at timestamptz,

      error_message text,
      retry_count integer not null default 0,
      max_retries integer not null default 3,
      next_retry_at timestamptz,

      correlation_id uuid,
      priority varchar(20) not null default 'normal',
      created_at timestamptz not null default now(),
      expires_at timestamptz,

      constraint pk_notifications primary key (id),
      constraint ck_notifications_type_known
        check (type in ('transaction_alert', 'budget_alert', 'insight', 'daily_summary', 'weekly_report')),
      constraint ck_notifications_channel_known check (channel in ('telegram', 'email', 'push', 'in_app')),
      constraint ck_notifications_status_known check (status in ('pending', 'sent', 'failed', 'cancelled')),
      constraint ck_notifications_priority_known check (priority in ('low', 'normal', 'high', 'urgent')),
      constraint ck_notifications_max_retries_not_negative check (max_retries >= 0),
      constraint ck_notifications_retry_count_allowed check (retry_count between 0 and max_retries),
      constraint ck_notifications_sent_once check ((status = 'sent') = (sent_at is not null)),
      constraint ck_notifications_delivered_was_sent check (delivered_at is null or status = 'sent'),
      constraint ck_notifications_retried_had_failed check (next_retry_at is null or status = 'failed'),
      constraint ck_notifications_failed_says_why check (status <> 'failed' or error_message is not null),
      constraint ck_notifications_data_object check (jsonb_typeof(data) = 'object')
    );
    comment on column notification_schema.notifications.error_message is 'a code, never what a provider said';
    comment on column notification_schema.notifications.correlation_id is 'the event that it answers; NULL: none';
"""

# An event is answered once per type and channel, however often whoever answers it is killed; what answers none may repeat.
# Lists are one user's, newest first; the unread ones are counted for a badge without a look at the rows. By instant alone: the daily
# counts and retention, which are nobody's.
NOTIFICATION_INDEXES = """
    create unique index uq_notifications_answer on notification_schema.notifications (user_id, correlation_id, type, channel)
      where correlation_id is not null;
    create index ix_notifications_user_id on notification_schema.notifications (user_id, created_at, id);
    create index ix_notifications_type on notification_schema.notifications (user_id, type, created_at, id);
    create index ix_notifications_channel on notification_schema.notifications (user_id, channel, created_at, id);
    create index ix_notifications_unread on notification_schema.notifications (user_id, created_at, id)
      include (channel, status, expires_at) where read_at is null;
    create index ix_notifications_retry on notification_schema.notifications (user_id, next_retry_at) where status = 'failed';
    create index ix_notifications_created_at on notification_schema.notifications (created_at);
"""

RULES = """
    create table notification_schema.notification_rules (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      name varchar(255),
      rule_type varchar(50) not null,
      enabled boolean not null default true,
      conditions jsonb not null,
      channels varchar[] not null default array['in_app']::varchar[],

      max_frequency varchar(50) not null default 'immediate',
      last_triggered_at timestamptz,
      trigger_count integer not null default 0,
      priority varchar(20) not null default 'normal',
      default_key varchar(50),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      deleted_at timestamptz,

      constraint pk_notification_rules primary key (id),
      constraint ck_notification_rules_rule_type_known
        check (rule_type in ('large_transaction', 'budget_threshold', 'category_limit', 'custom')),
      constraint ck_notification_rules_max_frequency_known check (max_frequency in ('immediate', 'hourly', 'daily', 'weekly')),
      constraint ck_notification_rules_priority_known check (priority in ('low', 'normal', 'high', 'urgent')),
      constraint ck_notification_rules_trigger_count_not_negative check (trigger_count >= 0),
      constraint ck_notification_rules_conditions_object check (jsonb_typeof(conditions) = 'object'),
      constraint ck_notification_rules_channels_known
        check (channels <@ array['telegram', 'email', 'push', 'in_app']::varchar[] and cardinality(channels) between 1 and 4)
    );
    comment on column notification_schema.notification_rules.default_key is 'the default that it was made from; NULL: the user''s own';
    create unique index uq_notification_rules_default on notification_schema.notification_rules (user_id, default_key)
      where default_key is not null;
    create index ix_notification_rules_user_id on notification_schema.notification_rules (user_id, created_at, id)
      where deleted_at is null;
"""

TEMPLATES_TABLE = """
    create table notification_schema.notification_templates (
      id uuid not null default gen_random_uuid(),
      template_key varchar(100) not null,
      channel varchar(20) not null,
      subject_template varchar(255),
      body_template text not null,
      variables jsonb not null default '[]',
      locale varchar(10) not null default 'en-US',
      is_active boolean not null default true,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),

      constraint pk_notification_templates primary key (id),
      constraint uq_notification_templates_template_key_channel_locale unique (template_key, channel, locale),
      constraint ck_notification_templates_channel_known check (channel in ('telegram', 'email', 'push', 'in_app')),
      constraint ck_notification_templates_variables_array check (jsonb_typeof(variables) = 'array')
    );
"""

STATS = """
    create table notification_schema.notification_stats (
      id uuid not null default gen_random_uuid(),
      date date not null,
      channel varchar(20) not null,
      type varchar(50) not null,
      sent_count integer not null default 0,
      delivered_count integer not null default 0,
      failed_count integer not null default 0,
      read_count integer not null default 0,
      avg_delivery_time_ms integer,
      created_at timestamptz not null default now(),

      constraint pk_notification_stats primary key (id),
      constraint uq_notification_stats_date_channel_type unique (date, channel, type),
      constraint ck_notification_stats_channel_known check (channel in ('telegram', 'email', 'push', 'in_app')),
      constraint ck_notification_stats_type_known
        check (type in ('transaction_alert', 'budget_alert', 'insight', 'daily_summary', 'weekly_report')),
      constraint ck_notification_stats_sent_count_not_negative check (sent_count >= 0),
      constraint ck_notification_stats_delivered_count_not_negative check (delivered_count >= 0),
      constraint ck_notification_stats_failed_count_not_negative check (failed_count >= 0),
      constraint ck_notification_stats_read_count_not_negative check (read_count >= 0),
      constraint ck_notification_stats_avg_delivery_time_ms_not_negative check (avg_delivery_time_ms >= 0)
    );
    comment on column notification_schema.notification_stats.avg_delivery_time_ms is 'from sent to delivered';
"""

# What was said stays as it was said: only how far it got changes. Rules are marked as deleted. Old rows go by the system's hand.
GRANTS = f"""
    grant select, insert, update (status, sent_at, delivered_at, read_at, error_message, retry_count, next_retry_at)
      on notification_schema.notifications to {APP_ROLE};
    grant select, insert,
      update (name, enabled, conditions, channels, max_frequency, last_triggered_at, trigger_count, priority, deleted_at)
      on notification_schema.notification_rules to {APP_ROLE};
    grant select on notification_schema.notification_templates to {APP_ROLE}, {SYSTEM_ROLE};

    grant select, delete on notification_schema.notifications, notification_schema.notification_rules to {SYSTEM_ROLE};
    grant select, insert, update (sent_count, delivered_count, failed_count, read_count, avg_delivery_time_ms), delete
      on notification_schema.notification_stats to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(NOTIFICATIONS + NOTIFICATION_INDEXES + RULES + TEMPLATES_TABLE + STATS)
    run(touch(SCHEMA, "notification_rules", "notification_templates"))
    run(viewers_rows(SCHEMA, "notifications", "notification_rules"))
    run(GRANTS)
    load_templates(TEMPLATES)
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run("""
        drop table notification_schema.notifications, notification_schema.notification_rules,
          notification_schema.notification_templates, notification_schema.notification_stats;
    """)
    run(close_schema(SCHEMA))
