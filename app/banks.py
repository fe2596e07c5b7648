"""Opens the ways to banks that an operator has set up, and closes them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import SettingsInvalid
from app.settings import Settings
from db.redis import RedisConnections
from domains.bank.circuits import SharedCircuits
from domains.bank.providers.protocol import LinkedProvider
from domains.bank.providers.sandbox import SandboxProvider
from domains.core.clock import Clock

if TYPE_CHECKING:
    from domains.bank.providers.wire import Circuits, Wire

#: What account ids of banks are made with: another purpose would make each account a new one.
ACCOUNT_IDS = "account ids"


@asynccontextmanager
async def open_banks(settings: Settings, redis: RedisConnections, clock: Clock) -> AsyncIterator[dict[str, LinkedProvider]]:
    """Providers that can be linked, by name, for the block: those whose settings are there. Connections are made when first needed.

    Errors: SettingsInvalid.
    """
    circuits = SharedCircuits(redis)
    async with AsyncExitStack() as stack:
        banks: list[LinkedProvider] = [SandboxProvider(clock)] if settings.sandbox == "on" else []
        if settings.plaid_client_id is not None:
            banks.append(_plaid(settings, await _wire(stack, "FLORIN_PLAID_URL", settings.plaid_url, circuits), clock))
        if settings.tink_client_id is not None:
            banks.append(_tink(settings, await _wire(stack, "FLORIN_TINK_URL", settings.tink_url, circuits), clock))
        if settings.open_banking_file is not None:
            banks.append(await _open_banking(stack, settings, settings.open_banking_file, circuits, clock))
        yield {bank.name: bank for bank in banks}


# A provider is imported by whoever has set it up: the others need not wait for its code.


def _plaid(settings: Settings, wire: "Wire", clock: Clock) -> LinkedProvider:
    from domains.bank.providers.plaid.config import PlaidConfig
    from domains.bank.providers.plaid.provider import PlaidProvider

    config = PlaidConfig(
        client_id=settings.plaid_client_id or "",
        secret=settings.required("FLORIN_PLAID_SECRET", settings.plaid_secret),
        countries=settings.plaid_countries,
        language=settings.plaid_language,
        webhook_url=settings.plaid_webhook_url,
    )
    return PlaidProvider(wire, config, clock)


def _tink(settings: Settings, wire: "Wire", clock: Clock) -> LinkedProvider:
    from domains.bank.providers.tink.config import TinkConfig
    from domains.bank.providers.tink.provider import TinkProvider

    config = TinkConfig(
        client_id=settings.tink_client_id or "",
        client_secret=settings.required("FLORIN_TINK_CLIENT_SECRET", settings.tink_client_secret),
        market=settings.tink_market,
        link_url=settings.tink_link_url,
        secret=settings.secret_for(ACCOUNT_IDS),
    )
    return TinkProvider(wire, config, clock)


async def _open_banking(stack: AsyncExitStack, settings: Settings, file: Path, circuits: "Circuits", clock: Clock) -> LinkedProvider:
    from domains.bank.providers import open_banking

    try:
        banks = open_banking.read_banks(file)
        config = open_banking.OpenBankingConfig(banks=banks, secret=settings.secret_for(ACCOUNT_IDS))
        wires = open_banking.open_wires(config, circuits)
    except (open_banking.BanksFileInvalid, ValueError, OSError) as error:
        raise SettingsInvalid(f"FLORIN_OPEN_BANKING_FILE: {error}") from None
    stack.push_async_callback(open_banking.close_wires, wires)
    return open_banking.OpenBankingProvider(wires, config, clock)


async def _wire(stack: AsyncExitStack, name: str, url: str, circuits: "Circuits") -> "Wire":
    """Errors: SettingsInvalid for an address that is not safe to send secrets to."""
    from domains.bank.providers.wire import Wire

    try:
        wire = Wire(url, circuits=circuits)
    except ValueError as error:
        raise SettingsInvalid(f"{name}: {error}.") from None
    stack.push_async_callback(wire.close)
    return wire
