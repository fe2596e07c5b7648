"""Random lives of a connection: whatever the bank does, whatever goes wrong on the way, whoever dies, the ledger is the bank's.

SYNC_STEPS   how many steps per provider; 500 unless told
SYNC_SEED    to have a life again: the seed that a failure has printed
"""

import asyncio
import os
import random
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Final, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from db.engines import WriteSession
from domains.flows.services import Services
from tests.conftest import MakeUser
from tests.machine.world import Grief, OpenBank, World, open_world

STEPS: Final = int(os.environ.get("SYNC_STEPS", "500"))
STEPS_PER_LIFE: Final = 50
LIVES_AT_ONCE: Final = 5
#: Slow ones (time_out, drip) come less often.
FAULTS: Final = (
    *("server_error", "rate_limited", "reset", "garbage", "mutation", "duplicate_page", "reordered_page") * 3,
    "time_out",
    "drip",
)
T = TypeVar("T")


class Life(RuleBasedStateMachine):
    """Hypothesis calls the steps in a thread of its own; what they do, they do in the suite's loop."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    services: ClassVar[Services]
    make_user: ClassVar[MakeUser]
    open_bank: ClassVar[OpenBank]
    grief: ClassVar[Grief]
    steps: ClassVar[int]
    lives: ClassVar["random.Random"]

    def __init__(self) -> None:
        super().__init__()
        self._opened: AbstractAsyncContextManager[World] | None = None
        self.world = self._run(self._open())

    async def _open(self) -> World:
        viewer = await type(self).make_user()
        kind = type(self)
        self._opened = open_world(kind.services, viewer, kind.open_bank, kind.lives.randrange(1_000_000), kind.grief)
        return await self._opened.__aenter__()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, type(self).loop).result(timeout=120)

    @rule(chance=some.integers(0, 10_000), times=some.integers(1, 6))
    def something_happens(self, chance: int, times: int) -> None:
        pick = random.Random(chance)  # noqa: S311
        self.world.happen(pick, times)

    @invariant()
    def a_step_is_done(self) -> None:
        type(self).steps += 1

    @rule(days=some.integers(1, 3))
    def days_go_by(self, days: int) -> None:
        self.world.advance(days)

    @rule(pick=some.integers(0, 1_000))
    def the_person_edits(self, pick: int) -> None:
        self._run(self.world.edit(pick))

    @rule(faults=some.lists(some.sampled_from(FAULTS), min_size=1, max_size=4))
    def a_sync_with_faults(self, faults: list[str]) -> None:
        self.world.far.faults.plan(*faults)
        self._run(self.world.sync())

    @rule(at=some.integers(1, 12), when=some.sampled_from(["before", "after"]))
    def a_sync_that_is_killed(self, at: int, when: str) -> None:
        self._run(self.world.sync(at, when))
        self._settled()

    @rule()
    def the_bank_wants_a_login(self) -> None:
        self.world.far.upset()
        self._run(self.world.sync())

    @rule()
    def a_sync(self) -> None:
        self._settled()

    def _settled(self) -> None:
        self._run(self.world.settle())
        self._run(self.world.check())

    def teardown(self) -> None:
        try:
            self._settled()
        finally:
            if self._opened is not None:
                self._run(self._opened.__aexit__(None, None, None))


async def live(services: Services, make_user: MakeUser, open_bank: OpenBank, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many steps in so many lives. A failure is told with its seed."""
    chosen = int(os.environ.get("SYNC_SEED") or random.SystemRandom().randrange(2**32))
    grief = Grief()
    monkeypatch.setattr(WriteSession, "commit", grief.wrap(WriteSession.commit))
    common = {"services": services, "make_user": staticmethod(make_user), "open_bank": staticmethod(open_bank), "grief": grief}
    lives = random.Random(chosen)  # noqa: S311
    kind: Any = type("Lives", (Life,), {**common, "loop": asyncio.get_running_loop(), "steps": 0, "lives": lives})
    wanted = settings(
        max_examples=LIVES_AT_ONCE,
        stateful_step_count=STEPS_PER_LIFE,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    print(f"\nSYNC_SEED={chosen}")  # noqa: T201  pytest shows it with a failure
    while kind.steps < STEPS:
        await asyncio.to_thread(run_state_machine_as_test, seed(lives.randrange(2**32))(kind), settings=wanted)
