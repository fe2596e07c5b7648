"""What a user does with an insight."""

from uuid import UUID

from domains.analytics import errors
from domains.analytics.service import change_insights as service
from domains.core.audit import Action
from domains.flows.audit_trail import noted_write
from resolvers.analytics.inputs import InsightDismissInput, InsightMarkViewedInput, InsightRateInput
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload

expose(errors)


@payload
class InsightMarkViewedPayload(Payload):
    """The insight as it is now, or why it stays as it was."""

    insight_id: Hidden[UUID | None] = None
    insight = link("Insight", key="insight_id", description="The insight; null when nothing was changed for an error.")


@payload
class InsightDismissPayload(Payload):
    """The insight as it is now, or why it stays as it was."""

    insight_id: Hidden[UUID | None] = None
    insight = link("Insight", key="insight_id", description="The insight; null when nothing was changed for an error.")


@payload
class InsightRatePayload(Payload):
    """The insight as it is now, or why it stays as it was."""

    insight_id: Hidden[UUID | None] = None
    insight = link("Insight", key="insight_id", description="The insight; null when nothing was changed for an error.")


@extends("Mutation")
class AnalyticsMutations:
    @mutation
    async def insight_mark_viewed(self, info: Info, input: Input[InsightMarkViewedInput]) -> InsightMarkViewedPayload:
        """Say that an insight was seen. The first time counts. Errors: InsightNotFound."""
        services, insight_id = info.context.services, given_id(input.id, "Insight")
        async with services.db.write("analytics", info.context.required_viewer) as session:
            await service.mark_viewed(session, insight_id, services.clock.now())
        return InsightMarkViewedPayload(insight_id=insight_id)

    @mutation
    async def insight_dismiss(self, info: Info, input: Input[InsightDismissInput]) -> InsightDismissPayload:
        """Put an insight away, so that lists leave it out, or take it back. Errors: InsightNotFound."""
        services, insight_id = info.context.services, given_id(input.id, "Insight")
        async with noted_write(services, "analytics", info.context.required_viewer) as (session, trail):
            await service.dismiss_insight(session, insight_id, services.clock.now(), dismissed=input.dismissed)
            told = {"dismissed": input.dismissed}
            await trail.note(session, Action.INSIGHT_DISMISSED, resource_type="Insight", resource_id=insight_id, metadata=told)
        return InsightDismissPayload(insight_id=insight_id)

    @mutation
    async def insight_rate(self, info: Info, input: Input[InsightRateInput]) -> InsightRatePayload:
        """Say whether an insight helped, or take that back. Errors: InsightNotFound."""
        insight_id = given_id(input.id, "Insight")
        feedback = input.feedback and input.feedback.value
        async with noted_write(info.context.services, "analytics", info.context.required_viewer) as (session, trail):
            await service.rate_insight(session, insight_id, feedback)
            told = {"feedback": feedback}
            await trail.note(session, Action.INSIGHT_RATED, resource_type="Insight", resource_id=insight_id, metadata=told)
        return InsightRatePayload(insight_id=insight_id)
