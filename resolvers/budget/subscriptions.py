"""Budgets as they move."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

import strawberry

from db.budget import queries
from db.engines import Viewer
from db.live import Event
from domains.budget.service.apply_fold import TOPIC
from domains.flows.services import Services
from resolvers.fields import Hidden, Info, extends, from_global_id, link, payload, subscription, to_global_id


@payload
class BudgetUpdated:
    """A budget as it is now."""

    key: Hidden[UUID]
    budget_id: strawberry.ID = strawberry.field(description="Which budget it is, also once it is gone.")
    version: int = strawberry.field(
        description="The version that this event is about. What `budget` shows is of this version or a newer one."
    )
    budget = link("Budget", key="key", description="The budget; null when it was deleted.")


#: The version of what is gone and was not seen going: greater than any, so that it is said once.
GONE = 2**31 - 1


@dataclass(slots=True)
class _Followed:
    """What one subscriber follows, and which version of each budget they were sent last."""

    services: Services
    viewer: Viewer
    wanted: frozenset[UUID] | None
    sent: dict[UUID, int] = field(default_factory=dict)

    async def news(self, events: Sequence[Event] | None) -> list[tuple[UUID, int]]:
        """Budgets with versions that were not sent yet: of these events, or, without any, of all that there are."""
        versions = await self._versions() if events is None else [(event.id, event.version) for event in events]
        news = [(key, version) for key, version in versions if self._is_wanted(key) and version > self.sent.get(key, -1)]
        self.sent.update(news)
        return news

    async def _versions(self) -> list[tuple[UUID, int]]:
        """Every budget's version. One that was sent and is gone counts as changed."""
        async with self.services.db.read("budget", self.viewer) as read:
            rows = await read.rows(queries.budgets_by_user(("id", "version")), keys=[self.viewer.user_id])
        versions = {UUID(row.id): row.version for row in rows}
        return [*versions.items(), *((key, GONE) for key in self.sent if key not in versions)]

    def _is_wanted(self, key: UUID) -> bool:
        return self.wanted is None or key in self.wanted


@extends("Subscription")
class BudgetSubscriptions:
    @subscription
    async def budget_updated(
        self,
        info: Info,
        ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="Only these; ids that are not of your budgets are ignored. By default all, new ones too."),
        ] = strawberry.UNSET,
    ) -> AsyncGenerator[BudgetUpdated, None]:
        """Follow your budgets: each as it is now, then each again whenever it or its figures change, whoever changed it.

        Changes that come faster than they are taken arrive as one. A deleted budget comes once more, as null.
        """
        services, viewer = info.context.services, info.context.required_viewer
        followed = _Followed(services, viewer, _read_ids(ids))
        async with services.hub.subscribe(viewer.user_id, [TOPIC]) as slot:
            events = None
            while True:
                for key, version in await followed.news(events):
                    yield BudgetUpdated(key=key, budget_id=strawberry.ID(to_global_id("Budget", key)), version=version)
                events = await slot.take()


def _read_ids(given: Sequence[str] | None) -> frozenset[UUID] | None:
    if not isinstance(given, list):
        return None
    return frozenset(key for each in given if (key := from_global_id(each, "Budget")) is not None)
