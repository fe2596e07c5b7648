"""A Postgres and a Redis that ask for TLS, client certificates and hard passwords: servers of their own, beside the suite's."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from redis import Redis

from app import machine
from db.base import APP_ROLE, OWNER_ROLE, SYSTEM_ROLE
from migrations.bootstrap import bootstrap
from tests.servers.certificates import Authority, Pair
from tests.servers.suite import CHOICE

START_TIMEOUT_S = 20.0
#: Every character that means something in a URL, a shell, JSON or a file of passwords, and some that are not ASCII. With a canary.
HARD = "Canary@s:s/w#o%r?d&x y=z+;,'\"\\[]{}<>|^~`$!*()%41 é ß 密码"
CANARY = "Canary"


def installation() -> Path | None:
    """The folder `bin` of a Postgres with TLS, which the embedded one has not, and with pgvector."""
    given = [Path(CHOICE.postgres)] if CHOICE.postgres else []
    for folder in [*given, *sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True)]:
        program = (folder if folder.name == "bin" else folder / "bin") / "postgres"
        shared = Path("/usr/share/postgresql") / folder.name / "extension" / "vector.control"
        if program.exists() and b"SSL_CTX_new" in program.read_bytes() and (shared.exists() or folder in given):
            return program.parent
    return None


needs_tls_postgres = pytest.mark.skipif(
    installation() is None, reason="no Postgres with TLS and pgvector is installed (apt-get install postgresql postgresql-15-pgvector)"
)


@dataclass(frozen=True, slots=True)
class GuardedPostgres:
    """It takes TLS only, on 127.0.0.1, as `localhost`; from the owner also a certificate. All passwords are `HARD`."""

    port: int
    ca: Path
    stranger: Path
    owner: Pair

    def dsn(self, role: str, *, host: str = "localhost", password: str = HARD, **options: str) -> str:
        """As an operator writes it. `options`: after the question mark."""
        if role == OWNER_ROLE and "sslcert" not in options:
            options |= {"sslcert": str(self.owner.cert), "sslkey": str(self.owner.key)}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        return f"postgresql://{role}:{quote(password, safe='')}@{host}:{self.port}/postgres?{query}"

    def checked(self, role: str) -> str:
        return self.dsn(role, sslmode="verify-full", sslrootcert=str(self.ca))


@contextmanager
def guarded_postgres(folder: Path) -> Iterator[GuardedPostgres]:
    bin_ = installation()
    assert bin_ is not None
    authority, stranger = Authority(folder, "ours"), Authority(folder, "stranger")
    server = authority.issue("server", hosts=("localhost",))
    guarded = GuardedPostgres(free_port(), authority.cert, stranger.cert, authority.issue(OWNER_ROLE))
    data, run = folder / "data", folder / "run"
    run.mkdir(mode=0o700)
    account = machine.server_account(data)
    for path in (folder, run, server.key, server.cert):
        machine.give(account, path)
    as_server = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8")
    subprocess.run([bin_ / "initdb", "-D", data, *options], check=True, capture_output=True, cwd=folder, **as_server)  # type: ignore[call-overload]
    (data / "pg_hba.conf").write_text(
        "local all all trust\n"
        f"hostssl all {OWNER_ROLE} 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n"
        "hostssl all all 127.0.0.1/32 scram-sha-256\n"
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(guarded.port),
        "unix_socket_directories": str(run),
        "ssl": "on",
        "ssl_cert_file": str(server.cert),
        "ssl_key_file": str(server.key),
        "ssl_ca_file": str(authority.cert),
    }
    command: list[str | Path] = [bin_ / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())]
    with running(command, folder / "postgres.log", **as_server) as process:
        superuser = f"postgresql://postgres@/postgres?host={run}&port={guarded.port}"
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _set_up(superuser, process)).result()
        yield guarded


async def _set_up(superuser: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            connection = await asyncpg.connect(superuser)
            break
        except (OSError, asyncpg.CannotConnectNowError):
            assert process.poll() is None, "Postgres did not start"
            assert time.monotonic() < deadline, "Postgres did not start in time"
            await asyncio.sleep(0.05)
    await bootstrap(superuser, {})
    for role in (APP_ROLE, SYSTEM_ROLE, OWNER_ROLE):
        quoted = await connection.fetchval("select quote_literal($1::text)", HARD)
        await connection.execute(f"alter role {role} password {quoted}")
    await connection.close()


@dataclass(frozen=True, slots=True)
class GuardedRedis:
    """By TCP, by TLS (None: this Redis was built without) and by its socket. `HARD` is everybody's password, and the user `florin`'s."""

    socket: Path
    port: int
    tls_port: int | None
    ca: Path
    stranger: Path
    client: Pair

    @property
    def password(self) -> str:
        return quote(HARD, safe="")

    def tls(self, *, host: str = "localhost", ca: Path | None = None, **options: str) -> str:
        """As the user `florin`, with a client's certificate unless `ssl_certfile` is given."""
        named = {"ssl_ca_certs": str(ca or self.ca), "ssl_certfile": str(self.client.cert), "ssl_keyfile": str(self.client.key)} | options
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in named.items() if value)
        return f"rediss://florin:{self.password}@{host}:{self.tls_port}/0?{query}"


@contextmanager
def guarded_redis(folder: Path) -> Iterator[GuardedRedis]:
    authority, stranger = Authority(folder, "ours"), Authority(folder, "stranger")
    server, client = authority.issue("server", hosts=("localhost",)), authority.issue("client")
    guarded = GuardedRedis(folder / "redis.sock", free_port(), free_port(), authority.cert, stranger.cert, client)
    plain: list[str | Path] = [
        machine.redis_program(),
        "--bind",
        "127.0.0.1",
        "--unixsocket",
        guarded.socket,
        "--save",
        "",
        "--dir",
        folder,
    ]
    plain += ["--port", str(guarded.port)]
    tls: list[str | Path] = ["--tls-port", str(guarded.tls_port), "--tls-cert-file", server.cert, "--tls-key-file", server.key]
    tls += ["--tls-ca-cert-file", authority.cert, "--tls-auth-clients", "yes"]
    has_tls = _knows_tls(machine.redis_program())
    if not has_tls:
        guarded = replace(guarded, tls_port=None)
    with (
        running([*plain, *(tls if has_tls else [])], folder / "redis.log") as process,
        Redis(unix_socket_path=str(guarded.socket)) as first,
    ):
        deadline = time.monotonic() + START_TIMEOUT_S
        while not guarded.socket.exists():
            assert process.poll() is None, (folder / "redis.log").read_text()
            assert time.monotonic() < deadline, "Redis did not start in time"
            time.sleep(0.01)
        first.acl_setuser("florin", enabled=True, passwords=[f"+{HARD}"], keys=["*"], channels=["*"], commands=["+@all"])
        first.config_set("requirepass", HARD)  # not by the command line, which not every server reads alike
        yield guarded


def _knows_tls(program: Path) -> bool:
    """One that was built without stops at the directive; another misses the certificate."""
    command: list[str | Path] = [program, "--port", "0", "--tls-port", str(free_port())]
    said = subprocess.run(command, capture_output=True, check=False, timeout=START_TIMEOUT_S, cwd="/")
    return b"No tls-cert-file" in said.stdout + said.stderr


@contextmanager
def running(command: Sequence[str | Path], log: Path, **options: object) -> Iterator["subprocess.Popen[bytes]"]:
    with open(log, "ab") as to:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=to, stderr=to, cwd=log.parent, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(log.parent, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
