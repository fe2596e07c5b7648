"""The context of one operation: who asks, what serves them, and what was read for them so far."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import strawberry

from db.engines import Viewer
from resolvers.errors import Unauthenticated
from resolvers.loaders import Loaders, Reads

if TYPE_CHECKING:
    from domains.flows.services import Services


class OperationContext:
    """Lives for one operation; a subscription makes one per event with `fresh()`. Close it: `async with context:`.

    viewer:        None when signed out. `required_viewer` raises Unauthenticated then.
    request_id:    quoted to the client with a masked error, and in the log.
    cursor_secret: the install's key for signing cursors.
    token:         the bearer token the request came with, for signing out.
    address:       the client's IP address, for throttling sign-ins.
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
    ) -> None:
        self.services = services
        self.viewer = viewer
        self.request_id = request_id
        self.cursor_secret = cursor_secret
        self.token = token
        self.address = address
        self.reads = Reads(services.db, viewer)
        self.loaders = Loaders(self.reads)

    @property
    def required_viewer(self) -> Viewer:
        """The viewer. Errors: Unauthenticated when signed out."""
        if self.viewer is None:
            raise Unauthenticated
        return self.viewer

    def fresh(self) -> "OperationContext":
        """The same viewer and services with nothing read yet."""
        return OperationContext(
            self.services,
            self.viewer,
            request_id=self.request_id,
            cursor_secret=self.cursor_secret,
            token=self.token,
            address=self.address,
        )

    async def reset_reads(self) -> None:
        """Forget what was read: after a commit, so that the payload shows the new state."""
        await self.loaders.stop()
        self.loaders.clear()
        await self.reads.close()

    async def start_over(self) -> None:
        """Forget what was read after something failed: the transactions may be unusable. What could not be opened stays so."""
        await self.loaders.stop()
        self.loaders.clear()
        await self.reads.abandon()

    async def close(self, *, failed: bool = False) -> None:
        """Stop what still loads and end the read transactions."""
        try:
            await self.loaders.stop()
        finally:
            await self.reads.close(failed=failed)

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
