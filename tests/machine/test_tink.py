"""Tink: random lives of a connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest

from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.server import serve
from app.simulators.tink import TinkSimulator
from app.simulators.tink.simulator import CLIENT_ID, CLIENT_SECRET
from domains.bank.providers.tink.config import TinkConfig
from domains.bank.providers.tink.provider import TinkProvider
from domains.bank.providers.wire import NoCircuits, Wire
from domains.core.clock import FixedClock
from domains.flows.link_bank import Answer, BegunLink
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.machine.lives import live
from tests.machine.world import QUICK, Bank, at_once


@asynccontextmanager
async def open_bank(seed: int, today: date, clock: FixedClock) -> AsyncIterator[Bank]:
    bank, faults = SimBank(seed, today=today, currency="GBP"), Faults(seed, retry_after="0", stall_s=2.0)
    simulator = TinkSimulator(bank, faults, clock=clock, page_size=17)

    def answer(begun: BegunLink) -> Answer:
        query = parse_qs(urlsplit(simulator.agree(begun.url or "")).query)
        return Answer(code=query["credentials_id"][0], state=query["state"][0])

    async with serve(simulator.app) as url:
        wire = Wire(url, circuits=NoCircuits(), timeout=QUICK, retries=1, sleep=at_once)
        config = TinkConfig(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, market="GB", link_url=url, secret=b"names accounts")
        try:
            yield Bank(TinkProvider(wire, config, clock), bank, faults, answer, simulator.expire_login)
        finally:
            await wire.close()


async def test_the_ledger_is_the_banks(services: Services, make_user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(services, make_user, open_bank, monkeypatch)
