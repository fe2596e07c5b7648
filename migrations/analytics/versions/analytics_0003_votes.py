"""What each user says of a merchant, behind what all are told: only what enough of them agree on."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run, viewers_rows

revision = "analytics_0003"
down_revision = "analytics_0002"
branch_labels = None
depends_on = None

SCHEMA = "analytics_schema"

VOTES = """
    create table analytics_schema.merchant_category_votes (
      id uuid not null default gen_random_uuid(),
      user_id uuid not null,
      merchant_name varchar(255) not null,
      category varchar(100),
      category_detailed varchar(100),
      is_counted boolean not null default false,
      voted_at timestamptz not null default now(),
      created_at timestamptz not null default now(),
      constraint pk_merchant_category_votes primary key (id),
      constraint uq_merchant_category_votes_user_id_merchant_name unique (user_id, merchant_name),
      constraint ck_merchant_category_votes_detailed_has_category check (category is not null or category_detailed is null),
      constraint ck_merchant_category_votes_withdrawn_waits check (category is not null or not is_counted)
    );
    comment on column analytics_schema.merchant_category_votes.merchant_name is 'normalised, as in merchant_categories';
    comment on column analytics_schema.merchant_category_votes.category is 'a primary; NULL: withdrawn';
    create index ix_merchant_category_votes_merchant_name on analytics_schema.merchant_category_votes (merchant_name)
      where category is not null;
    create index ix_merchant_category_votes_uncounted on analytics_schema.merchant_category_votes (user_id, merchant_name)
      where not is_counted;
"""

# The index by category repeated nothing and served nobody.
MERCHANTS = """
    drop index analytics_schema.ix_merchant_categories_category;
    alter table analytics_schema.merchant_categories
      add constraint ck_merchant_categories_enough_agree check (categorized_by <> 'user' or user_count >= 3);
"""

GRANTS = f"""
    grant select, insert, update (category, category_detailed, is_counted, voted_at) on analytics_schema.merchant_category_votes
      to {APP_ROLE};
    grant select, delete, update (is_counted) on analytics_schema.merchant_category_votes to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(VOTES + MERCHANTS)
    run(viewers_rows(SCHEMA, "merchant_category_votes"))
    run(GRANTS)


def downgrade() -> None:
    run("""
        drop table analytics_schema.merchant_category_votes;
        alter table analytics_schema.merchant_categories drop constraint ck_merchant_categories_enough_agree;
        create index ix_merchant_categories_category on analytics_schema.merchant_categories (category);
    """)
