"""A user's own word on a transaction, and on the categories."""

from uuid import UUID

import strawberry

from domains.core.idempotency import check_idempotency_key
from domains.flows import change_categories as categories
from domains.flows import decide_review as deciding
from domains.flows import delete_transaction as deletion
from domains.flows import pair_transactions
from domains.flows import update_transaction as flow
from domains.transaction import errors
from resolvers.fields import Hidden, Info, Input, Payload, expose, extends, from_global_id, given_id, link, mutation, payload, to_global_id
from resolvers.transaction.inputs import (
    CategoryCreateInput,
    CategoryDeleteInput,
    CategoryUpdateInput,
    TransactionDeleteInput,
    TransactionMarkDuplicateInput,
    TransactionPairTransferInput,
    TransactionRestoreInput,
    TransactionReviewDecideInput,
    TransactionUpdateInput,
    read_change,
    read_creation,
    read_deletion,
    read_update,
)

expose(errors)


@payload
class TransactionUpdatePayload(Payload):
    """The transaction as it is now, or why it stays as it was."""

    transaction_id: Hidden[UUID | None] = None
    transaction = link("Transaction", key="transaction_id", description="The transaction; null when nothing was changed for an error.")


@payload
class TransactionPairTransferPayload(Payload):
    """What left the one account, with the transfer that it is in now, or why it is in none."""

    transaction_id: Hidden[UUID | None] = None
    transaction = link("Transaction", key="transaction_id", description="The debit; null when nothing was changed for an error.")


@payload
class TransactionMarkDuplicatePayload(Payload):
    """The duplicate, or why it is none."""

    transaction_id: Hidden[UUID | None] = None
    transaction = link("Transaction", key="transaction_id", description="The duplicate; null when nothing was changed for an error.")


@payload
class TransactionDeletePayload(Payload):
    """What the bin has of it, or why it is there still."""

    deleted_id: Hidden[UUID | None] = None
    deleted_transaction = link("DeletedTransaction", key="deleted_id", description="What can be had back; null when nothing was deleted.")


@payload
class TransactionRestorePayload(Payload):
    """The transaction as it is now, or why it stays deleted."""

    transaction_id: Hidden[UUID | None] = None
    transaction = link("Transaction", key="transaction_id", description="The transaction; null when it was not restored for an error.")


@payload
class TransactionReviewDecidePayload(Payload):
    """The review as it is now, or why nothing was decided."""

    review_id: Hidden[UUID | None] = None
    transaction_review = link("TransactionReview", key="review_id", description="The review; null when nothing was decided for an error.")


@payload
class CategoryCreatePayload(Payload):
    """The new category, or why there is none."""

    category_id: Hidden[str | None] = None
    category = link("Category", key="category_id", description="The category; null when it was refused.")


@payload
class CategoryUpdatePayload(Payload):
    """The category as you have it now, or why it stays as it was."""

    category_id: Hidden[str | None] = None
    category = link("Category", key="category_id", description="The category; null when nothing was changed for an error.")


@payload
class CategoryDeletePayload(Payload):
    """What is gone, or why nothing is."""

    deleted_category_id: strawberry.ID | None = strawberry.field(default=None, description="The id of the category that is gone.")


