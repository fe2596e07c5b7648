"""Answers of models, kept so that the same question costs once.

A question with a user's own text in it, and its answer, are that user's: nobody else is ever given them, and they go with the user.
Only one that holds nobody's text may be kept for everybody, which the system's session does.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from db.analytics.queries import answers as queries
from db.analytics.queries.answers import Answer
from db.engines import SystemSession, WriteSession
from domains.analytics import rules


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a model. `type` is categorization, insight or natural_language_query."""

    type: str
    model: str
    text: str

    @property
    def hash(self) -> str:
        return rules.query_hash(self.type, self.model, self.text)


@dataclass(frozen=True, slots=True)
class Said:
    """What the model answered, and what that took. Units: tokens of both ways; US dollars."""

    response: dict[str, Any]
    tokens_used: int | None = None
    cost_usd: Decimal | None = None
    expires_at: datetime | None = None


async def find_answer(session: WriteSession, question: Question) -> Answer | None:
    """The answer to this very question, the viewer's own before everybody's; None when there is none or it has expired.

    Effects: it counts as used once more.
    """
    return await queries.find_answer(session, question.hash)


async def keep_answer(session: SystemSession | WriteSession, question: Question, said: Said) -> bool:
    """Keep an answer: the viewer's in a session of theirs, everybody's in the system's. False when one is there that has not expired.

    Effects: one that has expired is replaced, hits and all.
    """
    values = {
        "query_hash": question.hash,
        "query_text": question.text,
        "query_type": question.type,
        "model": question.model,
        "response": said.response,
        "tokens_used": said.tokens_used,
        "cost_usd": said.cost_usd,
        "expires_at": said.expires_at,
    }
    return await queries.keep_answer(session, values)
