"""Transactions and their categories, what recurs among them, what they come to per month."""

import enum
from datetime import date, datetime
from decimal import Decimal

import strawberry

from resolvers.fields import JSON, CurrencyCode, Node, choice, column, entity, link, links, money, page, value
from resolvers.transaction.inputs import (
    SORTS,
    CategoryType,
    RecurringFrequency,
    TransactionDirection,
    TransactionFieldName,
    TransactionFieldSource,
    TransactionFilter,
    TransactionReviewDecider,
    TransactionReviewKind,
    TransactionReviewReason,
    TransactionReviewState,
    TransactionStatus,
)


@strawberry.enum(description="Who chose a transaction's category.")
class CategoryMethod(enum.Enum):
    AUTO = choice("auto", "The bank, or what is known of the merchant.")
    USER = choice("user", "You. No import changes it.")
    RULE = choice("rule", "A rule.")


@entity(loader="transaction.category_by_id", key=str)
class Category(Node):
    """What money is spent on or comes from: a tree of two levels, as it looks to you. There are your own in it too."""

    display_name = column(str, description="What to call it.")
    icon = column(str | None, description="The name of an icon.")
    color = column(str | None, description="A colour, `#rrggbb`.")
    type = column(CategoryType, description="What money of it does.")
    sort_order = column(int, description="Its place among all categories, the lowest first; children follow their parent.")
    is_own = column(bool, description="Whether it is yours alone, not one that everybody has.")
    is_hidden = column(bool, description="Whether you want it left out of lists to choose from. What is in it counts all the same.")
    parent = link("Category", key="parent_id", description="The category it is a finer kind of; null at the top.")
    children = links(
        "Category",
        loader="transaction.categories_by_parent",
        size=3,
        description="Its finer kinds, yours and hidden ones too, in the order to show.",
    )


@value
class TransactionLocation:
    """Where a transaction was made, as far as the bank says."""

    address = column(str | None, description="Street and number.")
    city = column(str | None, description="The city.")
    region = column(str | None, description="The state, province or the like.")
    postal_code = column(str | None, description="The postal code.")
    country = column(str | None, description="A code of ISO 3166, such as `DE`.")
    latitude = column(float | None, description="In degrees, north of the equator.")
    longitude = column(float | None, description="In degrees, east of Greenwich.")


@value
class TransactionPayment:
    """How a transaction was paid: what the bank says of it beside the texts."""

    type = column(str | None, description="The bank's word for the kind of payment.")
    check_number = column(str | None, description="The number of the check.")
    reference = column(str | None, description="The bank's or the payer's reference.")
    original_currency = column(str | None, description="What it was in before the bank converted it.")
    currency_rate = column(str | None, description="The bank's rate from that currency, as the bank wrote it.")
    value_date = column(str | None, description="The day from which the bank counts it for interest, as the bank wrote it.")
    security = column(str | None, description="What was bought or sold.")
    units = column(str | None, description="How much of it, as the bank wrote it.")
    unit_price = column(str | None, description="At what price each, as the bank wrote it.")
    all = column(JSON, description="Everything that the bank said, the above included.")


@entity(loader="transaction.pattern_by_id")
class RecurringPattern(Node):
    """A series of like transactions: rent, a salary, a subscription."""

    merchant_name = column(str | None, description="Who is at the other end, as far as it is known.")
    amount_min = money(description="The least that one came to.")
    amount_max = money(description="The most that one came to.")
    frequency = column(RecurringFrequency, description="How often it recurs.")
    last_transaction_date = column(date, description="The day of the last one.")
    next_expected_date = column(date, description="The day on which the next one is expected.")
    confidence = column(Decimal | None, description="How sure it is that this recurs, 0 to 1; null where nobody says.")
    transaction_count = column(int, description="How many transactions it was found in.")
    transactions = page(
        "Transaction",
        loader="transaction.page_by_pattern",
        count="transaction.count_by_pattern",
        filter=TransactionFilter,
        sorts=SORTS,
        description="Its transactions, the newest first unless `sort` says otherwise.",
    )
    created_at = column(datetime, description="When it was first found.")
    updated_at = column(datetime, description="When something of it last changed.")


@value
class MonthlySummary:
    """What came to what in a month: one category, one direction, one currency. Posted ones count; transfers and duplicates do not."""

    month = column(date, description="The first day of the month.")
    category = link("Category", key="category", description="The category, without its children; null for what has none.")
    direction = column(TransactionDirection, description="Whether it left the accounts or came in.")
    currency = column(CurrencyCode, description="What its amounts are in.")
    total = money("total_amount", description="The sum, never negative.")
    average = money("avg_amount", description="Of one transaction, with four digits after the point.")
    transaction_count = column(int, description="How many transactions are in it.")
    is_frozen = column(bool, description="Whether its transactions are no longer kept: then it stays as it is for good.")
    updated_at = column(datetime, description="When it was last computed.")


@value
class TransactionTransfer:
    """A movement between two of your own accounts. Neither of its two transactions counts in budgets and sums; both keep their category."""

    other = link("Transaction", key="other_id", description="The other one of the two.")
    from_account = link("BankAccount", key="from_account_id", description="The account that it left.")
    to_account = link("BankAccount", key="to_account_id", description="The account on which it arrived.")
    review = link("TransactionReview", key="id", description="Who paired them, how sure that was, and what to decide to take them apart.")


