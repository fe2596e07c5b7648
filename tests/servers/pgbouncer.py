"""A PgBouncer as deploy/pgbouncer/pgbouncer.ini sets it up, in front of the suite's server."""

import asyncio
import configparser
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app import machine
from db.base import APP_ROLE, SYSTEM_ROLE
from db.dsn import driver_dsn
from db.engines import Dsns

DEPLOYED = Path(__file__).parents[2] / "deploy" / "pgbouncer" / "pgbouncer.ini"
START_TIMEOUT_S = 10.0
#: Roles that go through it. The owner, who migrates, logs in at the server.
POOLED = ("app", "system")
INSTALL = "apt-get install pgbouncer; `make conformance` does as root"


def program() -> Path | None:
    found = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    return Path(found) if found else None


def version() -> tuple[int, ...]:
    """As in (1, 18, 0)."""
    found = program()
    assert found is not None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"PgBouncer (\d+)\.(\d+)\.(\d+)", said)
    assert match is not None, said
    return tuple(int(part) for part in match.groups())


needs_pgbouncer = pytest.mark.skipif(program() is None, reason=f"PgBouncer is not installed ({INSTALL})")


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """One that runs. It listens on a socket in `folder`."""

    folder: Path
    port: int

    @classmethod
    @contextmanager
    def started(cls, folder: Path, superuser_dsn: str, **changes: str) -> Iterator["PgBouncer"]:
        """For the block, in front of every database of that server. `changes`: settings other than the deployed ones."""
        found = program()
        if found is None:
            pytest.fail(f"PgBouncer is not installed ({INSTALL})")
        bouncer = cls(folder, 6432)
        account = machine.server_account(folder / "data")
        (folder / "userlist.txt").write_text(_userlist(superuser_dsn))
        _settings(superuser_dsn, folder, bouncer.port, changes, folder / "pgbouncer.ini")
        for path in (folder, *folder.iterdir()):
            machine.give(account, path)
        with open(folder / "pgbouncer.log", "ab") as log:
            process = subprocess.Popen(
                [found, folder / "pgbouncer.ini"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        try:
            bouncer._wait(process)
            yield bouncer
        finally:
            process.terminate()
            process.wait()

    def through(self, dsn: str) -> str:
        """The same log-in to the same database, through it."""
        url = make_url(dsn)
        return url.set(host=None, port=None, query={"host": str(self.folder), "port": str(self.port)}).render_as_string(hide_password=False)

    def lead(self, dsns: Dsns) -> Dsns:
        """The same log-ins, those of processes through it."""
        domains = {
            domain: {role: self.through(dsn) if role in POOLED else dsn for role, dsn in logins.items()}
            for domain, logins in dsns.domains.items()
        }
        app, system = (self.through(getattr(dsns, role)) for role in POOLED)
        return replace(dsns, app=app, system=system, domains=domains, pooler="transaction")

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self.folder / f".s.PGSQL.{self.port}").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("PgBouncer did not start:\n" + (self.folder / "pgbouncer.log").read_text())
            time.sleep(0.01)


def _settings(superuser_dsn: str, folder: Path, port: int, changes: dict[str, str], to: Path) -> None:
    """The deployed file, but for where things are."""
    read = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    read.read_string(DEPLOYED.read_text())
    url = make_url(superuser_dsn)
    host = str(url.query.get("host") or url.host)
    read["databases"] = {"*": f"host={host} port={url.port or 5432}"}
    for name in ("listen_addr", "logfile", "pidfile"):
        read["pgbouncer"].pop(name, None)
    places = {"listen_port": str(port), "unix_socket_dir": str(folder), "auth_file": str(folder / "userlist.txt")}
    read["pgbouncer"].update(places | changes)
    with open(to, "w") as file:
        read.write(file)


def _userlist(superuser_dsn: str) -> str:
    """As the deployed file says to fill it: each role and what the server knows of its password."""

    async def read() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(driver_dsn(superuser_dsn))
        try:
            return await connection.fetch(
                "select rolname, rolpassword from pg_catalog.pg_authid where rolname = any($1)", [APP_ROLE, SYSTEM_ROLE]
            )
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        rows = thread.submit(asyncio.run, read()).result()
    return "".join(f'"{row["rolname"]}" "{row["rolpassword"]}"\n' for row in rows)
