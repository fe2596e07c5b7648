"""A simulated bank of the standard on a socket, the provider that speaks to it, and a person who links it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc.jwk import ECKey, RSAKey

from app.simulators.bank import SimBank, SimTransaction
from app.simulators.faults import Faults
from app.simulators.open_banking import OpenBankingSimulator
from app.simulators.open_banking.simulator import AUTHORISE_PATH, CLIENT_ID, CLIENT_SECRET, TOKEN_PATH
from app.simulators.server import serve
from domains.bank.providers.open_banking import (
    BankConfig,
    ClientAuthentication,
    OpenBankingConfig,
    OpenBankingProvider,
    SigningKey,
    close_wires,
    open_wires,
)
from domains.bank.providers.open_banking.config import ResponseType
from domains.bank.providers.protocol import (
    Credentials,
    Fetched,
    LinkAnswer,
    Linked,
    LinkRequest,
    LinkStart,
    Reached,
    StatementTransaction,
)
from domains.bank.providers.wire import NoCircuits, Timeouts
from domains.core.clock import FixedClock

TODAY = date(2026, 7, 20)  # in summer: London's days do not begin when UTC's do
NOW = datetime(2026, 7, 20, 9, 0, tzinfo=UTC)
REDIRECT = "https://florin.example/banks/back"
SECRET = b"names accounts"


@dataclass
class Told:
    """A listener that remembers."""

    pages: list[tuple[int, int]] = field(default_factory=list)
    credentials: list[Credentials] = field(default_factory=list)

    async def page_fetched(self, pages: int, transactions: int) -> None:
        self.pages.append((pages, transactions))

    async def credentials_changed(self, credentials: Credentials) -> None:
        self.credentials.append(credentials)


@dataclass
class World:
    bank: SimBank
    faults: Faults
    simulator: OpenBankingSimulator
    provider: OpenBankingProvider
    config: BankConfig
    clock: FixedClock
    url: str
    told: Told = field(default_factory=Told)

    async def begin(self, reached: Reached | None = None) -> LinkStart:
        request = LinkRequest(user_reference="person-1", redirect_url=REDIRECT, locale="en-GB", currency="GBP", reached=reached)
        return await self.provider.begin_link(request)

    async def link(self, reached: Reached | None = None) -> Linked:
        start = await self.begin(reached)
        return await self.provider.complete_link(answered(start, came_back(self.simulator.agree(start.url or "")), reached))

    async def reach(self) -> Reached:
        return reached_by(await self.link())

    async def fetch(self, reached: Reached) -> Fetched:
        return await self.provider.fetch(reached, self.told, self.bank.today)

    async def settle(self, reached: Reached) -> tuple[Fetched, Reached]:
        """Fetch, and what to fetch with the next time: credentials and cursor as they are kept."""
        fetched = await self.fetch(reached)
        credentials = self.told.credentials[-1] if self.told.credentials else reached.credentials
        return fetched, replace(reached, cursor=fetched.cursor, credentials=credentials)

    def ledgers(self) -> dict[str | None, list[tuple[object, ...]]]:
        """What the bank has, by the ends of the accounts' numbers."""
        return {account.mask: sorted(map(truth, self.bank.ledger(account.id)), key=repr) for account in self.bank.accounts.values()}

    @property
    def consent_ids(self) -> list[str]:
        """The first first."""
        return list(self.simulator.authority.consents)

    @property
    def statuses(self) -> list[str]:
        """Of all consents, in the order in which they were made."""
        return [each.status for each in self.simulator.authority.consents.values()]


