"""Where a finished file is fetched: its request's id as an opaque part of a path."""

import base64
import binascii
from typing import Final
from uuid import UUID

PATH: Final = "/downloads/exports/"


def path_of(request_id: UUID) -> str:
    """What `file_url` says."""
    return PATH + base64.urlsafe_b64encode(request_id.bytes).decode().rstrip("=")


def request_of(name: str) -> UUID | None:
    """The request that the last part of a path names, in its one spelling; else None."""
    try:
        found = UUID(bytes=base64.b64decode(name + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        return None
    return found if path_of(found) == PATH + name else None
