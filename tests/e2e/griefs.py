"""What may happen to a fetch in a process: each asks for one and has it come to grief. Where and when, `pick` says.

meanwhile: what happens elsewhere while the fetch goes on. Who is dead afterwards, has no successor yet.
"""

import asyncio
import os
import random
import signal
from contextlib import suppress
from typing import Final

from tests.e2e import rows
from tests.e2e.die_at import Fault
from tests.e2e.mortal import DONE_WITHIN_S, POLL_S, Mortal
from tests.e2e.simulated import Act

#: A process that is held up may hold a lock in the database: whoever waits for it waits no longer than this.
HELD_UP_AT_MOST_S: Final = 8.0


async def is_killed_at_a_request(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    async def strike() -> None:
        await meanwhile()
        await mortal.kill(mortal.workers[-1])

    mortal.watch.at(_early(pick), strike, is_late=pick.random() < 0.5)
    await mortal.ask()
    mortal.start()
    await mortal.until_struck()


async def is_killed_after_a_while(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    mortal.watch.at(1, meanwhile)
    await mortal.ask()
    mortal.start()
    await mortal.until_struck()
    await asyncio.sleep(pick.uniform(0, 0.5))
    await mortal.kill(mortal.workers[-1])


async def is_killed_at_a_commit(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    await mortal.dismiss(is_kind=pick.random() < 0.5)
    mortal.watch.at(1, meanwhile)
    await mortal.ask()
    mortal.hire(Fault(f"commit:{pick.randint(1, 12)}", pick.choice(("before", "after"))))
    await _until_dead(mortal)


async def is_cut_off_at_a_commit(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    await mortal.dismiss(is_kind=pick.random() < 0.5)
    mortal.watch.at(1, meanwhile)
    await mortal.ask()
    mortal.hire(Fault(f"commit:{pick.randint(1, 12)}", "before", "cut"))


async def is_cut_off_after_a_while(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    mortal.watch.at(_early(pick), meanwhile)
    await mortal.ask()
    mortal.start()
    await mortal.until_struck()
    await asyncio.sleep(pick.uniform(0, 0.3))
    await mortal.cut()


async def loses_redis(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    async def strike() -> None:
        await meanwhile()
        await mortal.empty_redis()

    mortal.watch.at(_early(pick), strike, is_late=pick.random() < 0.5)
    await mortal.ask()
    mortal.start()
    await mortal.until_struck()


async def is_held_up_while_another_works(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    """For longer than its lease; it comes back when the other is done, or both wait for each other."""

    goes_on = asyncio.Event()

    async def strike() -> None:
        await meanwhile()
        os.kill(slow.process.pid or 0, signal.SIGSTOP)
        mortal.watch.has_struck = True
        await goes_on.wait()

    await mortal.bury()
    mortal.watch.at(_early(pick), strike, is_late=pick.random() < 0.5)
    await mortal.ask()
    while len(mortal.workers) > 1:
        await mortal.kill(mortal.workers[0])
        await mortal.bury()
    mortal.start()
    [slow] = mortal.workers
    try:
        await mortal.until_struck()
        if mortal.watch.has_struck:
            await rows.set_leases(mortal.superuser, "-1 second")
            mortal.hire()
            with suppress(TimeoutError):
                await mortal.until_quiet(HELD_UP_AT_MOST_S)
    finally:
        mortal.watch.forget()
        os.kill(slow.process.pid or 0, signal.SIGCONT)
        goes_on.set()


async def goes_on_beside_another(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    """Two work, it is asked for over and over, and one of them is killed."""
    while len(mortal.workers) < 2:
        mortal.hire()
    for _ in range(3):
        mortal.happen(pick, 2)
        await mortal.ask()
        await asyncio.sleep(pick.uniform(0, 0.2))
    await meanwhile()
    await mortal.kill(pick.choice(mortal.workers))


async def finds_that_a_login_is_wanted(mortal: Mortal, pick: random.Random, meanwhile: Act) -> None:
    mortal.far.upset()
    await is_killed_at_a_request(mortal, pick, meanwhile)


def _early(pick: random.Random) -> int:
    """A number of a request: most fetches make few."""
    return min(pick.randint(1, 12), pick.randint(1, 12))


async def _until_dead(mortal: Mortal) -> None:
    async with asyncio.timeout(DONE_WITHIN_S):
        while all(each.lives() for each in mortal.workers) and not await mortal.is_quiet():
            await asyncio.sleep(POLL_S)
