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
