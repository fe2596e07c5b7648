"""The category tree: the ids of Plaid's personal-finance taxonomy (version 1: 16 primaries, 104 details), in our words.

Icons are names of Material Symbols. A change here is loaded by a new migration that calls `migrations.reference.load_categories`.
"""

from typing import Final, NamedTuple


class CategoryRow(NamedTuple):
    """A row of `transaction_schema.categories`."""

    id: str
    parent_id: str | None
    name: str
    display_name: str
    icon: str
    color: str
    type: str
    sort_order: int


class _Group(NamedTuple):
    """A primary category. Details: (the rest of the id, what people read, icon); they share the group's colour and type."""

    id: str
    display_name: str
    icon: str
    color: str
    type: str
    details: tuple[tuple[str, str, str], ...]


#: Paying a card off moves money between one's own accounts; the card's purchases are the expense.
_OWN_TYPE: Final = {"LOAN_PAYMENTS_CREDIT_CARD_PAYMENT": "transfer"}

_GROUPS: Final = (
    _Group(
        "INCOME",
        "Income",
        "payments",
        "#2e7d32",
        "income",
        (
            ("WAGES", "Salary and wages", "work"),
            ("DIVIDENDS", "Dividends", "show_chart"),
            ("INTEREST_EARNED", "Interest earned", "percent"),
            ("RETIREMENT_PENSION", "Pension", "elderly"),
            ("TAX_REFUND", "Tax refund", "receipt_long"),
            ("UNEMPLOYMENT", "Unemployment benefit", "support"),
            ("OTHER_INCOME", "Other income", "add_card"),
        ),
    ),
    _Group(
        "TRANSFER_IN",
        "Money in",
        "south_west",
        "#546e7a",
        "transfer",
        (
            ("ACCOUNT_TRANSFER", "From another account", "sync_alt"),
            ("SAVINGS", "From savings", "savings"),
            ("DEPOSIT", "Deposit", "account_balance"),
            ("INVESTMENT_AND_RETIREMENT_FUNDS", "Into investments", "trending_up"),
            ("CASH_ADVANCES_AND_LOANS", "Loan paid out", "handshake"),
            ("OTHER_TRANSFER_IN", "Other money in", "south_west"),
        ),
    ),
    _Group(
        "TRANSFER_OUT",
        "Money out",
        "north_east",
        "#607d8b",
        "transfer",
        (
            ("ACCOUNT_TRANSFER", "To another account", "sync_alt"),
            ("SAVINGS", "To savings", "savings"),
            ("WITHDRAWAL", "Cash withdrawal", "atm"),
            ("INVESTMENT_AND_RETIREMENT_FUNDS", "To investments", "trending_up"),
            ("OTHER_TRANSFER_OUT", "Other money out", "north_east"),
        ),
    ),
    _Group(
        "LOAN_PAYMENTS",
        "Loans",
        "credit_score",
        "#6d4c41",
        "expense",
        (
            ("MORTGAGE_PAYMENT", "Mortgage", "real_estate_agent"),
            ("CREDIT_CARD_PAYMENT", "Card payment", "credit_card"),
            ("CAR_PAYMENT", "Car loan", "car_rental"),
            ("STUDENT_LOAN_PAYMENT", "Student loan", "school"),
            ("PERSONAL_LOAN_PAYMENT", "Personal loan", "request_quote"),
            ("OTHER_PAYMENT", "Other loan payment", "credit_score"),
        ),
    ),
    _Group(
        "BANK_FEES",
        "Bank fees",
        "account_balance_wallet",
        "#b71c1c",
        "expense",
        (
            ("ATM_FEES", "Cash machine fee", "local_atm"),
            ("FOREIGN_TRANSACTION_FEES", "Foreign transaction fee", "currency_exchange"),
            ("INSUFFICIENT_FUNDS", "Returned payment fee", "money_off"),
            ("INTEREST_CHARGE", "Interest charged", "percent"),
            ("OVERDRAFT_FEES", "Overdraft fee", "trending_down"),
            ("OTHER_BANK_FEES", "Other bank fee", "account_balance_wallet"),
        ),
    ),
    _Group(
        "ENTERTAINMENT",
        "Entertainment",
        "theater_comedy",
        "#8e24aa",
        "expense",
        (
            ("TV_AND_MOVIES", "TV and film", "movie"),
            ("MUSIC_AND_AUDIO", "Music and audio", "headphones"),
            ("VIDEO_GAMES", "Games", "sports_esports"),
            ("SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS", "Events and outings", "attractions"),
            ("CASINOS_AND_GAMBLING", "Gambling", "casino"),
            ("OTHER_ENTERTAINMENT", "Other entertainment", "theater_comedy"),
        ),
    ),
    _Group(
        "FOOD_AND_DRINK",
        "Food and drink",
        "restaurant",
        "#ef6c00",
        "expense",
        (
            ("GROCERIES", "Groceries", "grocery"),
            ("RESTAURANT", "Restaurants", "restaurant"),
            ("COFFEE", "Coffee", "local_cafe"),
            ("FAST_FOOD", "Fast food", "fastfood"),
            ("BEER_WINE_AND_LIQUOR", "Beer, wine and spirits", "liquor"),
            ("VENDING_MACHINES", "Vending machines", "countertops"),
            ("OTHER_FOOD_AND_DRINK", "Other food and drink", "lunch_dining"),
        ),
    ),
    _Group(
        "GENERAL_MERCHANDISE",
        "Shopping",
        "shopping_bag",
        "#1565c0",
        "expense",
        (
            ("SUPERSTORES", "Superstores", "storefront"),
            ("ONLINE_MARKETPLACES", "Online shopping", "shopping_cart"),
            ("CLOTHING_AND_ACCESSORIES", "Clothes and accessories", "checkroom"),
            ("ELECTRONICS", "Electronics", "devices"),
            ("DEPARTMENT_STORES", "Department stores", "local_mall"),
            ("DISCOUNT_STORES", "Discount stores", "sell"),
            ("CONVENIENCE_STORES", "Corner shops", "local_convenience_store"),
            ("BOOKSTORES_AND_NEWSSTANDS", "Books and news", "menu_book"),
            ("GIFTS_AND_NOVELTIES", "Gifts", "redeem"),
            ("OFFICE_SUPPLIES", "Office supplies", "attach_file"),
            ("PET_SUPPLIES", "Pets", "pets"),
            ("SPORTING_GOODS", "Sports equipment", "sports_tennis"),
            ("TOBACCO_AND_VAPE", "Tobacco", "smoking_rooms"),
            ("OTHER_GENERAL_MERCHANDISE", "Other shopping", "shopping_bag"),
        ),
    ),
    _Group(
        "HOME_IMPROVEMENT",
        "Home",
        "home_repair_service",
        "#795548",
        "expense",
        (
            ("FURNITURE", "Furniture", "chair"),
            ("HARDWARE", "Hardware", "hardware"),
            ("REPAIR_AND_MAINTENANCE", "Repairs and upkeep", "handyman"),
            ("SECURITY", "Home security", "shield_with_house"),
            ("OTHER_HOME_IMPROVEMENT", "Other home costs", "home_repair_service"),
        ),
    ),
    _Group(
        "MEDICAL",
        "Health",
        "medical_services",
        "#d81b60",
        "expense",
        (
            ("PRIMARY_CARE", "Doctors", "stethoscope"),
            ("DENTAL_CARE", "Dentist", "dentistry"),
            ("EYE_CARE", "Eye care", "visibility"),
            ("PHARMACIES_AND_SUPPLEMENTS", "Pharmacy", "medication"),
            ("NURSING_CARE", "Nursing care", "personal_injury"),
            ("VETERINARY_SERVICES", "Vet", "pets"),
            ("OTHER_MEDICAL", "Other health costs", "medical_services"),
        ),
    ),
    _Group(
        "PERSONAL_CARE",
        "Personal care",
        "spa",
        "#ec407a",
        "expense",
        (
            ("GYMS_AND_FITNESS_CENTERS", "Gym and fitness", "fitness_center"),
            ("HAIR_AND_BEAUTY", "Hair and beauty", "content_cut"),
            ("LAUNDRY_AND_DRY_CLEANING", "Laundry", "local_laundry_service"),
            ("OTHER_PERSONAL_CARE", "Other personal care", "spa"),
        ),
    ),
    _Group(
        "GENERAL_SERVICES",
        "Services",
        "design_services",
        "#00838f",
        "expense",
        (
            ("INSURANCE", "Insurance", "verified_user"),
            ("EDUCATION", "Education", "school"),
            ("CHILDCARE", "Childcare", "child_care"),
            ("AUTOMOTIVE", "Car care", "car_repair"),
            ("ACCOUNTING_AND_FINANCIAL_PLANNING", "Accounting and advice", "calculate"),
            ("CONSULTING_AND_LEGAL", "Legal and consulting", "gavel"),
            ("POSTAGE_AND_SHIPPING", "Postage", "local_shipping"),
            ("STORAGE", "Storage", "warehouse"),
            ("OTHER_GENERAL_SERVICES", "Other services", "design_services"),
        ),
    ),
    _Group(
        "GOVERNMENT_AND_NON_PROFIT",
        "Government and giving",
        "assured_workload",
        "#455a64",
        "expense",
        (
            ("TAX_PAYMENT", "Taxes", "receipt_long"),
            ("DONATIONS", "Donations", "volunteer_activism"),
            ("GOVERNMENT_DEPARTMENTS_AND_AGENCIES", "Public authorities", "assured_workload"),
            ("OTHER_GOVERNMENT_AND_NON_PROFIT", "Other government and giving", "diversity_1"),
        ),
    ),
    _Group(
        "TRANSPORTATION",
        "Transport",
        "commute",
        "#3949ab",
        "expense",
        (
            ("GAS", "Fuel", "local_gas_station"),
            ("PUBLIC_TRANSIT", "Public transport", "directions_transit"),
            ("TAXIS_AND_RIDE_SHARES", "Taxis", "local_taxi"),
            ("PARKING", "Parking", "local_parking"),
            ("TOLLS", "Tolls", "toll"),
            ("BIKES_AND_SCOOTERS", "Bikes and scooters", "pedal_bike"),
            ("OTHER_TRANSPORTATION", "Other transport", "commute"),
        ),
    ),
    _Group(
        "TRAVEL",
        "Travel",
        "flight_takeoff",
        "#00897b",
        "expense",
        (
            ("FLIGHTS", "Flights", "flight"),
            ("LODGING", "Hotels and stays", "hotel"),
            ("RENTAL_CARS", "Rental cars", "car_rental"),
            ("OTHER_TRAVEL", "Other travel", "luggage"),
        ),
    ),
    _Group(
        "RENT_AND_UTILITIES",
        "Rent and utilities",
        "apartment",
        "#f9a825",
        "expense",
        (
            ("RENT", "Rent", "key"),
            ("GAS_AND_ELECTRICITY", "Gas and electricity", "bolt"),
            ("WATER", "Water", "water_drop"),
            ("INTERNET_AND_CABLE", "Internet and TV", "router"),
            ("TELEPHONE", "Phone", "smartphone"),
            ("SEWAGE_AND_WASTE_MANAGEMENT", "Waste and sewage", "delete"),
            ("OTHER_UTILITIES", "Other utilities", "apartment"),
        ),
    ),
)


def _rows() -> list[CategoryRow]:
    rows = []
    for place, group in enumerate(_GROUPS, start=1):
        order = place * 100
        rows.append(CategoryRow(group.id, None, group.id.lower(), group.display_name, group.icon, group.color, group.type, order))
        for number, (suffix, display_name, icon) in enumerate(group.details, start=1):
            key = f"{group.id}_{suffix}"
            kind = _OWN_TYPE.get(key, group.type)
            rows.append(CategoryRow(key, group.id, suffix.lower(), display_name, icon, group.color, kind, order + number))
    return rows


#: All categories; a parent stands before its details.
CATEGORIES: Final = tuple(_rows())
