"""Tables of `analytics_schema`: what is known about merchants in general. Nothing here tells of one user."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, Integer, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.base import CATEGORY, CONFIDENCE, INSTANT, MAPPER, created_at, metadata_of, not_negative, one_of, share, table_of, updated_at, word


class Base(DeclarativeBase):
    metadata = metadata_of("analytics")
    __mapper_args__ = MAPPER


class MerchantCategory(Base):
    """The category that a merchant's transactions get. Shared by all users, hence without samples of anybody's text."""

    __tablename__ = "merchant_categories"
    __table_args__ = (
        one_of("categorized_by", "llm", "user", "rule"),
        share("confidence"),
        *not_negative("user_count"),
        Index("ix_merchant_categories_category", "category"),
    )

    merchant_name: Mapped[str] = mapped_column(String(255), primary_key=True)
    category: Mapped[str] = mapped_column(CATEGORY)
    category_detailed: Mapped[str | None] = mapped_column(CATEGORY)
    confidence: Mapped[Decimal | None] = mapped_column(CONFIDENCE)
    categorized_by: Mapped[str] = word(50, "llm")
    user_count: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    last_seen_at: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))
    created_at: Mapped[datetime] = created_at()
    updated_at: Mapped[datetime] = updated_at()


merchant_categories = table_of(MerchantCategory)
