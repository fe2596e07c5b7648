"""What a bank and its customer both say of a transaction: whose word each field is, what was deleted and stays so, what is in doubt."""

from db.base import APP_ROLE, SYSTEM_ROLE, VIEWER_SQL
from migrations.ddl import run, viewers_rows

revision = "transaction_0006"
down_revision = "transaction_0005"
branch_labels = None
depends_on = None

SCHEMA = "transaction_schema"

# A default that is a constant rewrites no row, and is allowed on what is compressed.
COLUMNS = """
    alter table transaction_schema.transactions
      add column provenance jsonb not null default '{}',
      add column transfer_id uuid;
"""

READABLE = """id, transaction_date, user_id, account_id, provider, provider_transaction_id, amount, currency, direction, merchant_name,
    merchant_logo_url, description, original_description, category, category_detailed, category_confidence, user_category,
    category_method, effective_category, location_address, location_city, location_region, location_postal_code, location_country,
    location_lat, location_lon, authorized_date, posted_date, status, is_pending, is_duplicate, duplicate_of, is_recurring,
    recurring_series_id, notes, tags, metadata, payment_meta, created_at, updated_at"""

MUTABLE = """provider_transaction_id, amount, currency, direction, merchant_name, merchant_logo_url, description, original_description,
    category, category_detailed, category_confidence, user_category, category_method, location_address, location_city,
    location_region, location_postal_code, location_country, location_lat, location_lon, authorized_date, posted_date, status,
    is_duplicate, duplicate_of, is_recurring, recurring_series_id, notes, tags, metadata, payment_meta"""


def _view(columns: str) -> str:
    """The viewer's rows, in the words that what the table is wants (transaction_0004)."""
    return f"""
    do $make$
    declare
      viewer constant text := $viewer${VIEWER_SQL}$viewer$;
      is_hypertable boolean := (select relkind <> 'p' from pg_class where oid = 'transaction_schema.transactions'::regclass);
    begin
      execute format('create or replace view transaction_schema.own_transactions as'
                     ' select {" ".join(columns.split())} from transaction_schema.transactions where user_id %s with cascaded check option',
                     case when is_hypertable then '= any (array[' || viewer || '])' else '= ' || viewer end);
    end
    $make$;
    """


VIEW_GRANTS = f"grant update (provenance, transfer_id) on transaction_schema.own_transactions to {APP_ROLE};"

# `likeness` digests what a deleted row was, for a bank that names it anew when it is linked again.
KEYS = f"""
    alter table transaction_schema.transaction_keys add column deleted_at timestamptz, add column likeness bytea;
    alter table transaction_schema.transaction_keys
      add constraint ck_transaction_keys_only_the_deleted_are_likened check (likeness is null or deleted_at is not null);
    comment on column transaction_schema.transaction_keys.deleted_at is
      'when the user deleted it: the transaction is gone and stays so, whatever the bank says';
    comment on column transaction_schema.transaction_keys.likeness is 'of a deleted one: a digest of what it was';
    create index ix_transaction_keys_deleted on transaction_schema.transaction_keys (user_id, account_id) where deleted_at is not null;
    grant update (deleted_at, likeness) on transaction_schema.transaction_keys to {APP_ROLE};
"""

DELETED = f"""
    create table transaction_schema.deleted_transactions (
      id uuid not null,
      user_id uuid not null,
      account_id uuid not null,
      transaction_date date not null,
      content jsonb not null,
      offered jsonb,
      deleted_at timestamptz not null default now(),
      constraint pk_deleted_transactions primary key (id)
    );
    comment on column transaction_schema.deleted_transactions.content is 'the row as it was, by column';
    comment on column transaction_schema.deleted_transactions.offered is 'what the bank has said of it since; NULL: nothing new';
    create index ix_deleted_transactions_user_id on transaction_schema.deleted_transactions (user_id, deleted_at desc, id desc);
    grant select, insert, delete, update (offered) on transaction_schema.deleted_transactions to {APP_ROLE};
    grant select, insert, update, delete on transaction_schema.deleted_transactions to {SYSTEM_ROLE};
"""

REVIEWS = f"""
    create table transaction_schema.transaction_reviews (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      kind varchar(20) not null,
      state varchar(20) not null default 'suggested',
      decided_by varchar(10),
      transaction_id uuid not null,
      transaction_date date not null,
      other_id uuid,
      other_date date,
      score numeric(3, 2),
      created_at timestamptz not null default now(),
      decided_at timestamptz,
      constraint pk_transaction_reviews primary key (id),
      constraint uq_transaction_reviews_pair unique nulls not distinct (user_id, kind, transaction_id, other_id),
      constraint ck_transaction_reviews_kind_known check (kind in ('posting', 'removal', 'transfer', 'duplicate')),
      constraint ck_transaction_reviews_state_known check (state in ('suggested', 'applied', 'rejected')),
      constraint ck_transaction_reviews_decided_by_known check (decided_by in ('auto', 'user')),
      constraint ck_transaction_reviews_score_share check (score between 0 and 1),
      constraint ck_transaction_reviews_decided_by_somebody check ((state = 'suggested') = (decided_by is null)),
      constraint ck_transaction_reviews_decided_once check ((decided_by is null) = (decided_at is null)),
      constraint ck_transaction_reviews_other_is_whole check ((other_id is null) = (other_date is null)),
      constraint ck_transaction_reviews_removal_is_of_one check ((kind = 'removal') = (other_id is null)),
      constraint ck_transaction_reviews_of_two check (other_id <> transaction_id)
    );
    comment on column transaction_schema.transaction_reviews.transaction_id is
      'posting: the pending one; removal: what the bank removed; transfer: the debit; duplicate: the one that is too many';
    comment on column transaction_schema.transaction_reviews.other_id is
      'posting: the posted one; transfer: the credit; duplicate: the original';
    create index ix_transaction_reviews_state on transaction_schema.transaction_reviews (user_id, state, created_at desc, id desc);
    create index ix_transaction_reviews_transaction_id on transaction_schema.transaction_reviews (user_id, transaction_id);
    create index ix_transaction_reviews_other_id on transaction_schema.transaction_reviews (user_id, other_id) where other_id is not null;
    grant select, insert, delete, update (state, decided_by, transaction_date, other_date, score, decided_at)
      on transaction_schema.transaction_reviews to {APP_ROLE};
    grant select, insert, update, delete on transaction_schema.transaction_reviews to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(COLUMNS + _view(f"{READABLE}, provenance, transfer_id") + VIEW_GRANTS)
    run(KEYS + DELETED + REVIEWS)
    run(viewers_rows(SCHEMA, "deleted_transactions", "transaction_reviews"))


def downgrade() -> None:
    run(f"""
        drop table transaction_schema.transaction_reviews, transaction_schema.deleted_transactions;
        alter table transaction_schema.transaction_keys no force row level security;
        delete from transaction_schema.transaction_keys where deleted_at is not null;
        alter table transaction_schema.transaction_keys force row level security;
        drop index transaction_schema.ix_transaction_keys_deleted;
        alter table transaction_schema.transaction_keys drop column likeness, drop column deleted_at;
        drop view transaction_schema.own_transactions;
        alter table transaction_schema.transactions drop column transfer_id, drop column provenance;
        {_view(READABLE)}
        grant select, insert, delete, update ({MUTABLE}) on transaction_schema.own_transactions to {APP_ROLE};
    """)
