"""Users' own categories and their looks for default ones, recurring patterns, and the indexes of new criteria."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, touch, viewers_rows

revision = "transaction_0003"
down_revision = "transaction_0002"
branch_labels = None
depends_on = None

SCHEMA = "transaction_schema"

# The type of a category says what its sums are: it never changes, and neither does what the row stands for.
USER_CATEGORIES = f"""
    create table transaction_schema.user_categories (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      category_id varchar(100) not null,
      parent_id varchar(100),
      type varchar(20),
      display_name varchar(100),
      icon varchar(50),
      color varchar(7),
      is_hidden boolean not null default false,
      sort_order integer not null default 0,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint pk_user_categories primary key (id),
      constraint uq_user_categories_user_id_category_id unique (user_id, category_id),
      constraint ck_user_categories_type_known check (type in ('expense', 'income', 'transfer')),
      constraint ck_user_categories_color_hex check (color ~ '^#[0-9a-f]{{6}}$'),
      constraint ck_user_categories_own_is_named_by_its_row check ((type is not null) = (category_id = id::text)),
      constraint ck_user_categories_own_has_a_name check (type is null or display_name is not null),
      constraint ck_user_categories_default_keeps_its_place check (type is not null or parent_id is null and sort_order = 0),
      constraint ck_user_categories_not_its_own_parent check (parent_id <> category_id)
    );
    comment on column transaction_schema.user_categories.parent_id is 'of an own one: a default or an own one at the top';
    comment on column transaction_schema.user_categories.type is 'NULL: a default category, shown in another way';
    grant select, insert, update (parent_id, display_name, icon, color, is_hidden, sort_order), delete
      on transaction_schema.user_categories to {APP_ROLE};
    grant select, insert, update, delete on transaction_schema.user_categories to {SYSTEM_ROLE};
"""

RECURRING_PATTERNS = f"""
    create table transaction_schema.recurring_patterns (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      group_key varchar(255) not null,
      merchant_name varchar(255),
      amount_min numeric(19, 4) not null,
      amount_max numeric(19, 4) not null,
      currency varchar(3) not null,
      frequency varchar(20) not null,
      last_transaction_date date not null,
      next_expected_date date not null,
      confidence numeric(3, 2),
      transaction_count integer not null default 0,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint pk_recurring_patterns primary key (id),
      constraint uq_recurring_patterns_user_id_group_key unique (user_id, group_key),
      constraint ck_recurring_patterns_amount_min_not_negative check (amount_min >= 0),
      constraint ck_recurring_patterns_amount_max_not_negative check (amount_max >= 0),
      constraint ck_recurring_patterns_transaction_count_not_negative check (transaction_count >= 0),
      constraint ck_recurring_patterns_currency_code check (currency ~ '^[A-Z]{{3}}$'),
      constraint ck_recurring_patterns_frequency_known check (frequency in ('weekly', 'biweekly', 'monthly', 'quarterly', 'yearly')),
      constraint ck_recurring_patterns_confidence_share check (confidence between 0 and 1),
      constraint ck_recurring_patterns_amounts_in_order check (amount_min <= amount_max)
    );
    create index ix_recurring_patterns_user_id on transaction_schema.recurring_patterns (user_id, next_expected_date, id);
    grant select, insert, delete,
          update (merchant_name, amount_min, amount_max, currency, frequency, last_transaction_date, next_expected_date, confidence,
                  transaction_count)
      on transaction_schema.recurring_patterns to {APP_ROLE};
    grant select, insert, update, delete on transaction_schema.recurring_patterns to {SYSTEM_ROLE};
"""

# For the criteria `merchant` and `isRecurring`, and the transactions of a series. Rows that are in no series cost two of them nothing.
INDEXES = """
    create index ix_transactions_merchant on transaction_schema.transactions (user_id, merchant_name, transaction_date desc, id desc)
      where merchant_name is not null;
    create index ix_transactions_recurring on transaction_schema.transactions (user_id, transaction_date desc, id desc)
      where is_recurring;
    create index ix_transactions_series on transaction_schema.transactions (user_id, recurring_series_id, transaction_date desc, id desc)
      where recurring_series_id is not null;
"""


def upgrade() -> None:
    run(USER_CATEGORIES + RECURRING_PATTERNS + INDEXES)
    run(touch(SCHEMA, "user_categories", "recurring_patterns"))
    run(viewers_rows(SCHEMA, "user_categories", "recurring_patterns"))


def downgrade() -> None:
    run("""
        drop index transaction_schema.ix_transactions_merchant, transaction_schema.ix_transactions_recurring,
          transaction_schema.ix_transactions_series;
        drop table transaction_schema.user_categories, transaction_schema.recurring_patterns;
    """)
