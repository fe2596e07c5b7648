"""Transactions by year, the way to them, their view for the application, categories, monthly sums."""

from db.base import APP_ROLE, SYSTEM_ROLE, VIEWER_SQL
from db.transaction.reference.categories import CATEGORIES
from migrations.ddl import close_schema, drop_operational_tables, has_extension, open_schema, operational_tables, run, touch, viewers_rows
from migrations.reference import load_categories

revision = "transaction_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "transaction_schema"

TRANSACTIONS = """
    create table transaction_schema.transactions (
      id uuid not null default gen_random_uuid(),
      transaction_date date not null,
      user_id uuid not null,
      account_id uuid not null,
      provider varchar(50) not null,
      provider_transaction_id varchar(255) not null,

      amount numeric(19, 4) not null,
      currency varchar(3) not null default 'USD',
      direction varchar(10) not null,
      merchant_name varchar(255),
      merchant_logo_url text,
      description text,
      original_description text,

      category varchar(100),
      category_detailed varchar(100),
      category_confidence numeric(3, 2),
      user_category varchar(100),
      category_method varchar(50) not null default 'auto',
      effective_category varchar(100) generated always as (coalesce(user_category, category_detailed, category)) stored,

      location_address varchar(500),
      location_city varchar(100),
      location_region varchar(100),
      location_postal_code varchar(20),
      location_country varchar(2),
      location_lat numeric(10, 8),
      location_lon numeric(11, 8),

      authorized_date date,
      posted_date date,
      status varchar(50) not null default 'posted',
      is_pending boolean not null generated always as (status = 'pending') stored,

      is_duplicate boolean not null default false,
      duplicate_of uuid,
      is_recurring boolean not null default false,
      recurring_series_id uuid,

      notes text,
      tags text[] not null default '{}',
      metadata jsonb not null default '{}',
      payment_meta jsonb,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),

      constraint pk_transactions primary key (id, transaction_date),
      constraint ck_transactions_amount_not_negative check (amount >= 0),
      constraint ck_transactions_currency_code check (currency ~ '^[A-Z]{3}$'),
      constraint ck_transactions_direction_known check (direction in ('debit', 'credit')),
      constraint ck_transactions_status_known check (status in ('pending', 'posted', 'cancelled')),
      constraint ck_transactions_category_method_known check (category_method in ('auto', 'user', 'rule')),
      constraint ck_transactions_category_confidence_share check (category_confidence between 0 and 1)
    ) partition by range (transaction_date);
"""

# Led by the user, all of them: every list is one user's. Text search takes words as they are, whatever their language.
# GIN indexes keep new entries aside and every search reads those: at the default of 4 MB that takes 6 to 14 ms, at 256 kB 0.3, and
# inserting is as fast (measured).
TRANSACTION_INDEXES = """
    create index ix_transactions_user_date on transaction_schema.transactions (user_id, transaction_date desc, id desc);
    create index ix_transactions_account on transaction_schema.transactions (user_id, account_id, transaction_date desc, id desc);
    create index ix_transactions_category on transaction_schema.transactions (user_id, effective_category, transaction_date desc);
    create index ix_transactions_amount on transaction_schema.transactions (user_id, amount, id);
    create index ix_transactions_pending on transaction_schema.transactions (user_id, transaction_date desc) where is_pending;
    create index ix_transactions_search on transaction_schema.transactions
      using gin (user_id, to_tsvector('simple'::regconfig, coalesce(description, '') || ' ' || coalesce(merchant_name, '')))
      with (gin_pending_list_limit = 256);
    create index ix_transactions_tags on transaction_schema.transactions using gin (user_id, tags) with (gin_pending_list_limit = 256);
"""

