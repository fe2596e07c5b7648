"""The context of one operation: who asks, what serves them, and what was read for them so far."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import strawberry

from db.engines import Origin, Viewer
from resolvers.errors import Unauthenticated
from resolvers.loaders import Loaders, Reads

if TYPE_CHECKING:
    from domains.flows.services import Services

T = TypeVar("T")


class OperationContext:
    """Lives for one operation; a subscription makes one per event with `fresh()`. Close it: `async with context:`.

    viewer:        None when signed out. `required_viewer` raises Unauthenticated then.
    request_id:    quoted to the client with a masked error, and in the log.
    cursor_secret: the install's key for signing cursors.
    token:         the bearer token the request came with, for signing out.
    address:       the client's IP address, for throttling sign-ins.
    origin:        where a mutation came from, for the audit trail; None for whatever changes nothing. The viewer's too.
    """

    def __init__(
        self,
        services: "Services",
        viewer: Viewer | None,
        *,
        request_id: str,
        cursor_secret: bytes,
        token: str | None = None,
        address: str | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.services = services
        self.viewer = viewer if viewer is None or origin is None else replace(viewer, origin=origin)
        self.request_id = request_id
        self.cursor_secret = cursor_secret
        self.token = token
        self.address = address
        self.origin = origin
        self.reads = Reads(services.db, viewer)
        self.loaders = Loaders(self.reads)
        self._once: dict[str, asyncio.Task[Any]] = {}

    @property
    def required_viewer(self) -> Viewer:
        """The viewer. Errors: Unauthenticated when signed out."""
        if self.viewer is None:
            raise Unauthenticated
        return self.viewer

    def fresh(self) -> "OperationContext":
        """The same viewer and services with nothing read yet: for an event, whose commit must be seen."""
        context = OperationContext(
            self.services,
            self.viewer,
            request_id=self.request_id,
            cursor_secret=self.cursor_secret,
            token=self.token,
            address=self.address,
            origin=self.origin,
        )
        context.reads.is_fresh = True
        return context

    async def once(self, name: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `ask` answers, asked once per operation, however many fields of however many rows want it."""
        asked = self._once.get(name)
        if asked is None:
            asked = self._once[name] = asyncio.create_task(ask())
        answer: T = await asyncio.shield(asked)
        return answer

    async def reset_reads(self) -> None:
        """Forget what was read: after a commit, so that the payload shows the new state."""
        await self.loaders.stop()
        self.loaders.clear()
        await self.reads.close()
        self.reads.is_fresh = True

    async def start_over(self) -> None:
        """Forget what was read after something failed: the transactions may be unusable. What could not be opened stays so."""
        await self.loaders.stop()
        self.loaders.clear()
        await self.reads.abandon()

    async def close(self, *, failed: bool = False) -> None:
        """Stop what still loads and end the read transactions."""
        try:
            await self._forget_asked()
            await self.loaders.stop()
        finally:
            await self.reads.close(failed=failed)

    async def _forget_asked(self) -> None:
        asked, self._once = list(self._once.values()), {}
        for task in asked:
            task.cancel()
        if asked:
            await asyncio.wait(asked)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        await self.close(failed=kind is not None)


class RootRow:
    """The only row of the root types: their declared fields are keyed by one of its columns."""

    __slots__ = ("_context",)

    everybody = "everybody"

    def __init__(self, context: OperationContext) -> None:
        self._context = context

    @property
    def viewer(self) -> str:
        """The viewer's id. Errors: Unauthenticated."""
        return str(self._context.required_viewer.user_id)


#: What resolvers annotate their `info` with.
Info: TypeAlias = strawberry.Info[OperationContext, Any]
