"""What is known about merchants. No sample of anybody's text: the table is shared by all users."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import close_schema, drop_operational_tables, open_schema, operational_tables, run, touch

revision = "analytics_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "analytics_schema"

MERCHANTS = """
    create table analytics_schema.merchant_categories (
      merchant_name varchar(255) not null,
      category varchar(100) not null,
      category_detailed varchar(100),
      confidence numeric(3, 2),
      categorized_by varchar(50) not null default 'llm',
      user_count integer not null default 1,
      last_seen_at timestamptz not null default now(),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      constraint pk_merchant_categories primary key (merchant_name),
      constraint ck_merchant_categories_categorized_by_known check (categorized_by in ('llm', 'user', 'rule')),
      constraint ck_merchant_categories_confidence_share check (confidence between 0 and 1),
      constraint ck_merchant_categories_user_count_not_negative check (user_count >= 0)
    );
    create index ix_merchant_categories_category on analytics_schema.merchant_categories (category);
"""

# What one user does must not change what all others get: only the system writes here.
GRANTS = f"""
    grant select on analytics_schema.merchant_categories to {APP_ROLE};
    grant select, insert, update, delete on analytics_schema.merchant_categories to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(open_schema(SCHEMA))
    run(MERCHANTS)
    run(touch(SCHEMA, "merchant_categories"))
    run(GRANTS)
    run(operational_tables(SCHEMA))


def downgrade() -> None:
    run(drop_operational_tables(SCHEMA))
    run("drop table analytics_schema.merchant_categories;")
    run(close_schema(SCHEMA))
