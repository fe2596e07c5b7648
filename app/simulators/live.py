"""`florin simulate`: a bank to try linking with, that lives on while it is watched."""

import asyncio
import errno
import random
import signal
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Literal

from starlette.types import ASGIApp

from app.console import say
from app.errors import PortTaken
from app.simulators import chance
from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.server import serve

Provider = Literal["plaid", "tink", "open_banking"]


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A provider's server. settings: the variables that lead to it, from its URL and a folder that files may be put in.

    announce: tells whoever linked it that there is something to fetch, where the provider does such a thing.
    """

    app: ASGIApp
    settings: Callable[[str, Path], Mapping[str, str]]
    announce: Callable[[], Awaitable[None]] | None = None


def simulate(provider: Provider, port: int, seed: int, rate: float, every_s: float) -> None:
    """Serve until SIGINT or SIGTERM. Errors: PortTaken."""
    bank = SimBank(seed, today=_today(), currency="USD" if provider == "plaid" else "GBP")
    simulated = PROVIDERS[provider](bank, Faults(seed, rate))
    try:
        asyncio.run(_live(simulated, bank, port, every_s))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(f"Port {port} is taken. Choose another with --port.") from error


async def _live(simulated: Simulated, bank: SimBank, port: int, every_s: float) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with tempfile.TemporaryDirectory(prefix="florin-simulate-") as folder:
        async with serve(simulated.app, port) as url:
            settings = simulated.settings(url, Path(folder))
            say(f"ready {url}")
            say("\n".join(f"{name}={value}" for name, value in settings.items()))
            say("# Set these for `florin run`, or for `florin serve` and `florin worker`.")
            say(f"# Something happens every {every_s:g} s. Stop with Ctrl-C.")
            await _go_on(simulated, bank, every_s, stopped)


async def _go_on(simulated: Simulated, bank: SimBank, every_s: float, stopped: asyncio.Event) -> None:
    """What happens at the bank happens by chance, and each day on its own day."""
    dice = random.Random(bank.seed)  # noqa: S311  what happens can be had again, no secret
    while not stopped.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(every_s):
                await stopped.wait()
                return
        if bank.today < _today():
            bank.advance((_today() - bank.today).days)
        say(f"# {datetime.now(UTC):%H:%M:%S} {chance.happen(bank, dice, without=('advance',))}")
        if simulated.announce is not None:
            await simulated.announce()


def _today() -> date:
    return datetime.now(UTC).date()


def _plaid(bank: SimBank, faults: Faults) -> Simulated:
    from app.simulators.plaid import PlaidSimulator

    simulator = PlaidSimulator(bank, faults)

    def settings(url: str, _folder: Path) -> Mapping[str, str]:
        return {"FLORIN_PLAID_URL": url, "FLORIN_PLAID_CLIENT_ID": simulator.client_id, "FLORIN_PLAID_SECRET": simulator.secret}

    return Simulated(app=simulator.app, settings=settings, announce=simulator.announce)


def _tink(bank: SimBank, faults: Faults) -> Simulated:
    from app.simulators.tink import TinkSimulator
    from app.simulators.tink.simulator import CLIENT_ID, CLIENT_SECRET

    market = "GB"

    def settings(url: str, _folder: Path) -> Mapping[str, str]:
        return {
            "FLORIN_TINK_URL": url,
            "FLORIN_TINK_LINK_URL": url,
            "FLORIN_TINK_CLIENT_ID": CLIENT_ID,
            "FLORIN_TINK_CLIENT_SECRET": CLIENT_SECRET,
            "FLORIN_TINK_MARKET": market,
        }

    return Simulated(app=TinkSimulator(bank, faults, market=market).app, settings=settings)


def _open_banking(bank: SimBank, faults: Faults) -> Simulated:
    from app.simulators.open_banking import OpenBankingSimulator

    simulator = OpenBankingSimulator(bank, faults)

    def settings(url: str, folder: Path) -> Mapping[str, str]:
        file = folder / "banks.toml"
        file.write_text(simulator.banks_file(url), encoding="utf-8")
        return {"FLORIN_OPEN_BANKING_FILE": str(file)}

    return Simulated(app=simulator.app, settings=settings)


PROVIDERS: Final[Mapping[Provider, Callable[[SimBank, Faults], Simulated]]] = {
    "plaid": _plaid,
    "tink": _tink,
    "open_banking": _open_banking,
}
