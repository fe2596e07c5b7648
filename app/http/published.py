"""The documents that this installation knows by an id: Florin's own, and those of the clients that its operator serves."""

from collections.abc import Sequence
from pathlib import Path

from app.errors import SettingsInvalid
from resolvers.execution.persisted import ManifestInvalid, Persisted, merged, read_manifest

#: Where a checkout and the image have it.
MANIFEST = Path(__file__).parents[2] / "graphql" / "operations" / "manifest.json"


def published(manifests: Sequence[Path], *, only: bool) -> Persisted:
    """The published documents, of our manifest where it is there and of the operator's. Errors: SettingsInvalid."""
    try:
        documents = merged(_read(path) for path in ((MANIFEST,) if MANIFEST.exists() else ()) + tuple(manifests))
    except ManifestInvalid as error:
        raise SettingsInvalid(f"FLORIN_OPERATIONS_MANIFESTS: {error}.") from None
    if only and not documents:
        raise SettingsInvalid("FLORIN_OPERATIONS is persisted, and nothing is published: name a manifest in FLORIN_OPERATIONS_MANIFESTS.")
    return Persisted(documents, only=only)


def _read(path: Path) -> dict[str, str]:
    try:
        return read_manifest(path.read_bytes())
    except OSError as error:
        raise SettingsInvalid(f"FLORIN_OPERATIONS_MANIFESTS: {path} cannot be read: {error.strerror}.") from None
    except ManifestInvalid as error:
        raise ManifestInvalid(f"{path}: {error}") from None
