"""What deploy/ does with passwords, and what an image is built from."""

import os
import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_pgbouncer_s_log_ins_are_the_passwords_whatever_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "pgbouncer").write_text("#!/bin/sh\n")
    (tmp_path / "pgbouncer").chmod(0o755)
    passwords = {"FLORIN_APP_PASSWORD": 'a"b%s\\n$HOME é', "FLORIN_SYSTEM_PASSWORD": "c'd"}
    places = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PGBOUNCER_FOLDER": str(tmp_path / "run"), "POSTGRES_HOST": "db.example"}

    subprocess.run([REPOSITORY / "deploy" / "pgbouncer" / "start"], env=passwords | places, check=True)

    logins = tmp_path / "run" / "userlist.txt"
    assert logins.read_text() == '"florin_app" "a""b%s\\n$HOME é"\n"florin_system" "c\'d"\n'
    assert logins.stat().st_mode & 0o777 == 0o600
    assert "florin = host=db.example port=5432 dbname=florin" in (tmp_path / "run" / "pgbouncer.ini").read_text()


def test_the_server_does_not_log_the_statements_that_hold_passwords() -> None:
    statements = (REPOSITORY / "deploy" / "passwords.sql").read_text()
    before, first, _ = statements.partition("alter role")

    assert first
    for setting in ("log_statement = 'none'", "log_min_duration_statement = -1", "log_min_error_statement = 'panic'"):
        assert f"set {setting};" in before


def test_an_image_is_built_from_every_package_and_from_no_tests() -> None:
    let_in = set(re.findall(r"^!(\S+)$", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--from)(.+) /src", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    packages = {"app", "resolvers", "workers", "domains", "db", "migrations", "graphql"}

    assert let_in == {name for line in copied for name in line.split()}
    assert packages <= let_in
    assert let_in.isdisjoint({"tests", "bench", "deploy", ".git", ".florin"})