# Statements may be older than the partitions made ahead. Whoever asks cannot make more than the sixty or so that are allowed, and
# writes the year's bounds, not SQL. The table is made aside and attached: the transactions stay readable and writable meanwhile.
# The lock is the one that attaching takes anyway: one for all years, as two who need the same two years in another order would wait for
# each other; and on a table, as only that makes a session hear of the partition that the one before it has made (found by a test).
ENSURE_PARTITION = f"""
    create function transaction_schema.ensure_partition(on_date date) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
      first_year constant integer := 1970;
      last_year constant integer := extract(year from current_date)::integer + 2;
      this_year integer;
      partition text;
    begin
      if on_date is null or on_date not between make_date(first_year, 1, 1) and make_date(last_year, 12, 31) then
        raise exception 'no transactions are kept for %: only % to %', on_date, first_year, last_year
          using errcode = 'datetime_field_overflow';
      end if;
      this_year := extract(year from on_date)::integer;
      partition := format('transactions_y%s', this_year);
      if to_regclass('transaction_schema.' || partition) is not null then
        return false;
      end if;
      lock table only transaction_schema.transactions in share update exclusive mode;
      if to_regclass('transaction_schema.' || partition) is not null then
        return false;
      end if;
      execute format('create table transaction_schema.%I (like transaction_schema.transactions including all)', partition);
      execute format('alter table transaction_schema.transactions attach partition transaction_schema.%I for values from (%L) to (%L)',
                     partition, make_date(this_year, 1, 1), make_date(this_year + 1, 1, 1));
      return true;
    end
    $$;
    comment on function transaction_schema.ensure_partition(date) is
      'Make the partition of the date''s year; false: it was there. 1970 to the year after next.';
    revoke execute on function transaction_schema.ensure_partition(date) from public;
    grant execute on function transaction_schema.ensure_partition(date) to {APP_ROLE}, {SYSTEM_ROLE};

    select transaction_schema.ensure_partition(make_date(y, 1, 1))
    from generate_series(extract(year from current_date)::integer - 5, extract(year from current_date)::integer + 1) y;
"""

READABLE = """id, transaction_date, user_id, account_id, provider, provider_transaction_id, amount, currency, direction, merchant_name,
    merchant_logo_url, description, original_description, category, category_detailed, category_confidence, user_category,
    category_method, effective_category, location_address, location_city, location_region, location_postal_code, location_country,
    location_lat, location_lon, authorized_date, posted_date, status, is_pending, is_duplicate, duplicate_of, is_recurring,
    recurring_series_id, notes, tags, metadata, payment_meta, created_at, updated_at"""

# Never user_id, id or transaction_date: an upsert that may set them takes over the row of whoever's id it names.
MUTABLE = """provider_transaction_id, amount, currency, direction, merchant_name, merchant_logo_url, description, original_description,
    category, category_detailed, category_confidence, user_category, category_method, location_address, location_city,
    location_region, location_postal_code, location_country, location_lat, location_lon, authorized_date, posted_date, status,
    is_duplicate, duplicate_of, is_recurring, recurring_series_id, notes, tags, metadata, payment_meta"""

# A plain view, no security barrier: a barrier, like row security, would keep text search and tags from their indexes.
OWN_TRANSACTIONS = f"""
    create view transaction_schema.own_transactions as
      select {READABLE} from transaction_schema.transactions where user_id = {VIEWER_SQL}
      with cascaded check option;
    grant select, insert, delete, update ({MUTABLE}) on transaction_schema.own_transactions to {APP_ROLE};
    grant select, insert, update, delete on transaction_schema.transactions to {SYSTEM_ROLE};
"""

KEYS = f"""
    create table transaction_schema.transaction_keys (
      user_id uuid not null,
      account_id uuid not null,
      provider_transaction_id varchar(255) not null,
      transaction_id uuid not null,
      transaction_date date not null,
      fingerprint bytea not null,
      is_alias boolean not null default false,
      constraint pk_transaction_keys primary key (user_id, account_id, provider_transaction_id)
    );
    create index ix_transaction_keys_transaction_id on transaction_schema.transaction_keys (transaction_id);
    grant select, insert, update (transaction_id, transaction_date, fingerprint, is_alias), delete
      on transaction_schema.transaction_keys to {APP_ROLE};
    grant select, insert, update, delete on transaction_schema.transaction_keys to {SYSTEM_ROLE};
"""

