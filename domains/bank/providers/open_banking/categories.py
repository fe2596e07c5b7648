"""What a bank's codes say about the category. No I/O.

Merchant category codes are those of ISO 18245, purposes those of ISO 20022 (ExternalCategoryPurpose1Code); only codes that say it
beyond doubt are here. Categories are ids of the taxonomy that all providers' are mapped to.
"""

from collections.abc import Mapping
from typing import Any, Final

from domains.bank.providers import reading

#: Ranges and single codes, first and last included.
_MERCHANTS: Final[tuple[tuple[int, int, str], ...]] = (
    (3000, 3299, "TRAVEL_FLIGHTS"),
    (3351, 3441, "TRAVEL_RENTAL_CARS"),
    (3501, 3999, "TRAVEL_LODGING"),
    (4111, 4112, "TRANSPORTATION_PUBLIC_TRANSIT"),
    (4121, 4121, "TRANSPORTATION_TAXIS_AND_RIDE_SHARES"),
    (4131, 4131, "TRANSPORTATION_PUBLIC_TRANSIT"),
    (4215, 4215, "GENERAL_SERVICES_POSTAGE_AND_SHIPPING"),
    (4225, 4225, "GENERAL_SERVICES_STORAGE"),
    (4511, 4511, "TRAVEL_FLIGHTS"),
    (4722, 4722, "TRAVEL_OTHER_TRAVEL"),
    (4784, 4784, "TRANSPORTATION_TOLLS"),
    (4812, 4814, "RENT_AND_UTILITIES_TELEPHONE"),
    (4899, 4899, "RENT_AND_UTILITIES_INTERNET_AND_CABLE"),
    (5200, 5200, "HOME_IMPROVEMENT_HARDWARE"),
    (5251, 5251, "HOME_IMPROVEMENT_HARDWARE"),
    (5310, 5310, "GENERAL_MERCHANDISE_DISCOUNT_STORES"),
    (5311, 5311, "GENERAL_MERCHANDISE_DEPARTMENT_STORES"),
    (5411, 5411, "FOOD_AND_DRINK_GROCERIES"),
    (5462, 5462, "FOOD_AND_DRINK_GROCERIES"),
    (5499, 5499, "FOOD_AND_DRINK_GROCERIES"),
    (5541, 5542, "TRANSPORTATION_GAS"),
    (5552, 5552, "TRANSPORTATION_GAS"),
    (5611, 5699, "GENERAL_MERCHANDISE_CLOTHING_AND_ACCESSORIES"),
    (5712, 5712, "HOME_IMPROVEMENT_FURNITURE"),
    (5732, 5732, "GENERAL_MERCHANDISE_ELECTRONICS"),
    (5812, 5812, "FOOD_AND_DRINK_RESTAURANT"),
    (5813, 5813, "FOOD_AND_DRINK_BEER_WINE_AND_LIQUOR"),
    (5814, 5814, "FOOD_AND_DRINK_FAST_FOOD"),
    (5816, 5816, "ENTERTAINMENT_VIDEO_GAMES"),
    (5912, 5912, "MEDICAL_PHARMACIES_AND_SUPPLEMENTS"),
    (5921, 5921, "FOOD_AND_DRINK_BEER_WINE_AND_LIQUOR"),
    (5941, 5941, "GENERAL_MERCHANDISE_SPORTING_GOODS"),
    (5942, 5942, "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS"),
    (5943, 5943, "GENERAL_MERCHANDISE_OFFICE_SUPPLIES"),
    (5947, 5947, "GENERAL_MERCHANDISE_GIFTS_AND_NOVELTIES"),
    (5993, 5993, "GENERAL_MERCHANDISE_TOBACCO_AND_VAPE"),
    (5994, 5994, "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS"),
    (5995, 5995, "GENERAL_MERCHANDISE_PET_SUPPLIES"),
    (6010, 6011, "TRANSFER_OUT_WITHDRAWAL"),
    (6300, 6300, "GENERAL_SERVICES_INSURANCE"),
    (7011, 7011, "TRAVEL_LODGING"),
    (7210, 7216, "PERSONAL_CARE_LAUNDRY_AND_DRY_CLEANING"),
    (7230, 7230, "PERSONAL_CARE_HAIR_AND_BEAUTY"),
    (7512, 7512, "TRAVEL_RENTAL_CARS"),
    (7523, 7523, "TRANSPORTATION_PARKING"),
    (7538, 7538, "GENERAL_SERVICES_AUTOMOTIVE"),
    (7832, 7832, "ENTERTAINMENT_TV_AND_MOVIES"),
    (7922, 7922, "ENTERTAINMENT_OTHER_ENTERTAINMENT"),
    (7991, 7991, "ENTERTAINMENT_SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS"),
    (7995, 7995, "ENTERTAINMENT_CASINOS_AND_GAMBLING"),
    (7996, 7996, "ENTERTAINMENT_SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS"),
    (7997, 7997, "PERSONAL_CARE_GYMS_AND_FITNESS_CENTERS"),
    (8011, 8011, "MEDICAL_PRIMARY_CARE"),
    (8021, 8021, "MEDICAL_DENTAL_CARE"),
    (8042, 8043, "MEDICAL_EYE_CARE"),
    (8211, 8299, "GENERAL_SERVICES_EDUCATION"),
    (8351, 8351, "GENERAL_SERVICES_CHILDCARE"),
    (8398, 8398, "GOVERNMENT_AND_NON_PROFIT_DONATIONS"),
    (9311, 9311, "GOVERNMENT_AND_NON_PROFIT_TAX_PAYMENT"),
)
_BY_MERCHANT: Final[Mapping[int, str]] = {code: category for first, last, category in _MERCHANTS for code in range(first, last + 1)}
_BY_PURPOSE: Final[Mapping[tuple[str, str], str]] = {
    ("SALA", "credit"): "INCOME_WAGES",
    ("BONU", "credit"): "INCOME_WAGES",
    ("PENS", "credit"): "INCOME_RETIREMENT_PENSION",
    ("DIVI", "credit"): "INCOME_DIVIDENDS",
    ("INTE", "credit"): "INCOME_INTEREST_EARNED",
    ("INTE", "debit"): "BANK_FEES_INTEREST_CHARGE",
    ("TAXS", "debit"): "GOVERNMENT_AND_NON_PROFIT_TAX_PAYMENT",
    ("CCRD", "debit"): "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT",
}


def category_of(row: Mapping[str, Any], place: str, direction: str) -> str | None:
    """A category id, or None where the codes do not say. Errors: ProviderGarbled."""
    details = reading.record(row.get("MerchantDetails") or {}, f"{place}.MerchantDetails")
    code = reading.optional_word(details.get("MerchantCategoryCode"), f"{place}.MerchantDetails.MerchantCategoryCode")
    if code is not None and code.isdecimal() and len(code) <= 4 and int(code) in _BY_MERCHANT:
        return _BY_MERCHANT[int(code)]
    purpose = reading.optional_word(row.get("CategoryPurposeCode"), f"{place}.CategoryPurposeCode")
    return _BY_PURPOSE.get((purpose or "", direction))
