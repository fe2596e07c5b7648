"""For whoever watches the process: is it alive, and may it be sent requests."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

log = structlog.get_logger(__name__)

CHECKED_WITHIN_S = 3.0
#: A check: raises when what it looks at is not as it must be.
Check = Callable[[], Awaitable[None]]


async def live(_request: Request) -> Response:
    """200 as long as the process answers at all."""
    return JSONResponse({"status": "ok"})


class Ready:
    """200 when every check passes, else 503; each check's outcome by name, and why only in the log."""

    def __init__(self, checks: dict[str, Check]) -> None:
        self._checks = checks

    async def __call__(self, _request: Request) -> Response:
        outcomes = await asyncio.gather(*(_passes(name, check) for name, check in self._checks.items()))
        is_ready = all(outcomes)
        body = {
            "status": "ok" if is_ready else "unavailable",
            **{name: "ok" if passed else "unavailable" for name, passed in zip(self._checks, outcomes, strict=True)},
        }
        return JSONResponse(body, 200 if is_ready else 503, None if is_ready else {"retry-after": "5"})


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECKED_WITHIN_S):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the process is not ready
        log.warning("health.not_ready", check=name, error=type(error).__name__)
        return False
    return True
