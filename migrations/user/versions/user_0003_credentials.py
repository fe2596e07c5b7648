"""Credentials end with the account, whoever marks it deleted."""

from migrations.ddl import run

revision = "user_0003"
down_revision = "user_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("""
        create function user_schema.end_credentials() returns trigger
        language plpgsql set search_path = pg_catalog as $$
        begin
          new.password_hash = null;
          new.two_factor_secret = null;
          new.two_factor_enabled = false;
          return new;
        end
        $$;
        revoke execute on function user_schema.end_credentials() from public;
        create trigger end_credentials before insert or update on user_schema.users
          for each row when (new.deleted_at is not null) execute function user_schema.end_credentials();
    """)


def downgrade() -> None:
    run("""
        drop trigger end_credentials on user_schema.users;
        drop function user_schema.end_credentials();
    """)
