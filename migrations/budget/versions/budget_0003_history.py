"""What a budget came to in periods that are over, and what is put aside for a goal."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, touch, viewers_rows

revision = "budget_0003"
down_revision = "budget_0002"
branch_labels = None
depends_on = None

SCHEMA = "budget_schema"

# A child names its parent's owner too, so that no row hangs on a stranger's budget or goal.
PARENTS = """
    alter table budget_schema.budgets
      add constraint uq_budgets_id_user_id unique (id, user_id),
      add column folded_at timestamptz,
      add column closes_on date;
    comment on column budget_schema.budgets.folded_at is 'the instant whose day the last fold took for today';
    comment on column budget_schema.budgets.closes_on is
      'the first day on which another period of it can be closed; NULL: nobody has looked since it was made or redefined';
    create index ix_budgets_closes_on on budget_schema.budgets (closes_on) where deleted_at is null;
    drop index budget_schema.ix_budgets_user_id_category; -- nobody has so many budgets that one is looked for by its category

    alter table budget_schema.savings_goals
      add constraint uq_savings_goals_id_user_id unique (id, user_id),
      add column opening_amount numeric(19, 4) not null default 0;
    comment on column budget_schema.savings_goals.opening_amount is 'what was saved before the first contribution';
"""

# What is saved so far is where contributions start from. Row security hides the rows from an UPDATE of the owner's; a new type for the
# column, which is the one it has, is given to all of them.
OPENING = """
    alter table budget_schema.savings_goals alter column opening_amount type numeric(19, 4) using current_amount;
    alter table budget_schema.savings_goals add constraint ck_savings_goals_opening_amount_not_negative check (opening_amount >= 0);
"""

CONTRIBUTIONS = """
    create table budget_schema.goal_contributions (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      goal_id uuid not null,
      amount numeric(19, 4) not null,
      currency varchar(3) not null,
      contribution_date date not null default current_date,
      notes text,
      created_at timestamptz not null default now(),

      constraint pk_goal_contributions primary key (id),
      constraint fk_goal_contributions_goal_id
        foreign key (goal_id, user_id) references budget_schema.savings_goals (id, user_id) on delete cascade,
      constraint ck_goal_contributions_amount_moves check (amount <> 0),
      constraint ck_goal_contributions_currency_code check (currency ~ '^[A-Z]{3}$')
    );
    comment on column budget_schema.goal_contributions.amount is 'negative: taken out';
    create index ix_goal_contributions_user_id_goal_id
      on budget_schema.goal_contributions (user_id, goal_id, contribution_date, id) include (amount);
    create index ix_goal_contributions_user_id_contribution_date on budget_schema.goal_contributions (user_id, contribution_date, id);
"""

HISTORY = """
    create table budget_schema.budget_history (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      budget_id uuid not null,
      category varchar(100) not null,
      currency varchar(3) not null,
      period_start date not null,
      period_end date not null,

      budget_amount numeric(19, 4) not null,
      amount_spent numeric(38, 4) not null,
      amount_remaining numeric(38, 4),
      percentage_used numeric,
      unconverted jsonb not null default '{}',
      was_exceeded boolean not null default false,
      transaction_count integer not null default 0,

      is_frozen boolean not null default false,
      ledger_version bigint not null default 0,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),

      constraint pk_budget_history primary key (id),
      constraint uq_budget_history_budget_id_period_start unique (budget_id, period_start),
      constraint fk_budget_history_budget_id
        foreign key (budget_id, user_id) references budget_schema.budgets (id, user_id) on delete cascade,
      constraint ck_budget_history_period_not_empty check (period_end > period_start),
      constraint ck_budget_history_currency_code check (currency ~ '^[A-Z]{3}$'),
      constraint ck_budget_history_budget_amount_not_negative check (budget_amount >= 0),
      constraint ck_budget_history_transaction_count_not_negative check (transaction_count >= 0)
    );
    comment on column budget_schema.budget_history.percentage_used is 'NULL when the budget allowed nothing';
    comment on column budget_schema.budget_history.is_frozen is 'its transactions may be gone: nothing folds it again';
    create index ix_budget_history_user_id_period_start on budget_schema.budget_history (user_id, period_start, id);
"""

# A contribution is made or deleted, never changed; history is folded again until it is frozen, and never deleted by its owner.
GRANTS = f"""
    grant update (folded_at, closes_on) on budget_schema.budgets to {APP_ROLE};
    grant select, insert, delete on budget_schema.goal_contributions to {APP_ROLE};
    grant select, insert,
      update (category, currency, period_end, budget_amount, amount_spent, amount_remaining, percentage_used, unconverted, was_exceeded,
              transaction_count, is_frozen, ledger_version)
      on budget_schema.budget_history to {APP_ROLE};

    grant select on budget_schema.goal_contributions, budget_schema.budget_history to {SYSTEM_ROLE};
    grant delete on budget_schema.budgets, budget_schema.budget_utilization, budget_schema.budget_history, budget_schema.savings_goals,
      budget_schema.goal_contributions to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(PARENTS + OPENING + CONTRIBUTIONS + HISTORY)
    run(touch(SCHEMA, "budget_history"))
    run(viewers_rows(SCHEMA, "goal_contributions", "budget_history"))
    run(GRANTS)


def downgrade() -> None:
    run("drop table budget_schema.budget_history, budget_schema.goal_contributions;")
    run(f"revoke delete on budget_schema.budgets, budget_schema.budget_utilization, budget_schema.savings_goals from {SYSTEM_ROLE};")
    run("""
        alter table budget_schema.savings_goals drop column opening_amount, drop constraint uq_savings_goals_id_user_id;
        drop index budget_schema.ix_budgets_closes_on;
        create index ix_budgets_user_id_category on budget_schema.budgets (user_id, category) where status = 'active';
        alter table budget_schema.budgets drop column closes_on, drop column folded_at, drop constraint uq_budgets_id_user_id;
    """)
