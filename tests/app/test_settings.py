"""Settings: what an operator may write, and what they are told when it cannot be meant."""

import os
from pathlib import Path

import pytest

from app.errors import SettingsInvalid
from app.settings import Settings, domain_dsns

APP = "postgresql://app:secret@db.example:5432/florin"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:

    for name in [name for name in os.environ if name.startswith("FLORIN_")]:
        monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"FLORIN_{name}", value)
    return Settings.load()


def test_with_nothing_set_the_servers_are_embedded() -> None:
    settings = Settings.load()

    assert settings.has_own_servers() is False
    assert (settings.host, settings.port, settings.graphiql, settings.allowed_origins) == ("127.0.0.1", 8000, False, ())
    assert (settings.body_limit_bytes, settings.upload_limit_bytes) == (262_144, 10_485_760)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (APP, "postgresql+asyncpg://app:secret@db.example:5432/florin"),
        ("postgres://app@db/florin?sslmode=require", "postgresql+asyncpg://app@db/florin?sslmode=require"),
        ("postgresql+asyncpg://app:p%40ss@/florin?host=/run/pg", "postgresql+asyncpg://app:p%40ss@/florin?host=%2Frun%2Fpg"),
    ],
)
def test_a_database_is_named_in_any_common_spelling(monkeypatch: pytest.MonkeyPatch, written: str, read: str) -> None:
    settings = set_all(monkeypatch, DATABASE_DSN=written, DATABASE_SYSTEM_DSN=APP, REDIS_DSN="redis://cache/0")

    assert settings.has_own_servers() is True
    assert settings.dsns().app == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_DSN", "mysql://app:hunter2@db/florin"),
        ("DATABASE_SYSTEM_DSN", "app:hunter2"),
        ("DATABASE_OWNER_DSN", "postgresql://app:hunter2@db"),
        ("REDIS_DSN", "http://:hunter2@cache"),
        ("PORT", "hunter2"),
        ("COST_LIMIT", "0"),
        ("LOG_LEVEL", "hunter2"),
        ("SECRET", "hunter2"),
    ],
)
def test_a_malformed_value_is_refused_by_its_variable_s_name_and_never_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsInvalid, match=f"^FLORIN_{name}: ") as refusal:
        set_all(monkeypatch, **{name: value})

    assert "hunter2" not in str(refusal.value)


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsInvalid, match=r"FLORIN_DATABSE_DSN is not a setting. Did you mean FLORIN_DATABASE_DSN\?"):
        set_all(monkeypatch, DATABSE_DSN=APP)


@pytest.mark.parametrize(("given", "missing"), [("DATABASE_DSN", "FLORIN_REDIS_DSN"), ("REDIS_DSN", "FLORIN_DATABASE_DSN")])
def test_half_of_the_servers_is_refused(monkeypatch: pytest.MonkeyPatch, given: str, missing: str) -> None:
    settings = set_all(monkeypatch, **{given: APP if given == "DATABASE_DSN" else "redis://cache/0"})

    with pytest.raises(SettingsInvalid, match=f"^{missing} is not set"):
        settings.has_own_servers()


def test_what_a_process_needs_and_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = set_all(monkeypatch, DATABASE_DSN=APP, REDIS_DSN="redis://cache/0")

    with pytest.raises(SettingsInvalid, match=r"^FLORIN_DATABASE_SYSTEM_DSN is not set"):
        settings.dsns()
    with pytest.raises(SettingsInvalid, match=r"^FLORIN_KEYRING is not set"):
        settings.keyring_text()
    with pytest.raises(SettingsInvalid, match=r"^FLORIN_SECRET is not set"):
        settings.cursor_secret()


def test_a_domain_moves_to_another_database_by_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = set_all(
        monkeypatch,
        DATABASE_DSN=APP,
        DATABASE_SYSTEM_DSN=APP.replace("app", "system"),
        REDIS_DSN="redis://cache/0",
        BUDGET_DSN="postgresql://app@budgets/florin",
        BUDGET_READ_DSN="postgresql://app@replica/florin",
    )

    dsns = settings.dsns()

    assert dsns.of("budget", "app") == "postgresql+asyncpg://app@budgets/florin"
    assert dsns.of("budget", "read") == "postgresql+asyncpg://app@replica/florin"
    assert dsns.of("budget", "system") == dsns.system
    assert dsns.of("bank", "read") == dsns.app


def test_a_malformed_domain_database_is_refused_by_name() -> None:
    with pytest.raises(SettingsInvalid, match=r"^FLORIN_BANK_READ_DSN: "):
        domain_dsns({"FLORIN_BANK_READ_DSN": "nowhere"})


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = set_all(
        monkeypatch,
        DATABASE_DSN=APP.replace("secret", "hunter2"),
        REDIS_DSN="redis://:hunter2@cache/0",
        KEYRING="k1:hunter2",
        SECRET="hunter2" * 8,
    )

    assert "hunter2" not in repr(settings)


def test_a_secret_is_the_same_in_all_processes_whatever_the_keys_and_differs_by_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    first = set_all(monkeypatch, SECRET="s" * 32, KEYRING="k1:aaaa")
    second = set_all(monkeypatch, SECRET="s" * 32, KEYRING="k2:bbbb")

    assert first.secret_for("account ids") == second.secret_for("account ids")
    assert first.cursor_secret() != first.secret_for("account ids")
    assert set_all(monkeypatch, SECRET="t" * 32).cursor_secret() != first.cursor_secret()


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = set_all(monkeypatch, ALLOWED_ORIGINS="https://a.example/, https://b.example")

    assert settings.allowed_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"GRAPHIQL": "true"}, True),
        ({"INTROSPECTION": "true"}, True),
        ({"GRAPHIQL": "true", "INTROSPECTION": "false"}, False),
    ],
)
def test_introspection_is_on_where_the_console_is_unless_it_is_said(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: bool
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"FLORIN_{name}", value)

    assert Settings.load().has_introspection() is expected


def test_any_operation_is_served_unless_only_published_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Settings.load()
    monkeypatch.setenv("FLORIN_OPERATIONS", "persisted")
    monkeypatch.setenv("FLORIN_OPERATIONS_MANIFESTS", "web.json, /etc/florin/phone.json")
    after = Settings.load()

    assert (before.operations, before.operations_manifests) == ("any", ())
    assert (after.operations, after.operations_manifests) == ("persisted", (Path("web.json"), Path("/etc/florin/phone.json")))


@pytest.mark.parametrize(("written", "pooler"), [({}, "none"), ({"POOLER": "none"}, "none"), ({"POOLER": "transaction"}, "transaction")])
def test_a_pooler_is_told_of(monkeypatch: pytest.MonkeyPatch, written: dict[str, str], pooler: str) -> None:
    settings = set_all(monkeypatch, DATABASE_DSN=APP, DATABASE_SYSTEM_DSN=APP, **written)

    assert settings.dsns().pooler == pooler


def test_a_pooler_of_another_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsInvalid, match="FLORIN_POOLER"):
        set_all(monkeypatch, POOLER="session")