@value
class TransactionField:
    """Who set a field of a transaction, and whether a bank may change it."""

    name = column(TransactionFieldName, description="Which field.")
    source = column(TransactionFieldSource | None, description="Who set it; null while nobody has.")
    is_locked = column(bool, description="Whether it stays as it is whatever the bank says.")
    set_at = column(datetime | None, description="When you set it; null for what you did not set.")
    confidence = column(Decimal | None, description="How sure an automatic choice is, 0 to 1; null where there is none, or nobody says.")


@entity(loader="transaction.review_by_id")
class TransactionReview(Node):
    """Something in doubt of one transaction or of two: nothing doubtful is done before you say so. What was decided stays here."""

    kind = column(TransactionReviewKind, description="What is in doubt.")
    state = column(TransactionReviewState, description="How far it is.")
    decided_by = column(TransactionReviewDecider | None, description="Who decided; null while nobody has.")
    transaction = link(
        "Transaction",
        key="transaction_id",
        description="The one that it is about: the pending one, what the bank took back, the debit, or the one that is too many. "
        "Null when it is there no more.",
    )
    other = link(
        "Transaction",
        key="other_id",
        description="The other one: what was booked, the credit, or the original. Null for a removal, or when it is there no more.",
    )
    score = column(Decimal | None, description="How likely it is, 0 to 1; null where nobody says.")
    reasons = column(list[TransactionReviewReason], description="What was taken off its score.")
    created_at = column(datetime, description="When it was found.")
    decided_at = column(datetime | None, description="When it was decided; null while it is not.")


@entity(loader="transaction.deleted_by_id")
class DeletedTransaction(Node):
    """A transaction that you deleted, for as long as you can have it back."""

    amount = money(description="How much, never negative; `direction` says which way.")
    direction = column(TransactionDirection, description="Whether it left the account or came in.")
    merchant_name = column(str | None, description="Who was at the other end, as far as it was known.")
    description = column(str | None, description="What it was.")
    transaction_date = column(date, description="The day it counted for.")
    account = link("BankAccount", key="account_id", description="The account it was on.")
    deleted_at = column(datetime, description="When you deleted it.")
    restorable_until = column(datetime, description="Until when you can have it back.")


@entity(loader="transaction.by_id")
class Transaction(Node):
    """A movement on an account."""

    amount = money(description="How much, never negative; `direction` says which way.")
    direction = column(TransactionDirection, description="Whether it left the account or came in.")
    merchant_name = column(str | None, description="Who is at the other end, as far as it is known.")
    merchant_logo_url = column(str | None, description="Where their logo is, where the bank says.")
    description = column(str | None, description="What it was, cleaned for reading.")
    original_description = column(str | None, description="What it was, as the bank wrote it.")
    transaction_date = column(date, description="The day it counts for, in budgets and lists.")
    authorized_date = column(date | None, description="The day it was agreed to, where the bank says.")
    posted_date = column(date | None, description="The day the bank booked it; null while it is pending.")
    status = column(TransactionStatus, description="Whether the bank has booked it.")
    is_pending = column(bool, description="Whether `status` is PENDING.")
    is_duplicate = column(bool, description="Whether it stands for a movement that is there already. Then no sum counts it.")
    duplicate_of = link("Transaction", key="duplicate_of", description="The movement that it stands for once more, where that is known.")
    transfer = link(
        "TransactionTransfer",
        key="id",
        loader="transaction.transfer_by_transaction",
        description="The transfer that it is one end of; null where it is none. What only may be one is in the reviews.",
    )
    is_recurring = column(bool, description="Whether it is one of a recurring pattern.")
    recurring_pattern = link("RecurringPattern", key="recurring_series_id", description="The pattern it is one of.")
    category = link("Category", key="effective_category", description="What it counts as: yours if you chose one, else the automatic one.")
    category_method = column(CategoryMethod, description="Who chose that category.")
    category_confidence = column(Decimal | None, description="How sure the automatic choice is, 0 to 1; null where nobody says.")
    user_category = link("Category", key="user_category", description="The category you chose; null if you did not.")
    automatic_category = link("Category", key="category", description="The category at the top that was chosen automatically.")
    automatic_category_detailed = link("Category", key="category_detailed", description="The finer kind of it, where that is known.")
    notes = column(str | None, description="What you wrote to it.")
    tags = column(list[str], description="The tags you gave it, in your order.")
    fields = links(
        "TransactionField",
        loader="transaction.fields_by_transaction",
        size=8,
        description="Who set each of its fields, and whether the bank may change it.",
    )
    reviews = links(
        "TransactionReview",
        loader="transaction.reviews_by_transaction",
        size=3,
        description="What is in doubt of it, or was decided, the newest first.",
    )
    location = link(
        "TransactionLocation",
        key="id",
        loader="transaction.location_by_transaction",
        description="Where it was made; null where nobody says.",
    )
    payment_meta = link(
        "TransactionPayment", key="id", loader="transaction.payment_by_transaction", description="How it was paid; null where nobody says."
    )
    metadata = column(JSON, description="What else is kept with it.")
    provider = column(str, description="What brought it: `file` for statements, else the name of a service.")
    provider_transaction_id = column(str, description="What that calls it.")
    account = link("BankAccount", key="account_id", description="The account it is on.")
    created_at = column(datetime, description="When it was first seen.")
    updated_at = column(datetime, description="When something of it last changed.")
