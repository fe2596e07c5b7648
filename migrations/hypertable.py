"""Making transactions a hypertable of an installation that runs: for tables that a migration does not move (transaction_0004)."""

import asyncpg

from db.dsn import driver_dsn

LOCK_WAIT_S = 5


class HypertableRefused(Exception):
    """It cannot be done now, or here. The message says why, and what to do."""


async def make_hypertable(owner_dsn: str) -> bool:
    """Move every transaction into a hypertable, in one transaction; False: it is one already.

    Nobody reads or writes transactions meanwhile, and the disk holds them twice until the end. Killed, it has changed nothing.
    Errors: HypertableRefused.
    """
    connection = await asyncpg.connect(driver_dsn(owner_dsn))
    try:
        await connection.execute(f"set lock_timeout = '{LOCK_WAIT_S}s'")
        return bool(await connection.fetchval("select transaction_schema.rebuild_transactions(true)"))
    except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedFunctionError) as error:
        raise HypertableRefused("The tables are of an older release: run florin migrate.") from error
    except asyncpg.LockNotAvailableError as error:
        raise HypertableRefused("Transactions are in use: stop API and worker processes, then try again.") from error
    except asyncpg.FeatureNotSupportedError as error:
        raise HypertableRefused(f"{error.message}: {error.hint}." if error.hint else str(error)) from error
    finally:
        await connection.close()
