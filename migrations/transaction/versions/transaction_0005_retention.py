"""What retention needs: months that are closed are found by themselves, and parts of the transactions that it has emptied are dropped."""

from db.base import SYSTEM_ROLE
from migrations.ddl import run

revision = "transaction_0005"
down_revision = "transaction_0004"
branch_labels = None
depends_on = None

# Every fold looks for closed months, and nearly nobody has any.
FROZEN = """
    create index ix_monthly_category_summary_frozen on transaction_schema.monthly_category_summary (user_id, month) where is_frozen;
"""

# It drops nothing that holds a row, and nothing that ended less than five years ago: what may go is decided and noted per user, and
# deleted; this takes away what that has emptied. It looks under the locks that dropping takes anyway.
DROP_EMPTY = f"""
    create function transaction_schema.drop_empty(partition text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
    declare
      kept constant interval := interval '5 years';
      part record;
      holds_rows boolean;
    begin
      select * into part from transaction_schema.list_partitions() where name = partition;
      if not found then
        return false;
      end if;
      if part.end_day > current_date - kept then
        raise exception 'transactions of % are kept: for %', partition, kept using errcode = 'object_not_in_prerequisite_state';
      end if;
      lock table only transaction_schema.transactions in access exclusive mode;
      if not exists (select from transaction_schema.list_partitions() where name = partition) then
        return false;
      end if;
      select exists (select from transaction_schema.transactions
                     where transaction_date >= part.first_day and transaction_date < part.end_day) into holds_rows;
      if holds_rows then
        return false;
      end if;
      if (select relkind <> 'p' from pg_class where oid = 'transaction_schema.transactions'::regclass) then
        return transaction_schema.drop_empty_chunks(part.end_day) > 0;
      end if;
      execute format('drop table transaction_schema.%I', partition);
      return true;
    end
    $$;
    comment on function transaction_schema.drop_empty(text) is
      'Drop a part of transactions that ended five years ago, if no row is left in it. False: it is not there, or not empty.';
    revoke execute on function transaction_schema.drop_empty(text) from public;
    grant execute on function transaction_schema.drop_empty(text) to {SYSTEM_ROLE};
"""


def upgrade() -> None:
    run(FROZEN + DROP_EMPTY)


def downgrade() -> None:
    run("""
        drop function transaction_schema.drop_empty(text);
        drop index transaction_schema.ix_monthly_category_summary_frozen;
    """)
