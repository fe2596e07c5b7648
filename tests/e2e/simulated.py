"""Providers of simulated banks on sockets, and what happens when they are asked."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.simulators.bank import SimBank
from app.simulators.faults import Faults
from app.simulators.open_banking import OpenBankingSimulator
from app.simulators.plaid import PlaidSimulator
from app.simulators.tink import TinkSimulator
from app.simulators.tink.simulator import CLIENT_ID, CLIENT_SECRET
from domains.flows.link_bank import Answer, BegunLink

#: So that tokens are over by the next fetch, which has to ask for others first.
TOKEN_LASTS_S: Final = 61

Act = Callable[[], Awaitable[None]]


class Watch:
    """Stands before a server: has something done once, when the n-th request from now arrives or when its answer is to be sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._left = 0
        self._is_late = False
        self._act: Act | None = None
        self.has_struck = False
        self.failure: Exception | None = None

    def at(self, number: int, act: Act, *, is_late: bool = False) -> None:
        self._left, self._act, self._is_late, self.has_struck = number, act, is_late, False

    def forget(self) -> None:
        self._act = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        act = self._due() if scope["type"] == "http" else None
        with suppress(ClientDisconnect):  # of whom we have killed
            await (self._app(scope, receive, send) if act is None else self._serve_and_strike(act, scope, receive, send))

    async def _serve_and_strike(self, act: Act, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_late:
            await self._strike(act)
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._strike(act)
            await send(message)

        await self._app(scope, receive, sent)

    def _due(self) -> Act | None:
        self._left -= 1
        return self._act if self._left == 0 else None

    async def _strike(self, act: Act) -> None:
        """What goes wrong in it is for whoever waits, and not for the server."""
        self._act = None
        try:
            await act()
        except Exception as error:  # noqa: BLE001 - raised in `Mortal.until_struck`
            self.failure = error
        self.has_struck = True


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A provider's server. settings: what leads to it, from its URL and a folder for files."""

    provider: str
    app: ASGIApp
    settings: Callable[[str, Path], Mapping[str, Any]]
    answer: Callable[[BegunLink], Answer]
    upset: Callable[[], None]


Simulate = Callable[[int, SimBank, Faults], Simulated]


def plaid(_seed: int, bank: SimBank, faults: Faults) -> Simulated:
    simulator = PlaidSimulator(bank, faults, page_size=3)
    return Simulated(
        provider="plaid",
        app=simulator.app,
        settings=lambda url, _: {
            "plaid_url": url,
            "plaid_client_id": simulator.client_id,
            "plaid_secret": SecretStr(simulator.secret),
        },
        answer=lambda begun: Answer(public_token=simulator.sign_in(begun.token)),
        upset=simulator.expire_login,
    )


def tink(_seed: int, bank: SimBank, faults: Faults) -> Simulated:
    simulator = TinkSimulator(bank, faults, page_size=17, token_lasts_s=TOKEN_LASTS_S)

    def answer(begun: BegunLink) -> Answer:
        query = parse_qs(urlsplit(simulator.agree(begun.url or "")).query)
        return Answer(code=query["credentials_id"][0], state=query["state"][0])

    return Simulated(
        provider="tink",
        app=simulator.app,
        settings=lambda url, _: {
            "tink_url": url,
            "tink_link_url": url,
            "tink_client_id": CLIENT_ID,
            "tink_client_secret": SecretStr(CLIENT_SECRET),
        },
        answer=answer,
        upset=simulator.expire_login,
    )


def open_banking(seed: int, bank: SimBank, faults: Faults) -> Simulated:
    """Every other bank gives its transactions no ids."""
    simulator = OpenBankingSimulator(bank, faults, page_size=17, token_lasts_s=TOKEN_LASTS_S, has_ids=seed % 2 == 0)

    def answer(begun: BegunLink) -> Answer:
        query = parse_qs(urlsplit(simulator.agree(begun.url or "")).query)
        return Answer(code=query["code"][0], state=query["state"][0])

    def settings(url: str, folder: Path) -> dict[str, Path]:
        file = folder / "banks.toml"
        file.write_text(simulator.banks_file(url), encoding="utf-8")
        return {"open_banking_file": file}

    return Simulated(provider="open_banking", app=simulator.app, settings=settings, answer=answer, upset=simulator.expire_login)
