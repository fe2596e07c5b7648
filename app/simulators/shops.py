"""Where the customer of a simulated bank spends: invented shops, with categories by their ids in Plaid's taxonomy."""

from typing import Final, NamedTuple


class Shop(NamedTuple):
    """`text`: how the bank writes it, with a number after it. `low`, `high`: what one spends there, in whole units."""

    text: str
    merchant: str
    category: str
    low: int
    high: int


SHOPS: Final = (
    Shop("GREENLEAF MARKET", "Greenleaf Market", "FOOD_AND_DRINK_GROCERIES", 12, 140),
    Shop("CORNER PANTRY", "Corner Pantry", "FOOD_AND_DRINK_GROCERIES", 4, 45),
    Shop("HARBOR COFFEE CO", "Harbor Coffee Co", "FOOD_AND_DRINK_COFFEE", 3, 9),
    Shop("SQ *BLUE DOOR BAKERY", "Blue Door Bakery", "FOOD_AND_DRINK_COFFEE", 3, 14),
    Shop("TST* THE COPPER POT", "The Copper Pot", "FOOD_AND_DRINK_RESTAURANT", 18, 90),
    Shop("NOODLE LANE", "Noodle Lane", "FOOD_AND_DRINK_RESTAURANT", 9, 35),
    Shop("NORTHSTAR FUEL", "Northstar Fuel", "TRANSPORTATION_GAS", 20, 75),
    Shop("CITY TRANSIT AUTH", "City Transit", "TRANSPORTATION_PUBLIC_TRANSIT", 2, 6),
    Shop("PAPERPLANE ONLINE", "Paperplane", "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES", 8, 160),
    Shop("LANTERN PHARMACY", "Lantern Pharmacy", "MEDICAL_PHARMACIES_AND_SUPPLEMENTS", 5, 60),
    Shop("MARQUEE CINEMA", "Marquee Cinema", "ENTERTAINMENT_TV_AND_MOVIES", 11, 40),
    Shop("TUNEBOX", "Tunebox", "ENTERTAINMENT_MUSIC_AND_AUDIO", 9, 12),
)
WAGES: Final = Shop("ACORN WORKS PAYROLL", "Acorn Works", "INCOME_WAGES", 2400, 2600)
RENT: Final = Shop("MAPLE COURT RENTALS", "Maple Court Rentals", "RENT_AND_UTILITIES_RENT", 1350, 1350)
TO_SAVINGS: Final = Shop("TRANSFER TO SAVINGS", "", "TRANSFER_OUT_SAVINGS", 50, 300)
FROM_CHECKING: Final = Shop("TRANSFER FROM CHECKING", "", "TRANSFER_IN_SAVINGS", 50, 300)
CARD_PAYMENT: Final = Shop("CARD PAYMENT", "", "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT", 100, 600)
PAYMENT_RECEIVED: Final = Shop("PAYMENT THANK YOU", "", "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT", 100, 600)
