"""`florin simulate`, as a process."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from app.banks import open_banks
from app.settings import Settings
from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.live import PROVIDERS, Simulated, _go_on
from app.simulators.server import serve
from db.redis import RedisConnections
from domains.bank.providers.protocol import LinkRequest
from domains.core.clock import SystemClock

_READY = re.compile(r"ready (http://127\.0\.0\.1:\d+)\n")


@contextmanager
def simulated(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLORIN_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "simulate", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def told(process: "subprocess.Popen[str]") -> tuple[str, dict[str, str]]:
    """Where it is, and the settings that it prints."""
    ready = _READY.fullmatch(line_of(process))
    assert ready is not None
    settings = {}
    while "=" in (line := line_of(process)):
        name, _, value = line.strip().partition("=")
        settings[name] = value
    assert line.startswith("# Set these")
    assert line_of(process).startswith("# Something happens every ")
    return ready[1], settings


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_bank_behind_plaids_api_answers_lives_on_and_ends_when_it_is_told(number: signal.Signals) -> None:
    with simulated("plaid", "--port", "0", "--seed", "7", "--every", "0.1") as process:
        url, settings = told(process)
        assert set(settings) == {"FLORIN_PLAID_URL", "FLORIN_PLAID_CLIENT_ID", "FLORIN_PLAID_SECRET"}
        assert settings["FLORIN_PLAID_URL"] == url
        ours = {"client_id": settings["FLORIN_PLAID_CLIENT_ID"], "secret": settings["FLORIN_PLAID_SECRET"]}
        asked = {"institution_id": "ins_109508", "initial_products": ["transactions"]}

        linked = httpx.post(f"{url}/sandbox/public_token/create", json=ours | asked)
        forged = httpx.post(f"{url}/sandbox/public_token/create", json={"client_id": "x", "secret": "y"} | asked)
        happened = [line_of(process) for _ in range(3)]
        process.send_signal(number)

        assert linked.status_code == 200
        assert linked.json()["public_token"].startswith("public-")
        assert forged.status_code == 400
        assert all(re.fullmatch(r"# \d\d:\d\d:\d\d [a-z_]+\n", line) for line in happened)
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_port_that_is_taken_is_said_and_not_traced() -> None:
    with simulated("plaid", "--port", "0") as process:
        url, _ = told(process)
        with simulated("plaid", "--port", url.rpartition(":")[2]) as second:
            assert second.wait(timeout=30) == 1
            assert second.stderr is not None
            assert second.stderr.read() == f"florin: Port {url.rpartition(':')[2]} is taken. Choose another with --port.\n"


def test_a_provider_that_there_is_not() -> None:
    with simulated("gringotts") as process:
        assert process.wait(timeout=30) == 2


def test_with_a_rate_of_faults_requests_go_wrong() -> None:
    with simulated("plaid", "--port", "0", "--faults", "1", "--every", "60") as process:
        url, _ = told(process)
        outcomes: set[int | str] = set()
        for _ in range(20):
            try:
                with httpx.stream("POST", f"{url}/item/get", json={}, timeout=0.3) as answer:
                    outcomes.add(answer.status_code)
            except httpx.TransportError as error:
                outcomes.add(type(error).__name__)

    assert {500, 429, "ReadTimeout"} <= outcomes, "twenty requests of this seed meet each of these"


def started(provider: str) -> tuple[SimBank, Simulated]:
    bank = SimBank(1, today=datetime.now(UTC).date() - timedelta(days=3))
    return bank, PROVIDERS[provider](bank, Faults(1))  # type: ignore[index]


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
async def test_with_the_settings_that_are_printed_an_installation_can_link_the_bank(
    provider: str, tmp_path: Path, environment: dict[str, str], redis: RedisConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, simulator = started(provider)

    async with serve(simulator.app) as url:
        printed = simulator.settings(url, tmp_path)
        assert all(name.startswith(f"FLORIN_{provider.upper()}_") for name in printed)
        for name, value in (environment | dict(printed)).items():
            monkeypatch.setenv(name, value)
        async with open_banks(Settings.load(), redis, SystemClock()) as banks:
            assert set(banks) == {"sandbox", provider}
            request = LinkRequest(user_reference="u-1", redirect_url="https://front.example/back", locale="en-GB", currency="GBP")
            start = await banks[provider].begin_link(request)

    assert start.expires_at > datetime.now(UTC)
    assert start.token is not None or (start.url or "").startswith(url)


async def test_days_go_by_as_they_do_and_whoever_linked_is_told() -> None:
    bank, simulator = started("plaid")
    stopped = asyncio.Event()
    announced: list[date] = []

    async def announce() -> None:
        announced.append(bank.today)
        if len(announced) == 30:
            stopped.set()

    await _go_on(Simulated(app=simulator.app, settings=simulator.settings, announce=announce), bank, 0.001, stopped)

    assert len(announced) == 30
    assert set(announced) <= {datetime.now(UTC).date(), datetime.now(UTC).date() - timedelta(days=1)}
    assert max(change.transaction.on for change in bank.log) <= datetime.now(UTC).date()
