"""What people change of themselves."""

from uuid import UUID

import strawberry

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
        async with info.context.services.db.write("user", viewer) as session:
            await update_preferences(session, read_change(input))
        return PreferencesUpdatePayload(user_id=viewer.user_id)

    @mutation
    async def oauth_connection_delete(self, info: Info, input: Input[OAuthConnectionDeleteInput]) -> OAuthConnectionDeletePayload:
        """Sign in with this provider no more.

        Errors: OAuthConnectionNotFound, also for one that is gone already; LastWayIn.
        """
        connection_id = given_id(input.id, "OAuthConnection")
        async with info.context.services.db.write("user", info.context.required_viewer) as session:
            await delete_oauth_connection(session, connection_id)
        return OAuthConnectionDeletePayload(deleted_oauth_connection_id=strawberry.ID(to_global_id("OAuthConnection", connection_id)))
