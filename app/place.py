"""Where this installation's data is: the operator's servers, or the embedded ones of a folder."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.embedded import Embedded
from app.errors import ServersUnavailable
from app.machine import Progress
from app.settings import DOMAINS, Settings
from domains.user.keys import generate_key
from migrations.run import UnknownRevision, upgrade


@dataclass(frozen=True, slots=True)
class Place:
    """Settings that are complete, and the embedded servers when they are what the settings point to."""

    settings: Settings
    embedded: Embedded | None

    def migrate(self) -> list[str]:
        """Bring every domain to its newest revision; answers those that were behind. Errors: SettingsInvalid, ServersUnavailable."""
        dsns = self.settings.dsns()
        if dsns.owner is None:
            return []
        try:
            return upgrade({domain: dsns.of(domain, "owner") for domain in DOMAINS})
        except UnknownRevision as error:
            raise ServersUnavailable(f"The data was last used by a newer Florin: {error}.") from error
        except OSError as error:
            raise ServersUnavailable(f"Postgres cannot be reached for migrating: {error.strerror or error}.") from error


@contextmanager
def open_place(folder: Path, progress: Progress) -> Iterator[Place]:
    """The place for the block. Embedded servers are joined, or started and stopped again.

    What the embedded servers are reached by goes into the environment, where this process and its children read it.
    Errors: SettingsInvalid, ServersUnavailable.
    """
    settings = Settings.load()
    if settings.has_own_servers():
        yield Place(settings, None)
        return
    embedded = Embedded.start(folder, progress=progress)
    before = dict(os.environ)
    try:
        os.environ.update(_variables(embedded))
        yield Place(Settings.load(), embedded)
    finally:
        os.environ.clear()
        os.environ.update(before)
        embedded.stop()


def _variables(embedded: Embedded) -> dict[str, str]:
    dsns = embedded.dsns
    variables = {
        "FLORIN_DATABASE_DSN": dsns.app,
        "FLORIN_DATABASE_SYSTEM_DSN": dsns.system,
        "FLORIN_DATABASE_OWNER_DSN": dsns.owner or "",
        "FLORIN_REDIS_DSN": embedded.redis_dsn,
        # what somebody has on their own machine is theirs to keep, unless they say otherwise
        "FLORIN_RETENTION": os.environ.get("FLORIN_RETENTION") or "off",
    }
    if "FLORIN_SECRET" not in os.environ:
        variables["FLORIN_SECRET"] = keep(embedded.folder / "secret", make_secret)
    if not {"FLORIN_KEYRING", "FLORIN_KEYRING_FILE"} & os.environ.keys():
        ring = embedded.folder / "keyring"
        keep(ring, generate_key)
        variables["FLORIN_KEYRING_FILE"] = str(ring)
    return variables


def make_secret() -> str:
    """What names an installation: 43 characters, 256 random bits."""
    return secrets.token_urlsafe(32)


def keep(path: Path, make: Callable[[], str]) -> str:
    """The secret in this file, made on first use and readable by this account only. Losing the key ring loses what it encrypts."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # of two at once the first one's is both's
        draft.unlink()
    return path.read_text().strip()
