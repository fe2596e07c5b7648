"""Sessions, as whoever opened one sees it."""

from datetime import datetime

import strawberry

from resolvers.fields import value


@value
class Session:
    """What signing in gives. Send `Authorization: Bearer <accessToken>`, and the same in `connection_init` of a WebSocket."""

    access_token: str = strawberry.field(description="The bearer token, shown this once. Whoever has it is you.")
    expires_at: datetime = strawberry.field(description="The instant from which the access token is refused.")
    refresh_token: str | None = strawberry.field(
        default=None, description="For a new access token without the password. Null until sessions can be refreshed: sign in again."
    )
