"""Expected failures of the bank domain. Their codes are permanent."""

from typing import Annotated

from domains.core.errors import AppError


class StatementRejected(AppError):
    """A statement file that cannot be taken as a whole; nothing of it was kept. `message` is line and reason together."""

    code = "STATEMENT_REJECTED"
    default_message = "This file cannot be read as a bank statement."

    line: Annotated[int | None, "Counted from 1 in the file as it was sent; none where no line is at fault."]
    reason: Annotated[str, "What is wrong and, where its owner can mend it, how."]

    def __init__(self, reason: str | None = None, *, line: int | None = None, field: str | None = None) -> None:
        self.reason = reason or self.default_message
        self.line = line
        super().__init__(self.reason if line is None else f"Line {line}: {self.reason}", field=field)


class StatementOptionsInvalid(AppError):
    """What was said about the file (`field` names which part) cannot be meant."""

    code = "STATEMENT_OPTIONS_INVALID"
    default_message = "These options for reading a statement cannot be used."


class UploadNotFound(AppError):
    """No upload of this viewer has this id, or it was imported already and its content is gone."""

    code = "UPLOAD_NOT_FOUND"
    default_message = "There is no such upload. Send the file again."


class UploadsWaiting(AppError):
    code = "UPLOADS_WAITING"
    default_message = "Too many uploaded files wait to be imported. Import them, or wait a day until they expire."


class StatementImportNotFound(AppError):
    code = "STATEMENT_IMPORT_NOT_FOUND"
    default_message = "There is no such import."


class BankProviderNotFound(AppError):
    """The operator has not set this provider up, or it is one that is not linked, such as uploaded files."""

    code = "BANK_PROVIDER_NOT_FOUND"
    default_message = "Banks cannot be linked in this way here."


class RedirectUrlNotAllowed(AppError):
    """Only addresses that the operator lists (FLORIN_BANK_REDIRECT_URLS), letter by letter, are sent back to."""

    code = "REDIRECT_URL_NOT_ALLOWED"
    default_message = "This installation does not send anybody back to this address."


class BankLinksWaiting(AppError):
    code = "BANK_LINKS_WAITING"
    default_message = "Too many links were begun and not completed. Complete one, or wait until they expire."


class BankLinkNotFound(AppError):
    """No link of this viewer has this id, or it was over a week ago."""

    code = "BANK_LINK_NOT_FOUND"
    default_message = "There is no such link. Begin again."


class BankLinkExpired(AppError):
    code = "BANK_LINK_EXPIRED"
    default_message = "This link has expired. Begin again."


class BankLinkRefused(AppError):
    """The person did not agree, or what they came back with is stale, forged, somebody else's, or of another login than is repaired."""

    code = "BANK_LINK_REFUSED"
    default_message = "The bank was not linked. Begin again."


class BankAnswerIncomplete(AppError):
    """A link is completed with `publicToken`, or with `code` and `state`."""

    code = "BANK_ANSWER_INCOMPLETE"
    default_message = "Give the public token, or the code and the state, with which the bank has sent you back."


class BankRefused(AppError):
    """The provider does not accept this installation: its operator has to look after it."""

    code = "BANK_REFUSED"
    default_message = "The bank refuses this installation. Its operator has to look after it."


class BankConnectionNotFound(AppError):
    code = "BANK_CONNECTION_NOT_FOUND"
    default_message = "There is no such connection."


class BankConnectionEnded(AppError):
    """The connection was removed. Linking the bank again finds its accounts."""

    code = "BANK_CONNECTION_ENDED"
    default_message = "This connection was removed. Link the bank again."


class SyncTooSoon(AppError):
    """A connection is fetched from by hand at most once a minute."""

    code = "SYNC_TOO_SOON"
    default_message = "This was fetched a moment ago. Try again in a minute."

    retry_after_seconds: Annotated[int, "How long to wait."]

    def __init__(self, retry_after_seconds: int = 60, *, field: str | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(field=field)
