"""Files on their way in: encrypted before they touch the disk, opened only to be read."""

import hashlib
from datetime import timedelta
from uuid import UUID

from db.bank import queries
from db.engines import Viewer
from domains.bank.errors import UploadNotFound
from domains.bank.service import import_statements as service
from domains.core.cipher import DecryptionFailed
from domains.core.ids import new_id
from domains.flows.services import Services

TABLE = "bank_schema.uploads"
COLUMN = "ciphertext"


async def store_upload(services: Services, viewer: Viewer, data: bytes, filename: str, content_type: str | None) -> UUID:
    """Keep a file for an import; answers its id. It is dropped by the import, or after a day. Errors: UploadsWaiting."""
    sealed = service.SealedUpload(
        id=new_id(),
        filename=filename,
        content_type=content_type,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        ciphertext=await services.cipher.encrypt(viewer.user_id, TABLE, COLUMN, data),
        expires_at=services.clock.now() + timedelta(seconds=services.options.upload_kept_s),
    )
    async with services.db.write("bank", viewer) as session:
        await service.store_upload(session, sealed)
    return sealed.id


async def open_upload(services: Services, viewer: Viewer, upload_id: UUID) -> tuple[str, bytes]:
    """The name and the plain content of the viewer's upload. Errors: UploadNotFound."""
    async with services.db.write("bank", viewer) as session:
        upload = await queries.find_upload(session, upload_id)
    if upload is None:
        raise UploadNotFound(field="uploadId")
    try:
        return upload.filename, await services.cipher.decrypt(viewer.user_id, TABLE, COLUMN, upload.ciphertext)
    except DecryptionFailed as error:
        raise UploadNotFound(field="uploadId") from error


async def drop_upload(services: Services, viewer: Viewer, upload_id: UUID) -> None:
    async with services.db.write("bank", viewer) as session:
        await queries.delete_upload(session, upload_id)