@asynccontextmanager
async def world(
    seed: int = 1,
    *,
    retries: int = 0,
    timeouts: Timeouts | None = None,
    key: RSAKey | ECKey | None = None,
    bank: SimBank | None = None,
    response_type: ResponseType = "code",
    uses_transaction_ids: bool = True,
    **options: Any,
) -> AsyncIterator[World]:
    """`options` go to the simulator. Without `retries` a fault is seen as it is. `key`: the installation's private one."""
    clock, faults = FixedClock(NOW), Faults(seed, stall_s=5.0)
    bank = bank or SimBank(seed, today=TODAY, currency="GBP")
    public = None if key is None else type(key).import_key(key.as_dict(private=False))
    simulator = OpenBankingSimulator(bank, faults, clock=clock, client_key=public, **options)
    async with serve(simulator.app) as url:
        config = replace(configured(url, simulator.base_path, key), response_type=response_type, uses_transaction_ids=uses_transaction_ids)
        whole = OpenBankingConfig(banks=[config], secret=SECRET)
        wires = open_wires(whole, NoCircuits(), retries=retries, sleep=no_sleep, timeout=timeouts)
        try:
            yield World(bank, faults, simulator, OpenBankingProvider(wires, whole, clock), config, clock, url)
        finally:
            await close_wires(wires)


def configured(url: str, base_path: str = "/open-banking/v4.0/aisp", key: RSAKey | ECKey | None = None) -> BankConfig:
    way = ClientAuthentication.CLIENT_SECRET_BASIC if key is None else ClientAuthentication.PRIVATE_KEY_JWT
    algorithm: Any = "ES256" if isinstance(key, ECKey) else "PS256"
    return BankConfig(
        id="simulated-bank",
        name="Simulated Bank",
        base_url=f"{url}{base_path}",
        token_url=f"{url}{TOKEN_PATH}",
        authorisation_url=f"{url}{AUTHORISE_PATH}",
        client_id=CLIENT_ID,
        client_authentication=way,
        client_secret=CLIENT_SECRET if key is None else None,
        key=None if key is None else SigningKey(id="our-key", algorithm=algorithm, key=key),
        audience=f"{url}{TOKEN_PATH}",
        issuer=url,
        logo_url="https://simulated.example/logo.png",
    )


async def no_sleep(_seconds: float) -> None:
    pass


def came_back(url: str) -> dict[str, str]:
    """What the bank said, where the person was sent back to: in the query or in the fragment."""
    assert url.startswith(f"{REDIRECT}?") or url.startswith(f"{REDIRECT}#")
    parts = urlsplit(url)
    return dict(parse_qsl(parts.query or parts.fragment))


def answered(start: LinkStart, query: Mapping[str, str], reached: Reached | None = None) -> LinkAnswer:
    """What a front end hands over after that."""
    return LinkAnswer(secret=start.secret, redirect_url=REDIRECT, code=query.get("code"), state=query.get("state"), reached=reached)


def reached_by(linked: Linked, cursor: str | None = None) -> Reached:
    return Reached(
        item_id=linked.item_id,
        credentials=linked.credentials,
        institution_id=linked.institution_id,
        cursor=cursor,
        consent_expires_at=linked.consent_expires_at,
    )


def facts(row: StatementTransaction, *, with_id: bool = True) -> tuple[object, ...]:
    named = row.provider_transaction_id if with_id else None
    return named, row.amount, row.currency, row.direction, row.transaction_date, row.original_description, row.status


def truth(row: SimTransaction, *, with_id: bool = True) -> tuple[object, ...]:
    return row.id if with_id else None, row.amount, row.currency, row.direction, row.on, row.description, row.status


def ledgers_of(fetched: Fetched) -> dict[str | None, list[tuple[object, ...]]]:
    return {each.mask: sorted(map(facts, each.transactions), key=repr) for each in fetched.statement.accounts}


def rewriting(values: Mapping[str, Any]) -> Any:
    """The first row of each account is another one."""

    def tamper(path: str, body: Any) -> Any:
        if path.endswith("/transactions") and body["Data"]["Transaction"]:
            body["Data"]["Transaction"][0].update(values)
        return body

    return tamper


def write_pem(path: Path, key: RSAKey | ECKey, *, private: bool = True) -> Path:
    path.write_bytes(key.as_pem(private=private))
    return path
