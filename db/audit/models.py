"""Tables of `audit_schema`."""

from sqlalchemy.orm import DeclarativeBase

from db.base import MAPPER, metadata_of


class Base(DeclarativeBase):
    metadata = metadata_of("audit")
    __mapper_args__ = MAPPER
