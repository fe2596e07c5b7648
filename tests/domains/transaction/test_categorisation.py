"""Which category a row gets when its owner has not said; and the data that says so."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.transaction.reference.categories import CATEGORIES
from domains.transaction import lexicon
from domains.transaction.categorisation import PRIMARIES
from domains.transaction.lexicon import default_lexicon, default_rules, words_of
from domains.transaction.rules import Categorised, MerchantCategory, categorise, clean_merchant, primary_of

PARENTS = {row.id: row.parent_id for row in CATEGORIES}
GROCERIES = "FOOD_AND_DRINK_GROCERIES"


def category_of(description: str, direction: str = "debit", account_type: str | None = "checking") -> str | None:
    return categorise(description, clean_merchant(description), direction, account_type, {}).category_detailed


@pytest.mark.parametrize(
    ("description", "category"),
    [
        ("AMZN Mktp US*2K4AB1234 Amzn.com/bill WA", "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES"),
        ("HEB GAS/CARWASH #950 AUSTIN TX", "TRANSPORTATION_GAS"),
        ("H-E-B #425 AUSTIN TX", GROCERIES),
        ("UBER   *EATS HELP.UBER.COM CA", "FOOD_AND_DRINK_RESTAURANT"),
        ("UBER   *TRIP HELP.UBER.COM CA", "TRANSPORTATION_TAXIS_AND_RIDE_SHARES"),
        ("ENTERPRISE RENT A CAR DALLAS TX", "TRAVEL_RENTAL_CARS"),
        ("WEB PMT BEDFORD PROPERTIES RENT", "RENT_AND_UTILITIES_RENT"),
        ("DIRECT DEBIT HOMESTREET LS LOAN PMT", "LOAN_PAYMENTS_MORTGAGE_PAYMENT"),
        ("AUTOMATIC WITHDRAWAL, ELECTRIC BILL WEB(S )", "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY"),
        ("SEPA-LASTSCHRIFT STADTWERKE BERLIN GMBH ABSCHLAG", "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY"),
        ("KARTENZAHLUNG LÖWENAPOTHEKE//BERLIN/DE", "MEDICAL_PHARMACIES_AND_SUPPLEMENTS"),
        ("KARTENZAHLUNG YORCK KINO//BERLIN/DE", "ENTERTAINMENT_TV_AND_MOVIES"),
        ("PRLV SEPA EDF", "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY"),
        ("COMPRA EN FARMACIA LOPEZ MADRID", "MEDICAL_PHARMACIES_AND_SUPPLEMENTS"),
        ("CHECK CARD PURCHASE JOES DINER", "FOOD_AND_DRINK_RESTAURANT"),
        ("CHASE CREDIT CRD AUTOPAY", "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"),
        ("ONLINE TRANSFER TO SAV XXXXXX8820", "TRANSFER_OUT_SAVINGS"),
        ("ATM WITHDRAWAL 7-ELEVEN", "TRANSFER_OUT_WITHDRAWAL"),
        ("FOREIGN TRANSACTION FEE", "BANK_FEES_FOREIGN_TRANSACTION_FEES"),
        ("INTEREST CHARGE ON PURCHASES", "BANK_FEES_INTEREST_CHARGE"),
        ("SPARPLAN DEPOT MSCI WORLD", "TRANSFER_OUT_INVESTMENT_AND_RETIREMENT_FUNDS"),
        ("CHECK 1001", None),
        ("XYZZY PLUGH", None),
    ],
)
def test_money_that_leaves(description: str, category: str | None) -> None:
    assert category_of(description) == category


@pytest.mark.parametrize(
    ("description", "account_type", "category"),
    [
        ("NORTHWIND LABS DES:PAYROLL ID:XXXXX12345", "checking", "INCOME_WAGES"),
        ("AMAZON.COM SERVICES DES:PAYROLL", "checking", "INCOME_WAGES"),
        ("LOHN/GEHALT MUSTERFIRMA GMBH", "checking", "INCOME_WAGES"),
        ("VIREMENT SALAIRE DURAND SA", "checking", "INCOME_WAGES"),
        ("IRS TREAS 310 DES:TAX REF", "checking", "INCOME_TAX_REFUND"),
        ("INTEREST PAYMENT", "savings", "INCOME_INTEREST_EARNED"),
        ("ERTRAGSGUTSCHRIFT DIVIDENDE ISHARES", "investment", "INCOME_DIVIDENDS"),
        ("AMZN Mktp US Amzn.com/bill WA", "credit", "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES"),
        ("PAYMENT THANK YOU - WEB", "credit", "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"),
        ("AUTOPAY", "credit", "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"),
        ("AUTOPAY", "checking", None),
        ("ONLINE TRANSFER FROM CHK XXXXXX4417", "savings", "TRANSFER_IN_SAVINGS"),
        ("ONLINE TRANSFER FROM CHK XXXXXX4417", "checking", "TRANSFER_IN_ACCOUNT_TRANSFER"),
        ("MOBILE CHECK DEPOSIT 02/23", "checking", "TRANSFER_IN_DEPOSIT"),
        ("PAYROLL ADVANCE REPAID", "checking", "INCOME_WAGES"),
    ],
)
def test_money_that_arrives(description: str, account_type: str, category: str | None) -> None:
    assert category_of(description, "credit", account_type) == category


def test_a_refund_is_in_the_shops_category_but_less_sure() -> None:
    spent = categorise("TARGET T-1234", "Target", "debit", "credit", {})
    back = categorise("TARGET T-1234", "Target", "credit", "credit", {})

    assert (spent.category_detailed, spent.confidence) == ("GENERAL_MERCHANDISE_SUPERSTORES", Decimal("0.95"))
    assert (back.category_detailed, back.confidence) == ("GENERAL_MERCHANDISE_SUPERSTORES", Decimal("0.85"))


def test_nothing_is_said_rather_than_something_wrong() -> None:
    assert categorise("XYZZY PLUGH", "Xyzzy Plugh", "debit", None, {}) == Categorised(None, None, Decimal("0.00"), "auto")


def test_a_sure_provider_wins_over_everything_and_an_unsure_one_over_nothing() -> None:
    known = {"rewe": MerchantCategory("GENERAL_MERCHANDISE", None, Decimal("0.99"))}
    pets = "GENERAL_MERCHANDISE_PET_SUPPLIES"

    sure = categorise("REWE", "REWE", "debit", "checking", known, pets)
    unsure = categorise("REWE", "REWE", "debit", "checking", {}, pets, Decimal("0.40"))
    alone = categorise("XYZZY", "Xyzzy", "debit", "checking", {}, pets, Decimal("0.40"))

    assert sure == Categorised("GENERAL_MERCHANDISE", pets, Decimal("0.95"), "auto")
    assert (unsure.category_detailed, unsure.method) == (GROCERIES, "rule")
    assert alone == Categorised("GENERAL_MERCHANDISE", pets, Decimal("0.40"), "auto")


def test_a_provider_cannot_make_up_a_category_nor_turn_spending_into_income() -> None:
    assert categorise("XYZZY", None, "debit", None, {}, "NOT_A_CATEGORY").category is None
    assert categorise("XYZZY", None, "debit", None, {}, "INCOME_WAGES").category is None
    assert categorise("XYZZY", None, "credit", None, {}, "INCOME_WAGES").category_detailed == "INCOME_WAGES"
    assert categorise("XYZZY", None, "credit", None, {}, "INCOME") == Categorised("INCOME", None, Decimal("0.95"), "auto")


def test_what_is_known_of_a_merchant_wins_over_default_rules_but_not_over_what_the_bank_did() -> None:
    known = {
        "rewe": MerchantCategory("FOOD_AND_DRINK", "FOOD_AND_DRINK_RESTAURANT", Decimal("0.88")),
        "jane doe": MerchantCategory("GENERAL_SERVICES", "GENERAL_SERVICES_CHILDCARE", None),
        "acme": MerchantCategory("INCOME", "INCOME_WAGES", Decimal("0.90")),
    }

    assert categorise("KARTENZAHLUNG REWE", "REWE", "debit", None, known) == Categorised(
        "FOOD_AND_DRINK", "FOOD_AND_DRINK_RESTAURANT", Decimal("0.88"), "auto"
    )
    assert categorise("ZELLE TO JANE DOE", "Jane Doe", "debit", None, known).category_detailed == "TRANSFER_OUT_ACCOUNT_TRANSFER"
    assert categorise("ACME", "Acme", "debit", None, known).category is None
    assert categorise("ACME", "Acme", "credit", None, known).category_detailed == "INCOME_WAGES"


@given(
    st.text(max_size=200),
    st.sampled_from(["debit", "credit"]),
    st.sampled_from([None, "checking", "savings", "credit", "investment", "loan"]),
)
def test_income_only_arrives_and_money_only_goes_the_way_it_is_called(text: str, direction: str, account_type: str | None) -> None:
    found = categorise(text, clean_merchant(text), direction, account_type, {})

    assert found.category is None or found.category == PARENTS[found.category_detailed or ""]
    assert direction == "credit" or found.category not in ("INCOME", "TRANSFER_IN")
    assert direction == "debit" or found.category != "TRANSFER_OUT"
    assert Decimal(0) <= found.confidence <= Decimal(1)


def test_every_rule_names_categories_that_exist_in_the_direction_it_is_for() -> None:
    wrong = []
    for pattern, rule in default_rules():
        said = [category for category in (rule.debit, rule.credit) if category]
        exists = bool(said) and all(PARENTS.get(category) for category in said)
        is_backwards = (rule.debit or "").startswith(("INCOME", "TRANSFER_IN")) or (rule.credit or "").startswith("TRANSFER_OUT")
        if not exists or is_backwards or not Decimal(0) < rule.confidence <= 1:
            wrong.append(pattern)

    assert wrong == []


def test_every_brand_is_found_by_each_of_its_patterns() -> None:
    found = default_lexicon()
    lost = [
        (pattern, rule.name) for pattern, rule in default_rules() if rule.name is not None and rule.name != found.brand(words_of(pattern))
    ]

    assert lost == []


def test_the_rules_are_several_hundred_shops_and_words_of_nearly_all_categories() -> None:
    rules = [rule for _, rule in default_rules()]
    said = {category for rule in rules for category in (rule.debit, rule.credit) if category}

    assert len({rule.name for rule in rules if rule.name}) > 900
    assert len(rules) > 3_500
    assert len(said) == 99  # of 104; the others are what is left over of their kind


def test_primaries_are_those_of_the_category_tree() -> None:
    assert set(PRIMARIES) == {row.id for row in CATEGORIES if row.parent_id is None}
    assert {row.id: primary_of(row.id) for row in CATEGORIES} == {row.id: row.parent_id or row.id for row in CATEGORIES}
    assert primary_of("INCOMES") is None


@pytest.mark.parametrize("row", ["two words*", "abc*", "!!!", "^!"])
def test_a_pattern_that_cannot_be_meant_is_refused(row: str) -> None:
    empty = lexicon.Lexicon({}, {}, {}, {}, {})

    with pytest.raises(ValueError):
        lexicon._add(empty, row, next(iter(default_rules()))[1])


def test_the_same_pattern_twice_is_refused() -> None:
    empty = lexicon.Lexicon({}, {}, {}, {}, {})
    rule = next(iter(default_rules()))[1]
    lexicon._add(empty, "trader joes", rule)

    with pytest.raises(ValueError, match="Two rules"):
        lexicon._add(empty, "Trader Joe's", rule)


def test_rows_like_earlier_ones_are_categorised_at_a_hundred_thousand_a_second() -> None:
    descriptions = [f"POS PURCHASE {number} {shop} AUSTIN TX" for number in range(1000, 1200) for shop in ("SHELL OIL", "JOES DINER")]

    def run() -> float:
        before = time.process_time()
        for _ in range(25):
            for description in descriptions:
                categorise(description, clean_merchant(description), "debit", "checking", {})
        return time.process_time() - before

    run()

    assert 25 * len(descriptions) / min(run() for _ in range(3)) > 100_000
