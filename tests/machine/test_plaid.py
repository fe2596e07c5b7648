"""Plaid: random lives of a connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import pytest

from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.plaid import PlaidSimulator
from app.simulators.server import serve
from domains.bank.providers.plaid.config import PlaidConfig
from domains.bank.providers.plaid.provider import PlaidProvider
from domains.bank.providers.wire import NoCircuits, Wire
from domains.core.clock import FixedClock
from domains.flows.link_bank import Answer
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.machine.lives import live
from tests.machine.world import QUICK, Bank, at_once


@asynccontextmanager
async def open_bank(seed: int, today: date, clock: FixedClock) -> AsyncIterator[Bank]:
    bank, faults = SimBank(seed, today=today), Faults(seed, retry_after="0", stall_s=2.0)
    simulator = PlaidSimulator(bank, faults, clock=clock, page_size=17)
    async with serve(simulator.app) as url:
        wire = Wire(url, circuits=NoCircuits(), timeout=QUICK, retries=1, sleep=at_once)
        config = PlaidConfig(client_id=simulator.client_id, secret=simulator.secret)
        provider = PlaidProvider(wire, config, clock, sleep=at_once)
        try:
            yield Bank(provider, bank, faults, lambda begun: Answer(public_token=simulator.sign_in(begun.token)), simulator.expire_login)
        finally:
            await wire.close()


async def test_the_ledger_is_the_banks(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(services, make_user, open_bank, monkeypatch)
