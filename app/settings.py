"""Typed settings from FLORIN_* variables. Only `app` and `migrations/env.py` read them."""

import difflib
import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.errors import SettingsInvalid
from db.dsn import postgres_dsn, redis_dsn
from db.engines import Dsns, Pooler

PREFIX = "FLORIN_"
#: Domains with a Postgres schema: each may have a database of its own.
DOMAINS = ("user", "bank", "transaction", "analytics", "budget", "notification", "audit")
#: How a domain's own variable ends (FLORIN_BUDGET_READ_DSN) -> the role that it logs in.
OVERRIDES = {"DSN": "app", "READ_DSN": "read", "SYSTEM_DSN": "system", "OWNER_DSN": "owner"}
_OVERRIDE = re.compile(rf"{PREFIX}({'|'.join(DOMAINS).upper()})_(READ_DSN|SYSTEM_DSN|OWNER_DSN|DSN)")

KIB = 1024
MIB = 1024 * KIB


def _postgres(value: SecretStr) -> SecretStr:
    return SecretStr(postgres_dsn(value.get_secret_value()))


def _redis(value: SecretStr) -> SecretStr:
    return SecretStr(redis_dsn(value.get_secret_value()))


def _words(value: object) -> object:
    return tuple(word.strip().rstrip("/") for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _listed(value: object) -> object:
    """As `_words`, but each is taken as it is written."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


PostgresDsn = Annotated[SecretStr, AfterValidator(_postgres)]
RedisDsn = Annotated[SecretStr, AfterValidator(_redis)]


class Settings(BaseSettings):
    """What an operator may set. Sizes in bytes, times in seconds; each field's variable is its name after FLORIN_."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True, extra="ignore")

    # where the data is; unset: embedded servers in the folder `data`
    database_dsn: PostgresDsn | None = None
    database_system_dsn: PostgresDsn | None = None
    database_owner_dsn: PostgresDsn | None = None
    redis_dsn: RedisDsn | None = None
    data: Path = Path(".florin")

    # secrets: `keyring` encrypts and may be rotated; `secret` names this installation and never changes
    keyring: SecretStr | None = None
    #: Holds the ring instead; processes see its changes. `florin keys` writes it.
    keyring_file: Path | None = None
    secret: Annotated[SecretStr, Field(min_length=32)] | None = None

    # the API process
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    allowed_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    #: Addresses whose X-Forwarded-For is believed.
    trusted_proxies: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    graphiql: bool = False
    #: Whether the schema may be asked about; unset: where GraphiQL is served, which cannot do without.
    introspection: bool | None = None
    #: Which operations are served: any, or only published ones (graphql/operations/manifest.json, and the manifests below).
    operations: Literal["any", "persisted"] = "any"
    operations_manifests: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_words)] = ()
    access_token_ttl_s: int = Field(default=12 * 3600, ge=60, le=90 * 86400)
    #: `transaction`: PgBouncer or the like stands before Postgres and pools by transaction.
    pooler: Pooler = "none"
    #: Connections to Postgres per DSN and process.
    pool_size: int = Field(default=10, ge=1, le=100)

    #: Whether workers let go what no policy keeps any more. `florin run` has it off unless it is set.
    retention: Literal["on", "off"] = "on"

    # banks that are linked
    #: Addresses of front ends that banks may send people back to, letter by letter.
    bank_redirect_urls: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    #: How often each connection is fetched from.
    sync_every_s: int = Field(default=4 * 3600, ge=300, le=7 * 86400)
    #: Each provider is there when its client id, or its file, is set.
    plaid_client_id: str | None = None
    plaid_secret: SecretStr | None = None
    plaid_url: str = "https://production.plaid.com"
    plaid_countries: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ("US",)
    plaid_language: str = "en"
    plaid_webhook_url: str | None = None
    tink_client_id: str | None = None
    tink_client_secret: SecretStr | None = None
    tink_url: str = "https://api.tink.com"
    tink_link_url: str = "https://link.tink.com"
    tink_market: str = "GB"
    #: The banks that are reached without anybody between: docs/providers/open_banking.md.
    open_banking_file: Path | None = None
    #: Whether the bank that does not exist can be linked. Off where real people sign up.
    sandbox: Literal["on", "off"] = "on"

    # limits of one operation
    body_limit_bytes: int = Field(default=256 * KIB, ge=KIB, le=16 * MIB)
    upload_limit_bytes: int = Field(default=10 * MIB, ge=KIB, le=64 * MIB)
    token_limit: int = Field(default=2_000, ge=100, le=100_000)
    depth_limit: int = Field(default=15, ge=3, le=100)
    cost_limit: int = Field(default=1_000, ge=10, le=1_000_000)
    deadline_s: float = Field(default=10.0, gt=0, le=300)

    # logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @classmethod
    def load(cls) -> "Settings":
        """Read the environment. Errors: SettingsInvalid, which names each variable and never quotes a value."""
        _refuse_unknown(os.environ)
        try:
            return cls()
        except ValidationError as error:
            raise SettingsInvalid("\n".join(_say(item["loc"], item["msg"]) for item in error.errors())) from None

    def has_own_servers(self) -> bool:
        """Whether the operator brings Postgres and Redis. Errors: SettingsInvalid, when only one of them is named."""
        given = {"FLORIN_DATABASE_DSN": self.database_dsn, "FLORIN_REDIS_DSN": self.redis_dsn}
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == 1:
            raise SettingsInvalid(
                f"{missing[0]} is not set. Set both FLORIN_DATABASE_DSN and FLORIN_REDIS_DSN, or neither for embedded servers."
            )
        return not missing

    def dsns(self) -> Dsns:
        """The log-ins. Errors: SettingsInvalid, when one that every process needs is missing."""
        return Dsns(
            app=_required("FLORIN_DATABASE_DSN", self.database_dsn),
            system=_required("FLORIN_DATABASE_SYSTEM_DSN", self.database_system_dsn),
            owner=self.database_owner_dsn.get_secret_value() if self.database_owner_dsn else None,
            domains=domain_dsns(os.environ),
            pooler=self.pooler,
        )

    def redis(self) -> str:
        return _required("FLORIN_REDIS_DSN", self.redis_dsn)

    def keyring_text(self) -> str:
        """The ring, of the variable or else of the file that another names. Errors: SettingsInvalid."""
        if self.keyring_file is None or (self.keyring is not None and self.keyring.get_secret_value()):
            return _required("FLORIN_KEYRING", self.keyring)
        try:
            return self.keyring_file.read_text().strip()
        except OSError as error:
            raise SettingsInvalid(f"FLORIN_KEYRING_FILE: {self.keyring_file} cannot be read: {error.strerror}.") from None

    def ring_file(self) -> Path | None:
        """The file that holds the ring; None: it is given as a variable, and stays as it is until a process is started anew."""
        return None if self.keyring is not None and self.keyring.get_secret_value() else self.keyring_file

    def secret_for(self, purpose: str) -> bytes:
        """32 bytes of this installation's own for one purpose ("cursors", "account ids"): the same in every process, for ever."""
        return hmac.digest(_required("FLORIN_SECRET", self.secret).encode(), purpose.encode(), "sha256")

    def has_introspection(self) -> bool:
        return self.graphiql if self.introspection is None else self.introspection

    def required(self, name: str, value: SecretStr | None) -> str:
        """A secret that another setting makes necessary. Errors: SettingsInvalid."""
        return _required(name, value)

    def cursor_secret(self) -> bytes:
        return self.secret_for("cursors")