@extends("Mutation")
class TransactionMutations:
    @mutation
    async def transaction_update(self, info: Info, input: Input[TransactionUpdateInput]) -> TransactionUpdatePayload:
        """Give a transaction another category, name, description, notes or tags. No import and no sync takes them back.

        A new category moves the budgets before this answers; `budgetUpdated` tells of each.
        Errors: TransactionNotFound, CategoryNotFound, MerchantNameInvalid, DescriptionInvalid, NotesTooLong, TagInvalid.
        """
        command = read_update(input)
        transaction_id = await flow.update_transaction(info.context.services, info.context.required_viewer, command)
        return TransactionUpdatePayload(transaction_id=transaction_id)

    @mutation
    async def transaction_pair_transfer(self, info: Info, input: Input[TransactionPairTransferInput]) -> TransactionPairTransferPayload:
        """Say that two transactions are one transfer between your accounts. It stays so while both are there; asking again changes nothing.

        Budgets move before this answers. To take it apart, decide its review.
        Errors: TransactionNotFound, PairImpossible, TransactionPaired.
        """
        debit_id, credit_id = given_id(input.debit_id, "Transaction"), given_id(input.credit_id, "Transaction")
        await pair_transactions.pair_transfer(info.context.services, info.context.required_viewer, debit_id, credit_id)
        return TransactionPairTransferPayload(transaction_id=debit_id)

    @mutation
    async def transaction_mark_duplicate(self, info: Info, input: Input[TransactionMarkDuplicateInput]) -> TransactionMarkDuplicatePayload:
        """Say that a transaction stands for another one that is there already. It counts in no sum then; it stays visible.

        Budgets move before this answers. A transfer that it was in is taken apart. To take it back, decide its review.
        Errors: TransactionNotFound, PairImpossible.
        """
        transaction_id, of_id = given_id(input.id, "Transaction"), given_id(input.of_id, "Transaction")
        await pair_transactions.mark_duplicate(info.context.services, info.context.required_viewer, transaction_id, of_id)
        return TransactionMarkDuplicatePayload(transaction_id=transaction_id)

    @mutation
    async def transaction_delete(self, info: Info, input: Input[TransactionDeleteInput]) -> TransactionDeletePayload:
        """Delete a transaction. Whatever its bank says, it does not return; for thirty days you can have it back. Asking again is no error.

        Budgets move before this answers.
        Errors: TransactionNotFound.
        """
        transaction_id = given_id(input.id, "Transaction")
        await deletion.delete_transaction(info.context.services, info.context.required_viewer, transaction_id)
        return TransactionDeletePayload(deleted_id=transaction_id)

    @mutation
    async def transaction_restore(self, info: Info, input: Input[TransactionRestoreInput]) -> TransactionRestorePayload:
        """Have a deleted transaction back, with its id and all that you said of it, and as the bank says it by now.

        Budgets move before this answers. One that is there already stays as it is.
        Errors: TransactionNotFound, TransactionMonthClosed.
        """
        in_bin = from_global_id(input.id, "DeletedTransaction")
        transaction_id = given_id(input.id, "Transaction") if in_bin is None else in_bin
        await deletion.restore_transaction(info.context.services, info.context.required_viewer, transaction_id)
        return TransactionRestorePayload(transaction_id=transaction_id)

    @mutation
    async def transaction_review_decide(self, info: Info, input: Input[TransactionReviewDecideInput]) -> TransactionReviewDecidePayload:
        """Say what is to become of something in doubt. The same answer again is no error.

        POSTING: accepted, what was booked goes on as the pending transaction, with its id and all that you said of either.
        REMOVAL: accepted, it is deleted and can be had back; rejected, it is yours, and no bank takes it away.
        TRANSFER, DUPLICATE: so it is, or not; you may change your mind, also of what was decided without asking you.
        Budgets move before this answers.
        Errors: ReviewNotFound, ReviewDecided, PairImpossible, TransactionPaired.
        """
        review_id = given_id(input.id, "TransactionReview")
        await deciding.decide_review(info.context.services, info.context.required_viewer, review_id, accept=input.accept)
        return TransactionReviewDecidePayload(review_id=review_id)

    @mutation
    async def category_create(self, info: Info, input: Input[CategoryCreateInput]) -> CategoryCreatePayload:
        """Make a category of your own. Nobody else sees it, and whatever takes a category takes it.

        Errors: CategoryNameInvalid, CategoryNameTaken, CategoryLooksInvalid, CategoryParentInvalid, CategoryTypeInvalid,
        CategoryLimitReached, IdempotencyKeyInvalid, IdempotencyKeyReused.
        """
        key = check_idempotency_key(input.idempotency_key)
        category_id = await categories.create_category(info.context.services, info.context.required_viewer, read_creation(input), key)
        return CategoryCreatePayload(category_id=category_id)

    @mutation
    async def category_update(self, info: Info, input: Input[CategoryUpdateInput]) -> CategoryUpdatePayload:
        """Change a category of your own, or how one that everybody has looks to you.

        Another parent moves budgets before this answers.
        Errors: CategoryNotFound, CategoryNotOwn, CategoryNameInvalid, CategoryNameTaken, CategoryLooksInvalid, CategoryParentInvalid,
        CategoryTypeInvalid.
        """
        command = read_change(input)
        await categories.update_category(info.context.services, info.context.required_viewer, command)
        return CategoryUpdatePayload(category_id=command.category_id)

    @mutation
    async def category_delete(self, info: Info, input: Input[CategoryDeleteInput]) -> CategoryDeletePayload:
        """Delete a category of your own. Its transactions go to `moveTo`, else each back to its automatic category; budgets follow.

        Errors: CategoryNotFound, CategoryNotOwn, CategoryHasChildren, CategoryHasBudget, CategoryTypeInvalid.
        """
        command = read_deletion(input)
        await categories.delete_category(info.context.services, info.context.required_viewer, command)
        return CategoryDeletePayload(deleted_category_id=strawberry.ID(to_global_id("Category", command.category_id)))
