"""What people change of themselves."""

from uuid import UUID

import strawberry

from domains.core.audit import Action
from domains.flows.audit_trail import noted_write, said_of
from domains.user import errors
from domains.user.service import delete_oauth_connection, update_preferences
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload, to_global_id
from resolvers.user.inputs import OAuthConnectionDeleteInput, PreferencesUpdateInput, read_change

expose(errors)


@payload
class PreferencesUpdatePayload(Payload):
    """The preferences as they are now, or why they stay as they were."""

    user_id: Hidden[UUID | None] = None
    preferences = link(
        "UserPreferences", key="user_id", loader="user.preferences_by_user", description="All of them; null when nothing was changed."
    )


@payload
class OAuthConnectionDeletePayload(Payload):
    """What is gone, or why nothing is."""

    deleted_oauth_connection_id: strawberry.ID | None = strawberry.field(default=None, description="The id of the connection that is gone.")


@extends("Mutation")
class UserMutations:
    @mutation
    async def preferences_update(self, info: Info, input: Input[PreferencesUpdateInput]) -> PreferencesUpdatePayload:
        """Change what is given of your preferences, all of it or nothing. The same again changes nothing more.

        Errors: AlertAmountInvalid, AlertThresholdsInvalid, DashboardLayoutInvalid.
        """
        viewer = info.context.required_viewer
        command = read_change(input)
        async with noted_write(info.context.services, "user", viewer) as (session, trail):
            await update_preferences(session, command)
            await trail.note(session, Action.PREFERENCES_UPDATED, metadata=said_of(command))
        return PreferencesUpdatePayload(user_id=viewer.user_id)

    @mutation
    async def oauth_connection_delete(self, info: Info, input: Input[OAuthConnectionDeleteInput]) -> OAuthConnectionDeletePayload:
        """Sign in with this provider no more.

        Errors: OAuthConnectionNotFound, also for one that is gone already; LastWayIn.
        """
        connection_id = given_id(input.id, "OAuthConnection")
        async with noted_write(info.context.services, "user", info.context.required_viewer) as (session, trail):
            await delete_oauth_connection(session, connection_id)
            await trail.note(session, Action.OAUTH_CONNECTION_REMOVED, resource_type="OAuthConnection", resource_id=connection_id)
        return OAuthConnectionDeletePayload(deleted_oauth_connection_id=strawberry.ID(to_global_id("OAuthConnection", connection_id)))
