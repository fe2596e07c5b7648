"""People linked to providers, as signing in with one will link them."""

from typing import Any
from uuid import uuid4

from db.engines import Viewer
from db.user.models import oauth_connections
from domains.flows.services import Services


async def connect(services: Services, viewer: Viewer, provider: str = "google", profile: dict[str, Any] | None = None) -> str:
    """Link the viewer to an account there; answers the link's id."""
    link_id = uuid4()
    row = {"id": link_id, "user_id": viewer.user_id, "provider": provider, "provider_user_id": str(link_id), "profile_data": profile}
    async with services.db.write("user", viewer) as session:
        await session.execute(oauth_connections.insert().values(row))
    return str(link_id)
