"""What an operator does for a user from the machine itself: the same flows as over the API, no password asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from app.errors import OperatorError
from app.settings import Settings
from app.wiring import open_services
from db.engines import Origin, Viewer
from db.errors import LeaseLost
from db.user.queries import ACTIVE, find_account
from domains.auth.errors import SignInFailed
from domains.bank.errors import StatementOptionsInvalid
from domains.bank.providers.file.options import FileOptions
from domains.core.errors import AppError, TryAgain
from domains.flows import import_statement
from domains.flows.services import Services
from domains.flows.sign_in import open_session_for
from domains.user.rules import find_email

AS_IT_SAYS: Final = FileOptions()
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
