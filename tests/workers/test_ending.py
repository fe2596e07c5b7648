import asyncio

import pytest

from workers import ending
from workers.ending import cancel


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN_AFTER_S", 0.02)


async def stubborn(swallows: int) -> None:
    """Loses some cancellations on the way, as library code does."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if swallows == 0:
                raise
            swallows -= 1


@pytest.mark.parametrize("swallows", [0, 1, 3])
async def test_a_task_that_loses_a_cancellation_is_asked_again(swallows: int) -> None:
    task = asyncio.create_task(stubborn(swallows))
    await asyncio.sleep(0)

    assert await cancel([task])

    assert task.cancelled()


async def test_a_task_that_never_ends_is_left_after_the_time() -> None:
    task = asyncio.create_task(stubborn(5))
    await asyncio.sleep(0)

    assert not await cancel([task], within_s=0.05)

    assert not task.done()
    assert await cancel([task])


async def test_tasks_that_have_ended_are_left_alone() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    task = asyncio.create_task(fail())
    await asyncio.wait({task})

    assert await cancel([task])
    assert await cancel([])
    assert isinstance(task.exception(), ZeroDivisionError)
