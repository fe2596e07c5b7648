"""A user's own word on a transaction."""

from uuid import UUID

import strawberry

from domains.core.changes import UNSET
from domains.flows import update_transaction as flow
from domains.transaction import errors
from domains.transaction.service.update_transaction import UpdateTransaction
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, given_id, link, mutation, payload, text_from_global_id
from resolvers.transaction.inputs import TransactionUpdateInput

expose(errors)


@payload
class TransactionUpdatePayload(Payload):
    """The transaction as it is now, or why it stays as it was."""

    transaction_id: Hidden[UUID | None] = None
    transaction = link("Transaction", key="transaction_id", description="The transaction; null when nothing was changed for an error.")


@extends("Mutation")
class TransactionMutations:
    @mutation
    async def transaction_update(self, info: Info, input: Input[TransactionUpdateInput]) -> TransactionUpdatePayload:
        """Give a transaction another category, notes or tags. No import takes them back.

        A new category moves the budgets before this answers; `budgetUpdated` tells of each.
        Errors: TransactionNotFound, CategoryNotFound, NotesTooLong, TagInvalid.
        """
        command = UpdateTransaction(
            transaction_id=given_id(input.id, "Transaction"),
            category=UNSET if input.category is strawberry.UNSET else _category(input.category),
            notes=UNSET if input.notes is strawberry.UNSET else input.notes,
            tags=UNSET if input.tags is strawberry.UNSET else input.tags or (),
        )
        transaction_id = await flow.update_transaction(info.context.services, info.context.required_viewer, command)
        return TransactionUpdatePayload(transaction_id=transaction_id)


def _category(given: str | None) -> str | None:
    """The category's id; what is no id becomes that of no category."""
    return None if given is None else text_from_global_id(given, "Category") or ""
