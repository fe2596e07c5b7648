"""Open Banking: random lives of a connection, at banks that give transactions ids and at banks that do not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest

from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.open_banking import OpenBankingSimulator
from app.simulators.server import serve
from domains.bank.providers.open_banking import OpenBankingConfig, OpenBankingProvider, close_wires, open_wires
from domains.bank.providers.wire import NoCircuits
from domains.core.clock import FixedClock
from domains.flows.link_bank import Answer, BegunLink
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.domains.bank.open_banking.world import configured
from tests.machine.lives import live
from tests.machine.world import QUICK, Bank, at_once


@asynccontextmanager
async def open_bank(seed: int, today: date, clock: FixedClock, *, has_ids: bool) -> AsyncIterator[Bank]:
    bank, faults = SimBank(seed, today=today, currency="GBP"), Faults(seed, retry_after="0", stall_s=2.0)
    simulator = OpenBankingSimulator(bank, faults, clock=clock, page_size=17, has_ids=has_ids)

    def answer(begun: BegunLink) -> Answer:
        query = parse_qs(urlsplit(simulator.agree(begun.url or "")).query)
        return Answer(code=query["code"][0], state=query["state"][0])

    async with serve(simulator.app) as url:
        config = OpenBankingConfig(banks=[configured(url, simulator.base_path)], secret=b"names accounts")
        wires = open_wires(config, NoCircuits(), retries=1, sleep=at_once, timeout=QUICK)
        try:
            yield Bank(OpenBankingProvider(wires, config, clock), bank, faults, answer, simulator.expire_login)
        finally:
            await close_wires(wires)


@pytest.mark.parametrize("has_ids", [True, False])
async def test_the_ledger_is_the_banks(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch, has_ids: bool) -> None:
    await live(services, make_user, partial(open_bank, has_ids=has_ids), monkeypatch)
