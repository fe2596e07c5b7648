"""Statements on their way in."""

from uuid import UUID

from domains.bank import errors
from domains.core.idempotency import check_idempotency_key
from domains.flows.import_statement import request_import
from resolvers.bank.inputs import StatementImportInput, read_options
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload

expose(errors)


@payload
class StatementImportPayload(Payload):
    """The import that was begun, or why the file is refused."""

    import_id: Hidden[UUID | None] = None
    statement_import = link("StatementImport", key="import_id", description="The import; null when the file is refused.")


@extends("Mutation")
class BankMutations:
    @mutation
    async def statement_import(self, info: Info, input: Input[StatementImportInput]) -> StatementImportPayload:
        """Take in a statement that was uploaded (`POST /uploads`: OFX, QFX or CSV, at most 10 MiB).

        The file is read before this answers: a broken one is refused whole, StatementRejected naming the line, and nothing of it
        stays. Its rows are taken in by a worker; follow `status` with `statementImportUpdated`. Importing a file again adds nothing.
        Errors: UploadNotFound, StatementRejected, StatementOptionsInvalid, IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        viewer = info.context.required_viewer
        key = check_idempotency_key(input.idempotency_key)
        upload_id = given_id(input.upload_id, "Upload")
        import_id = await request_import(info.context.services, viewer, upload_id, read_options(input.options), key)
        return StatementImportPayload(import_id=import_id)
