"""Budgets, their utilisation, savings goals."""

from db.base import APP_ROLE, SYSTEM_ROLE, VIEWER_SQL
from migrations.ddl import close_schema, drop_operational_tables, open_schema, operational_tables, rows_of, run, touch, viewers_rows

revision = "budget_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "budget_schema"

BUDGETS = """
    create table budget_schema.budgets (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      name varchar(255),
      category varchar(100) not null,
      amount numeric(19, 4) not null,
      currency varchar(3) not null,

      period varchar(20) not null default 'monthly',
      start_date date not null,
      end_date date,

      rollover boolean not null generated always as (rollover_mode <> 'NONE') stored,
      rollover_mode varchar(20) not null default 'NONE',
      rollover_cap numeric(19, 4),
      rollover_amount numeric(19, 4) not null default 0,

      alert_enabled boolean not null default true,
      alert_thresholds numeric[] not null default array[0.8, 1.0, 1.2],
      last_alert_sent_at timestamptz,
      last_alert_threshold numeric,

      status varchar(20) not null default 'active',
      version bigint not null default 0,
      folded_ledger_version bigint not null default 0,
      notes text,
      color varchar(7),
      icon varchar(50),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      deleted_at timestamptz,

      constraint pk_budgets primary key (id),
      constraint ck_budgets_amount_not_negative check (amount >= 0),
      constraint ck_budgets_currency_code check (currency ~ '^[A-Z]{3}$'),
      constraint ck_budgets_period_known check (period in ('weekly', 'biweekly', 'monthly', 'quarterly', 'yearly')),
      constraint ck_budgets_rollover_mode_known check (rollover_mode in ('NONE', 'SURPLUS', 'FULL', 'CAPPED')),
      constraint ck_budgets_capped_has_cap check (rollover_mode <> 'CAPPED' or rollover_cap >= 0 and rollover_cap is not null),
      constraint ck_budgets_status_known check (status in ('active', 'paused', 'completed', 'deleted')),
      constraint ck_budgets_deleted_once check ((status = 'deleted') = (deleted_at is not null)),
      constraint ck_budgets_ends_after_start check (end_date is null or end_date >= start_date)
    );
    create index ix_budgets_user_id on budget_schema.budgets (user_id, created_at, id) where deleted_at is null;
    create index ix_budgets_user_id_category on budget_schema.budgets (user_id, category) where status = 'active';
"""

# Written again with every fold: the free space keeps the row, and so its indexes, where they are.
UTILIZATION = """
    create table budget_schema.budget_utilization (
      id uuid not null default gen_random_uuid(),
      budget_id uuid not null,
      currency varchar(3) not null,
      period_start date not null,
      period_end date not null,

      amount_spent numeric(19, 4) not null default 0,
      amount_pending numeric(19, 4) not null default 0,
      amount_remaining numeric(19, 4),
      percentage_used numeric,
      unconverted jsonb not null default '{}',

      transaction_count integer not null default 0,
      last_transaction_at timestamptz,
      daily_average numeric(19, 4),
      projected_end_amount numeric(19, 4),

      is_exceeded boolean not null default false,
      is_current boolean not null default true,
      ledger_version bigint not null default 0,
      last_updated timestamptz not null default now(),
      created_at timestamptz not null default now(),

      constraint pk_budget_utilization primary key (id),
      constraint uq_budget_utilization_budget_id_period_start unique (budget_id, period_start),
      constraint fk_budget_utilization_budget_id foreign key (budget_id) references budget_schema.budgets (id) on delete cascade,
      constraint ck_budget_utilization_period_not_empty check (period_end > period_start),
      constraint ck_budget_utilization_currency_code check (currency ~ '^[A-Z]{3}$'),
      constraint ck_budget_utilization_transaction_count_not_negative check (transaction_count >= 0)
    ) with (fillfactor = 80);
    comment on column budget_schema.budget_utilization.percentage_used is 'NULL when the budget allows nothing';
    create unique index uq_budget_utilization_current on budget_schema.budget_utilization (budget_id) where is_current;
"""

GOALS = """
    create table budget_schema.savings_goals (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      name varchar(255) not null,
      description text,
      target_amount numeric(19, 4) not null,
      current_amount numeric(19, 4) not null default 0,
      currency varchar(3) not null,

      target_date date,
      started_at date not null default current_date,
      percentage_complete numeric not null default 0,
      months_remaining integer,
      required_monthly_contribution numeric(19, 4),

      status varchar(20) not null default 'active',
      achieved_at timestamptz,
      image_url text,
      color varchar(7),
      priority integer not null default 0,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      deleted_at timestamptz,

      constraint pk_savings_goals primary key (id),
      constraint ck_savings_goals_target_amount_not_negative check (target_amount >= 0),
      constraint ck_savings_goals_current_amount_not_negative check (current_amount >= 0),
      constraint ck_savings_goals_currency_code check (currency ~ '^[A-Z]{3}$'),
      constraint ck_savings_goals_status_known check (status in ('active', 'achieved', 'abandoned', 'paused'))
    );
    create index ix_savings_goals_user_id on budget_schema.savings_goals (user_id, created_at, id) where deleted_at is null;
"""

OF_A_BUDGET_OF_THE_VIEWER = f"""
    exists (select from budget_schema.budgets b where b.id = budget_id and b.user_id = {VIEWER_SQL})
"""

# Budgets and goals are marked as deleted. Utilisation is a fold: rows of periods that a budget no longer has may go.
GRANTS = f"""
    grant select, insert,
      update (name, category, amount, currency, period, start_date, end_date, rollover_mode, rollover_cap, rollover_amount,
              alert_enabled, alert_thresholds, last_alert_sent_at, last_alert_threshold, status, version, folded_ledger_version,
              notes, color, icon, deleted_at)
      on budget_schema.budgets to {APP_ROLE};
    grant select, insert, delete,
      update (currency, period_end, amount_spent, amount_pending, amount_remaining, percentage_used, unconverted, transaction_count,
              last_transaction_at, daily_average, projected_end_amount, is_exceeded, is_current, ledger_version, last_updated)
      on budget_schema.budget_utilization to {APP_ROLE};
    grant select, insert,
      update (name, description, target_amount, current_amount, currency, target_date, started_at, percentage_complete,
              months_remaining, required_monthly_contribution, status, achieved_at, image_url, color, priority, deleted_at)
      on budget_schema.savings_goals to {APP_ROLE};

    grant select on budget_schema.budgets, budget_schema.budget_utilization, budget_schema.savings_goals to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(BUDGETS + UTILIZATION + GOALS)
    run(touch(SCHEMA, "budgets", "savings_goals"))
    run(viewers_rows(SCHEMA, "budgets", "savings_goals"))
    run(rows_of(SCHEMA, "budget_utilization", OF_A_BUDGET_OF_THE_VIEWER))
    run(GRANTS)
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run("drop table budget_schema.savings_goals, budget_schema.budget_utilization, budget_schema.budgets;")
    run(close_schema(SCHEMA))