CATEGORY_TREE = f"""
    create table transaction_schema.categories (
      id varchar(100) not null,
      parent_id varchar(100),
      name varchar(100) not null,
      display_name varchar(100) not null,
      icon varchar(50),
      color varchar(7),
      type varchar(20) not null default 'expense',
      is_default boolean not null default true,
      sort_order integer not null default 0,
      created_at timestamptz not null default now(),
      constraint pk_categories primary key (id),
      constraint fk_categories_parent_id foreign key (parent_id) references transaction_schema.categories (id),
      constraint ck_categories_type_known check (type in ('expense', 'income', 'transfer')),
      constraint ck_categories_color_hex check (color ~ '^#[0-9a-f]{{6}}$'),
      constraint ck_categories_not_its_own_parent check (parent_id <> id)
    );
    create index ix_categories_parent_id on transaction_schema.categories (parent_id);
    grant select on transaction_schema.categories to {APP_ROLE}, {SYSTEM_ROLE};
"""

# One row per user, written by every change: most of the page is kept free for it.
LEDGERS = f"""
    create table transaction_schema.ledgers (
      user_id uuid not null,
      version bigint not null default 0,
      constraint pk_ledgers primary key (user_id)
    ) with (fillfactor = 50);
    grant select, insert, update (version) on transaction_schema.ledgers to {APP_ROLE};
    grant select, insert, update (version) on transaction_schema.ledgers to {SYSTEM_ROLE};
"""

SUMMARY = f"""
    create table transaction_schema.monthly_category_summary (
      user_id uuid not null,
      month date not null,
      category varchar(100),
      direction varchar(10) not null,
      currency varchar(3) not null,
      total_amount numeric(19, 4) not null default 0,
      transaction_count integer not null,
      avg_amount numeric(19, 4) not null generated always as (total_amount / transaction_count) stored,
      is_frozen boolean not null default false,
      updated_at timestamptz not null default now(),
      constraint uq_monthly_category_summary_key unique nulls not distinct (user_id, month, category, direction, currency),
      constraint ck_monthly_category_summary_direction_known check (direction in ('debit', 'credit')),
      constraint ck_monthly_category_summary_currency_code check (currency ~ '^[A-Z]{{3}}$'),
      constraint ck_monthly_category_summary_total_amount_not_negative check (total_amount >= 0),
      constraint ck_monthly_category_summary_transaction_count_positive check (transaction_count > 0),
      constraint ck_monthly_category_summary_month_is_first_day check (extract(day from month) = 1)
    );
    comment on column transaction_schema.monthly_category_summary.category is 'the effective one; NULL: none';
    grant select, insert, update (total_amount, transaction_count, is_frozen), delete
      on transaction_schema.monthly_category_summary to {APP_ROLE};
    grant select, insert, update, delete on transaction_schema.monthly_category_summary to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(TRANSACTIONS + (TRANSACTION_INDEXES if has_extension("btree_gin") else TRANSACTION_INDEXES.replace("gin (user_id, ", "gin (")))
    run(ENSURE_PARTITION)
    run(OWN_TRANSACTIONS)
    run(KEYS + CATEGORY_TREE + LEDGERS + SUMMARY)
    run(touch(SCHEMA, "transactions", "monthly_category_summary"))
    run(viewers_rows(SCHEMA, "transaction_keys", "ledgers", "monthly_category_summary"))
    load_categories(CATEGORIES)
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run("""
        drop view transaction_schema.own_transactions;
        drop table transaction_schema.transactions, transaction_schema.transaction_keys, transaction_schema.categories,
          transaction_schema.ledgers, transaction_schema.monthly_category_summary;
        drop function transaction_schema.ensure_partition(date);
    """)
    run(close_schema(SCHEMA))
