"""A streaming replica of the suite's server: pg_basebackup, then a standby that follows it."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from app import machine, postgres
from db.engines import Dsns
from tests.migrations.fresh import plain
from tests.servers.suite import CHOICE, SPLIT, installation

START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Replica:
    """A standby. `sockets`: the folder where it listens."""

    sockets: Path
    superuser_dsn: str

    @classmethod
    @contextmanager
    def started(cls, folder: Path, primary_dsn: str) -> Iterator["Replica"]:
        """For the block, of the server that this superuser's DSN leads to."""
        programs = installation(CHOICE.postgres) if CHOICE.postgres else machine.postgres_folder()
        account = machine.server_account(folder / "data")
        data = folder / "data"
        machine.let_in(account, data)
        machine.give(account, folder)
        as_account: Mapping[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
        url = make_url(primary_dsn)
        given = {"PGPASSWORD": str(url.password), "PGHOST": str(url.query.get("host") or url.host), "PGUSER": str(url.username)}
        backup = [programs / "bin" / "pg_basebackup", "-D", data, "-R", "--checkpoint=fast", "--wal-method=stream", "--no-sync"]
        subprocess.run(backup, env={**os.environ, **given}, check=True, capture_output=True, umask=0o077, cwd="/", **as_account)
        # a standby takes no fewer connections than its primary
        settings = postgres.SETTINGS | (SPLIT if CHOICE.split else {}) | {"unix_socket_directories": str(folder), "hot_standby": "on"}
        command = [programs / "bin" / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())]
        with open(folder / "replica.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", env=postgres.ENVIRONMENT, umask=0o077, **as_account)
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not postgres.is_ready(data):
                assert process.poll() is None, (folder / "replica.log").read_text()
                assert time.monotonic() < deadline, (folder / "replica.log").read_text()
                time.sleep(0.02)
            yield cls(folder, _at(primary_dsn, folder))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            process.wait()

    def serve_reads(self, dsns: Dsns, *domains: str) -> Dsns:
        """The same log-ins, with a read replica for these domains."""
        apart = {domain: {**dsns.domains.get(domain, {}), "read": _at(dsns.of(domain, "app"), self.sockets)} for domain in domains}
        return replace(dsns, domains={**dsns.domains, **apart})

    async def do(self, statement: str) -> Any:
        """The first value of a statement, as the superuser there."""
        connection = await asyncpg.connect(plain(self.superuser_dsn))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def catch_up(self, primary_dsn: str) -> None:
        """Wait until it has what the primary has now."""
        primary = await asyncpg.connect(plain(primary_dsn))
        try:
            wanted = await primary.fetchval("select pg_current_wal_lsn()::text")
        finally:
            await primary.close()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await self.do(f"select pg_last_wal_replay_lsn() >= '{wanted}'"):
            assert time.monotonic() < deadline, "the replica does not catch up"


def _at(dsn: str, sockets: Path) -> str:
    return make_url(dsn).set(host=None, port=None, query={"host": str(sockets)}).render_as_string(hide_password=False)
