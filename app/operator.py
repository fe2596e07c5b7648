"""What an operator does for a user from the machine itself: the same flows as over the API, no password asked."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import UUID

from app.errors import OperatorError
from app.settings import Settings
from app.wiring import open_services
from db.engines import Origin, Viewer
from db.errors import LeaseLost
from db.user.queries import ACTIVE, find_account
from domains.audit.errors import DataExportRequestNotFound
from domains.audit.service.verify_chains import verify_chain, verify_chains
from domains.auth.errors import SignInFailed
from domains.bank.errors import StatementOptionsInvalid
from domains.bank.providers.file.options import FileOptions
from domains.core.cipher import DecryptionFailed
from domains.core.errors import AppError, TryAgain
from domains.flows import import_statement
from domains.flows.data_requests import list_open
from domains.flows.export_data import export_now
from domains.flows.services import Services
from domains.flows.sign_in import open_session_for
from domains.user.rules import find_email

AS_IT_SAYS: Final = FileOptions()
#: Of chains that do not hold, as many are told one by one.
BROKEN_TOLD: Final = 100
#: Where what an operator does for a user comes from, as the user's audit trail says it.
OPERATOR: Final = Origin("cli")


async def make_demo(settings: Settings) -> None:
    """The demo's users with all they have, unless they are there. Errors: SettingsInvalid."""
    from domains.flows.seed_demo import seed_demo  # what makes two years of a life is loaded when one is made

    async with open_services(settings) as services:
        await seed_demo(services)


async def open_session(settings: Settings, email: str) -> str:
    """A bearer token for the user. Errors: OperatorError."""
    async with open_services(settings) as services:
        try:
            return (await open_session_for(services, email, OPERATOR)).access_token
        except SignInFailed as error:
            raise OperatorError(error.message) from error


async def verify_trail(settings: Settings, email: str | None = None) -> str:
    """Check the chains of the audit trail, or one user's, and tell how many hold.

    Errors: OperatorError, naming the first entry of each chain that does not.
    """
    async with open_services(settings) as services:
        if email is None:
            found = [each async for each in verify_chains(services.db)]
        else:
            user_id = (await _find_viewer(services, email)).user_id
            async with services.db.system("audit") as session:
                found = [(user_id, await verify_chain(session, user_id))]
    broken = [(user_id, place) for user_id, place in found if place is not None]
    if broken:
        lines = [f"{_whose(user_id)}: entry {place.sequence}: {place.reason}" for user_id, place in broken[:BROKEN_TOLD]]
        raise OperatorError("\n".join([f"{len(broken):,} of {len(found):,} chains of the audit trail do not hold.", *lines]))
    return f"{len(found):,} {'chain holds' if len(found) == 1 else 'chains hold'}"


def _whose(user_id: UUID | None) -> str:
    return "entries without a user" if user_id is None else f"user {user_id}"


async def list_requests(settings: Settings) -> str:
    """The open requests for a copy of data and for deletion, a line each: when, what, whose, in which state, format or reason."""
    async with open_services(settings) as services:
        found = await list_open(services)
    lines = [
        "  ".join(
            (
                f"{each.request.created_at:%Y-%m-%d %H:%M} UTC",
                each.request.kind,
                str(each.request.id),
                each.email or str(each.request.user_id),
                each.request.status,
                (each.request.detail or "").replace("\n", " "),
            )
        ).rstrip()
        for each in found
    ]
    return "\n".join(lines) or "no open requests"


async def export_data(settings: Settings, email: str, file: Path, export_format: str = "json") -> str:
    """Make a copy of all that is stored of a user, as a worker would for themselves, and write it to a new file, which only we may read.

    Errors: OperatorError; then there is no file.
    """
    async with open_services(settings) as services:
        viewer = await _find_viewer(services, email)
        written = 0
        try:
            with _new_file(file) as opened:
                download = await export_now(services, viewer, export_format)
                async for piece in download.pieces:
                    written += opened.write(piece)
        except DataExportRequestNotFound as error:
            raise OperatorError("The copy could not be made: the user's data key is gone, or somebody has cancelled.") from error
        except AppError as error:
            raise OperatorError(f"{error.message} See `florin requests`.") from error
        except DecryptionFailed as error:
            raise OperatorError("The copy is not what was stored, or was cancelled meanwhile.") from error
        except LeaseLost as error:
            raise OperatorError("The copy took so long that a worker has taken it over, and makes it for the user to fetch.") from error
    return f"{written:,} bytes in {file}"


@contextmanager
def _new_file(file: Path) -> Iterator[BinaryIO]:
    """A file that is there only if the block succeeds. Errors: OperatorError."""
    try:
        opened = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError as error:
        raise OperatorError(f"{file} is there already.") from error
    except OSError as error:
        raise OperatorError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        with opened:
            yield opened
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def read_options(given: Sequence[str]) -> FileOptions:
    """What an operator says of a file, as `name=value` each; `columns.role=header` names a column. Errors: OperatorError."""
    said: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise OperatorError(f"An option is written NAME=VALUE, which {each!r} is not.")
        place, _, role = name.partition(".")
        if role:
            said.setdefault(place, {})[role] = int(value) if value.isdecimal() else value
        else:
            said[name] = value.lower() == "true" if name == "invert_amounts" else value
    try:
        return FileOptions.from_json(said)
    except StatementOptionsInvalid as error:
        raise OperatorError(f"Option {error.field}: {error.message}") from error


async def import_file(settings: Settings, file: Path, email: str, options: FileOptions = AS_IT_SAYS) -> str:
    """Import a statement and tell what it changed; the user's listeners hear of it wherever they are connected.

    Errors: OperatorError, with the line and the reason when the file is refused: then nothing of it stays.
    """
    content = _read(file, settings.upload_limit_bytes)
    async with open_services(settings) as services:
        viewer = await _find_viewer(services, email)
        try:
            outcome = await import_statement.import_file(services, viewer, content, file.name, options)
        except AppError as error:
            raise OperatorError(f"{file.name}: {error.message}") from error
        except TryAgain as error:
            raise OperatorError(f"{error.message} Try again.") from error
        except LeaseLost as error:
            raise OperatorError("The import took so long that a worker has taken it over, and goes on with it.") from error
    return ", ".join(f"{name} {outcome[name]}" for name in ("added", "updated", "unchanged"))


def _read(file: Path, limit_bytes: int) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OperatorError(f"{file.name} is larger than {limit_bytes:,} bytes.")
    return content


async def _find_viewer(services: Services, email: str) -> Viewer:
    normalized = find_email(email)
    async with services.db.system("user") as session:
        account = await find_account(session, normalized) if normalized else None
    if account is None or account.status != ACTIVE:
        raise OperatorError("No active account has this address.")
    return Viewer(account.id, account.timezone, account.currency, account.locale, OPERATOR)