def domain_dsns(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Domain -> role -> DSN, of the domains that have a database of their own. Errors: SettingsInvalid."""
    found: dict[str, dict[str, str]] = {}
    for name, value in environ.items():
        if (match := _OVERRIDE.fullmatch(name)) and value:
            try:
                dsn = _postgres(SecretStr(value))
            except ValueError as error:
                raise SettingsInvalid(f"{name}: {error}.") from None
            found.setdefault(match[1].lower(), {})[OVERRIDES[match[2]]] = dsn.get_secret_value()
    return found


def _required(name: str, value: SecretStr | None) -> str:
    if value is None or not value.get_secret_value():
        raise SettingsInvalid(f"{name} is not set.")
    return value.get_secret_value()


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """A misspelt variable must not quietly leave a default in force."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in environ:
        if name.startswith(PREFIX) and name not in known and not _OVERRIDE.fullmatch(name):
            near = difflib.get_close_matches(name, known, n=1)
            raise SettingsInvalid(f"{name} is not a setting." + (f" Did you mean {near[0]}?" if near else ""))


def _say(location: tuple[int | str, ...], message: str) -> str:
    name = PREFIX + str(location[0]).upper() if location else PREFIX + "*"
    return f"{name}: {message.removeprefix('Value error, ')}."
