"""Exchange rates, and what speaks against a pair that is suggested."""

from db.base import APP_ROLE, SYSTEM_ROLE
from migrations.ddl import run

revision = "transaction_0007"
down_revision = "transaction_0006"
branch_labels = None
depends_on = None

# The same for everybody, like the categories: the key finds the last rate before a day.
RATES = f"""
    create table transaction_schema.exchange_rates (
      currency varchar(3) not null,
      on_date date not null,
      per_eur numeric(20, 8) not null,
      constraint pk_exchange_rates primary key (currency, on_date),
      constraint ck_exchange_rates_currency_code check (currency ~ '^[A-Z]{{3}}$'),
      constraint ck_exchange_rates_not_of_the_euro check (currency <> 'EUR'),
      constraint ck_exchange_rates_per_eur_positive check (per_eur > 0)
    );
    comment on column transaction_schema.exchange_rates.per_eur is 'how many of it one euro was on that day';
    grant select on transaction_schema.exchange_rates to {APP_ROLE};
    grant select, insert, update (per_eur) on transaction_schema.exchange_rates to {SYSTEM_ROLE};
"""

REASONS = f"""
    alter table transaction_schema.transaction_reviews add column reasons text[] not null default '{{}}';
    comment on column transaction_schema.transaction_reviews.reasons is 'what was taken off the score, by name';
    grant update (reasons) on transaction_schema.transaction_reviews to {APP_ROLE};
"""


def upgrade() -> None:
    run(RATES + REASONS)


def downgrade() -> None:
    run("""
        alter table transaction_schema.transaction_reviews drop column reasons;
        drop table transaction_schema.exchange_rates;
    """)
