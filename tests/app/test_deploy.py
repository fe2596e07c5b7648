"""deploy/compose.yml asks for what deploy/secrets prints, and says nothing that Florin does not know."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import cli
from app.settings import PREFIX, Settings
from domains.user.keys import KeyRing

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = (DEPLOY / "compose.yml").read_text()
PASSWORDS = {f"FLORIN_{role}_PASSWORD" for role in ("OWNER", "APP", "SYSTEM")}


def printed() -> dict[str, str]:
    made = subprocess.run([DEPLOY / "secrets"], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout
    return dict(line.split("=", 1) for line in made.splitlines())


def test_whatever_is_asked_for_is_printed() -> None:
    asked = set(re.findall(r"\$\{(\w+)", COMPOSE))

    assert asked == set(printed())


def test_what_is_printed_opens_florin(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = printed(), printed()

    for name in ("FLORIN_KEYRING", "FLORIN_SECRET"):
        monkeypatch.setenv(name, first[name])
    settings = Settings.load()

    assert len(KeyRing.from_text(settings.keyring_text()).ids) == 1
    assert len(settings.cursor_secret()) == 32
    assert all(first[name] != second[name] for name in first)


def test_every_variable_is_a_setting() -> None:
    given = set(re.findall(rf"^\s+({PREFIX}\w+):", COMPOSE, re.MULTILINE)) - PASSWORDS

    assert given - {PREFIX + name.upper() for name in Settings.model_fields} == set()
    assert len(given) >= 8


def test_every_command_is_one_of_ours() -> None:
    commands = set(re.findall(r"command: \[florin, (\w+)", COMPOSE))

    assert commands == {"migrate", "serve", "worker", "doctor"}
    assert commands <= set(getattr(get_command(cli), "commands", {}))


def test_pgbouncers_file_has_what_its_container_replaces() -> None:
    replaced = re.findall(r"s\|\^?(.*?)\|", (DEPLOY / "pgbouncer" / "start").read_text())
    configured = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text()

    assert len(replaced) == 6
    assert [pattern for pattern in replaced if not re.search(pattern, configured, re.MULTILINE)] == []
