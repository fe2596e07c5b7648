"""Plaid's personal-finance categories as ours, which are its first version's.

Plaid has a second version since 2025; customers who came after that get it whatever they ask for. Its new ids are told here in the
words of the first. Sources: Plaid's taxonomy tables of both versions, and their descriptions of the confidence levels.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

#: Primary -> the rest of the ids of its details.
_VERSION_1: Final = {
    "INCOME": "WAGES DIVIDENDS INTEREST_EARNED RETIREMENT_PENSION TAX_REFUND UNEMPLOYMENT OTHER_INCOME",
    "TRANSFER_IN": "ACCOUNT_TRANSFER SAVINGS DEPOSIT INVESTMENT_AND_RETIREMENT_FUNDS CASH_ADVANCES_AND_LOANS OTHER_TRANSFER_IN",
    "TRANSFER_OUT": "ACCOUNT_TRANSFER SAVINGS WITHDRAWAL INVESTMENT_AND_RETIREMENT_FUNDS OTHER_TRANSFER_OUT",
    "LOAN_PAYMENTS": "MORTGAGE_PAYMENT CREDIT_CARD_PAYMENT CAR_PAYMENT STUDENT_LOAN_PAYMENT PERSONAL_LOAN_PAYMENT OTHER_PAYMENT",
    "BANK_FEES": "ATM_FEES FOREIGN_TRANSACTION_FEES INSUFFICIENT_FUNDS INTEREST_CHARGE OVERDRAFT_FEES OTHER_BANK_FEES",
    "ENTERTAINMENT": "TV_AND_MOVIES MUSIC_AND_AUDIO VIDEO_GAMES SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS CASINOS_AND_GAMBLING"
    " OTHER_ENTERTAINMENT",
    "FOOD_AND_DRINK": "GROCERIES RESTAURANT COFFEE FAST_FOOD BEER_WINE_AND_LIQUOR VENDING_MACHINES OTHER_FOOD_AND_DRINK",
    "GENERAL_MERCHANDISE": "SUPERSTORES ONLINE_MARKETPLACES CLOTHING_AND_ACCESSORIES ELECTRONICS DEPARTMENT_STORES DISCOUNT_STORES"
    " CONVENIENCE_STORES BOOKSTORES_AND_NEWSSTANDS GIFTS_AND_NOVELTIES OFFICE_SUPPLIES PET_SUPPLIES SPORTING_GOODS TOBACCO_AND_VAPE"
    " OTHER_GENERAL_MERCHANDISE",
    "HOME_IMPROVEMENT": "FURNITURE HARDWARE REPAIR_AND_MAINTENANCE SECURITY OTHER_HOME_IMPROVEMENT",
    "MEDICAL": "PRIMARY_CARE DENTAL_CARE EYE_CARE PHARMACIES_AND_SUPPLEMENTS NURSING_CARE VETERINARY_SERVICES OTHER_MEDICAL",
    "PERSONAL_CARE": "GYMS_AND_FITNESS_CENTERS HAIR_AND_BEAUTY LAUNDRY_AND_DRY_CLEANING OTHER_PERSONAL_CARE",
    "GENERAL_SERVICES": "INSURANCE EDUCATION CHILDCARE AUTOMOTIVE ACCOUNTING_AND_FINANCIAL_PLANNING CONSULTING_AND_LEGAL"
    " POSTAGE_AND_SHIPPING STORAGE OTHER_GENERAL_SERVICES",
    "GOVERNMENT_AND_NON_PROFIT": "TAX_PAYMENT DONATIONS GOVERNMENT_DEPARTMENTS_AND_AGENCIES OTHER_GOVERNMENT_AND_NON_PROFIT",
    "TRANSPORTATION": "GAS PUBLIC_TRANSIT TAXIS_AND_RIDE_SHARES PARKING TOLLS BIKES_AND_SCOOTERS OTHER_TRANSPORTATION",
    "TRAVEL": "FLIGHTS LODGING RENTAL_CARS OTHER_TRAVEL",
    "RENT_AND_UTILITIES": "RENT GAS_AND_ELECTRICITY WATER INTERNET_AND_CABLE TELEPHONE SEWAGE_AND_WASTE_MANAGEMENT OTHER_UTILITIES",
}
PRIMARIES: Final = frozenset(_VERSION_1)
DETAILS: Final = frozenset(f"{primary}_{rest}" for primary, details in _VERSION_1.items() for rest in details.split())

#: Ids that only the second version has -> what the first calls it.
VERSION_2: Final = {
    "INCOME_SALARY": "INCOME_WAGES",
    "INCOME_MILITARY": "INCOME_WAGES",
    "INCOME_GIG_ECONOMY": "INCOME_WAGES",
    "INCOME_CONTRACTOR": "INCOME_WAGES",
    "INCOME_RENTAL": "INCOME_OTHER_INCOME",
    "INCOME_CHILD_SUPPORT": "INCOME_OTHER_INCOME",
    "INCOME_LONG_TERM_DISABILITY": "INCOME_OTHER_INCOME",
    "INCOME_OTHER": "INCOME_OTHER_INCOME",
    "TRANSFER_IN_TRANSFER_IN_FROM_APPS": "TRANSFER_IN_ACCOUNT_TRANSFER",
    "TRANSFER_IN_WIRE": "TRANSFER_IN_ACCOUNT_TRANSFER",
    "TRANSFER_OUT_TRANSFER_OUT_FROM_APPS": "TRANSFER_OUT_ACCOUNT_TRANSFER",
    "TRANSFER_OUT_WIRE": "TRANSFER_OUT_ACCOUNT_TRANSFER",
    "TRANSFER_OUT_CRYPTO": "TRANSFER_OUT_INVESTMENT_AND_RETIREMENT_FUNDS",
    "LOAN_PAYMENTS_BNPL": "LOAN_PAYMENTS_OTHER_PAYMENT",
    "LOAN_PAYMENTS_CASH_ADVANCES": "LOAN_PAYMENTS_OTHER_PAYMENT",
    "LOAN_PAYMENTS_EWA": "LOAN_PAYMENTS_OTHER_PAYMENT",
    "BANK_FEES_LATE_FEES": "BANK_FEES_OTHER_BANK_FEES",
    "BANK_FEES_CASH_ADVANCE": "BANK_FEES_OTHER_BANK_FEES",
}
#: A primary of the second version: money that was lent and arrives.
_LENT: Final = "LOAN_DISBURSEMENTS"
_LENT_IS: Final = "TRANSFER_IN_CASH_ADVANCES_AND_LOANS"

#: Plaid says "more than 98 % sure" of VERY_HIGH and "more than 90 %" of HIGH; the others it has only words for. MEDIUM ("moderately")
#: is where a bank's word begins to be believed before the default rules; LOW ("alternatives are likely") and UNKNOWN come after them.
CONFIDENCE: Final = {
    "VERY_HIGH": Decimal("0.98"),
    "HIGH": Decimal("0.90"),
    "MEDIUM": Decimal("0.70"),
    "LOW": Decimal("0.40"),
    "UNKNOWN": Decimal("0.50"),
}


def category_of(said: object) -> tuple[str | None, Decimal | None]:
    """Our id for a `personal_finance_category`, and how sure Plaid is (None where it does not say).

    An unknown detail is its primary; an unknown primary is none at all, and then nothing is sure.
    """
    if not isinstance(said, Mapping):
        return None, None
    found = _id_of(said.get("detailed"), said.get("primary"))
    return (found, _confidence_of(said)) if found is not None else (None, None)


def _id_of(detailed: object, primary: object) -> str | None:
    if isinstance(detailed, str):
        if detailed in DETAILS:
            return detailed
        if detailed in VERSION_2:
            return VERSION_2[detailed]
    if primary == _LENT:
        return _LENT_IS
    return primary if isinstance(primary, str) and primary in PRIMARIES else None


def _confidence_of(said: Mapping[str, Any]) -> Decimal | None:
    level = said.get("confidence_level")
    return CONFIDENCE.get(level) if isinstance(level, str) else None
