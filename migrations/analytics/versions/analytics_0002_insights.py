"""Insights, spending patterns, and what models were asked."""

from db.base import APP_ROLE, SYSTEM_ROLE, VIEWER_SQL
from migrations.ddl import run, viewers_rows

revision = "analytics_0002"
down_revision = "analytics_0001"
branch_labels = None
depends_on = None

SCHEMA = "analytics_schema"

INSIGHTS = """
    create table analytics_schema.insights (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      type varchar(50) not null,
      priority varchar(20) not null default 'medium',
      title varchar(255) not null,
      description text not null,
      actionable_advice text,
      data jsonb not null default '{}',
      affected_categories text[] not null default '{}',
      time_period_start date,
      time_period_end date,
      viewed boolean not null default false,
      viewed_at timestamptz,
      dismissed boolean not null default false,
      dismissed_at timestamptz,
      feedback varchar(20),
      generated_by varchar(50) not null default 'llm',
      model_version varchar(50),
      confidence numeric(3, 2),
      created_at timestamptz not null default now(),
      expires_at timestamptz,
      constraint pk_insights primary key (id),
      constraint ck_insights_type_known check (type in ('savings_opportunity', 'spending_spike', 'forecast', 'category_trend')),
      constraint ck_insights_priority_known check (priority in ('low', 'medium', 'high')),
      constraint ck_insights_feedback_known check (feedback in ('helpful', 'not_helpful')),
      constraint ck_insights_generated_by_known check (generated_by in ('llm', 'rule_engine')),
      constraint ck_insights_confidence_share check (confidence between 0 and 1),
      constraint ck_insights_period_not_empty check (time_period_end > time_period_start),
      constraint ck_insights_viewed_once check (viewed = (viewed_at is not null)),
      constraint ck_insights_dismissed_once check (dismissed = (dismissed_at is not null))
    );
    create index ix_insights_user_id on analytics_schema.insights (user_id, created_at, id);
    create index ix_insights_user_id_type on analytics_schema.insights (user_id, type, priority) where not dismissed;
"""

PATTERNS = """
    create table analytics_schema.spending_patterns (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      pattern_type varchar(50) not null,
      category varchar(100),
      merchant_name varchar(255),
      pattern_data jsonb not null,
      frequency varchar(50),
      avg_amount numeric(19, 4),
      currency varchar(3) not null,
      confidence numeric(3, 2),
      sample_size integer,
      first_detected_at timestamptz not null default now(),
      last_observed_at timestamptz not null default now(),
      constraint pk_spending_patterns primary key (id),
      constraint uq_spending_patterns_key unique nulls not distinct (user_id, pattern_type, category, merchant_name),
      constraint ck_spending_patterns_pattern_type_known
        check (pattern_type in ('seasonal', 'day_of_week', 'time_of_day', 'location_based')),
      constraint ck_spending_patterns_currency_code check (currency ~ '^[A-Z]{3}$'),
      constraint ck_spending_patterns_sample_size_not_negative check (sample_size >= 0),
      constraint ck_spending_patterns_confidence_share check (confidence between 0 and 1)
    );
    comment on column analytics_schema.spending_patterns.sample_size is 'transactions that it was found in';
    create index ix_spending_patterns_user_id on analytics_schema.spending_patterns (user_id, last_observed_at, id);
"""

QUERIES = """
    create table analytics_schema.llm_query_cache (
      id uuid not null default gen_random_uuid(),
      user_id uuid,
      query_hash varchar(64) not null,
      query_text text not null,
      query_type varchar(50) not null,
      response jsonb not null,
      model varchar(50) not null,
      tokens_used integer,
      cost_usd numeric(10, 6),
      hit_count integer not null default 0,
      last_used_at timestamptz not null default now(),
      created_at timestamptz not null default now(),
      expires_at timestamptz,
      constraint pk_llm_query_cache primary key (id),
      constraint uq_llm_query_cache_key unique nulls not distinct (query_hash, user_id),
      constraint ck_llm_query_cache_query_hash_is_sha256 check (query_hash ~ '^[0-9a-f]{64}$'),
      constraint ck_llm_query_cache_query_type_known check (query_type in ('categorization', 'insight', 'natural_language_query')),
      constraint ck_llm_query_cache_tokens_used_not_negative check (tokens_used >= 0),
      constraint ck_llm_query_cache_cost_usd_not_negative check (cost_usd >= 0),
      constraint ck_llm_query_cache_hit_count_not_negative check (hit_count >= 0)
    );
    comment on column analytics_schema.llm_query_cache.user_id is 'NULL: holds nobody''s text, and answers everybody';
    comment on column analytics_schema.llm_query_cache.query_hash is 'SHA-256 of type, model and text';
    create index ix_llm_query_cache_user_id on analytics_schema.llm_query_cache (user_id, created_at, id);
    create index ix_llm_query_cache_user_id_query_type on analytics_schema.llm_query_cache (user_id, query_type, created_at, id);
    create index ix_llm_query_cache_expires_at on analytics_schema.llm_query_cache (expires_at) where expires_at is not null;
"""

# What answers everybody is read and counted by everybody who is signed in, and written by the system: one user's answer must not be
# put before another. A CASE, since the planner would take an OR for two more index conditions, and leave the order of a user's list.
MINE = f"user_id = {VIEWER_SQL}"
MINE_OR_SHARED = f"case when user_id is null then {VIEWER_SQL} is not null else {MINE} end"
SHARING = f"""
    alter table analytics_schema.llm_query_cache enable row level security;
    alter table analytics_schema.llm_query_cache force row level security;
    create policy viewer_reads on analytics_schema.llm_query_cache for select to {APP_ROLE} using ({MINE_OR_SHARED});
    create policy viewer_adds on analytics_schema.llm_query_cache for insert to {APP_ROLE} with check ({MINE});
    create policy viewer_counts on analytics_schema.llm_query_cache for update to {APP_ROLE}
      using ({MINE_OR_SHARED}) with check ({MINE_OR_SHARED});
    create policy viewer_deletes on analytics_schema.llm_query_cache for delete to {APP_ROLE} using ({MINE});
    create policy system on analytics_schema.llm_query_cache to {SYSTEM_ROLE} using (true) with check (true);
"""

GRANTS = f"""
    grant select, insert, update (viewed, viewed_at, dismissed, dismissed_at, feedback) on analytics_schema.insights to {APP_ROLE};
    grant select, insert on analytics_schema.spending_patterns to {APP_ROLE};
    grant select, insert, delete, update (hit_count, last_used_at) on analytics_schema.llm_query_cache to {APP_ROLE};

    grant select, delete on analytics_schema.insights, analytics_schema.spending_patterns to {SYSTEM_ROLE};
    grant select, insert, delete on analytics_schema.llm_query_cache to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(INSIGHTS + PATTERNS + QUERIES)
    run(viewers_rows(SCHEMA, "insights", "spending_patterns"))
    run(SHARING)
    run(GRANTS)


def downgrade() -> None:
    run("drop table analytics_schema.llm_query_cache, analytics_schema.spending_patterns, analytics_schema.insights;")
