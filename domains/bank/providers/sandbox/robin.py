"""Robin Demo, of Austin, Texas: paid every other Friday, rents, drives, and goes to Lisbon each September."""

from datetime import date

from domains.bank.providers.sandbox.habits import (
    Between,
    Fixed,
    Fortnightly,
    Monthly,
    Raised,
    Rounded,
    Season,
    Seasonal,
    Shop,
    Shopping,
    Stepped,
    Transfer,
)
from domains.bank.providers.sandbox.people import Account, Interest, Person, Rescue, Settling, Sweep, TopUp

_AWAY = Season((9, 12), (9, 20))
_GIFTS = Season((12, 3), (12, 22))

_ACCOUNTS = (
    Account("checking", "Everyday Checking", "Florin Sandbox Everyday Checking", "checking", "checking", "USD", "4417", "2850.00"),
    Account("savings", "Rainy Day Savings", "Florin Sandbox High-Yield Savings", "savings", "savings", "USD", "8820", "6400.00"),
    Account(
        "card", "Cashback Visa", "Florin Sandbox Cashback Visa Signature", "credit", "credit card", "USD", "3307", "-412.60", "8000.00"
    ),
    Account("euro", "Euro Travel Account", "Florin Sandbox Travel Account EUR", "checking", "prepaid", "EUR", "5561", "180.00"),
)

_BILLS = (
    Fortnightly(
        "pay",
        "checking",
        date(2023, 1, 6),
        Raised("2218.46", "0.04", 3),
        "NORTHWIND LABS   DES:PAYROLL    ID:XXXXX{n5} INDN:ROBIN DEMO CO ID:XXXXX33421 PPD",
        "INCOME_WAGES",
    ),
    Monthly("rent", "checking", 1, Raised("1725", "0.03", 8, "5"), "WEB PMT BEDFORD PROPERTIES RENT", "RENT_AND_UTILITIES_RENT"),
    Monthly("phone", "checking", 1, Fixed("68.40"), "VERIZON WIRELESS PAYMENTS PPD ID: {n10}", "RENT_AND_UTILITIES_TELEPHONE"),
    Monthly("internet", "checking", 1, Fixed("54.99"), "SPECTRUM 855-707-7328 MO", "RENT_AND_UTILITIES_INTERNET_AND_CABLE"),
    Monthly("gym", "checking", 1, Fixed("24.99"), "PLANET FIT CLUB FEES 8445551212 NH", "PERSONAL_CARE_GYMS_AND_FITNESS_CENTERS"),
    Monthly("car-insurance", "checking", 5, Raised("112.40", "0.05", 1), "GEICO  AUTO PYMT  {n8}", "GENERAL_SERVICES_INSURANCE"),
    Monthly("car-loan", "checking", 8, Fixed("289.14"), "TOYOTA ACH RTL DES:PAYMENT ID:{n9}", "LOAN_PAYMENTS_CAR_PAYMENT"),
    Monthly(
        "gas", "checking", 9, Seasonal("18", "92", 1), "TEXAS GAS SERVICE ONLINE PMT CKF{n9}POS", "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY"
    ),
    Monthly("student-loan", "checking", 11, Fixed("152.33"), "NELNET STUDENT LN {n10}", "LOAN_PAYMENTS_STUDENT_LOAN_PAYMENT"),
    Monthly(
        "power", "checking", 14, Seasonal("62", "188", 8), "CITY OF AUSTIN UTILITIES WEB PMT {n8}", "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY"
    ),
    Monthly("radio", "checking", 15, Fixed("15.00"), "KUT PUBLIC RADIO AUSTIN TX", "GOVERNMENT_AND_NON_PROFIT_DONATIONS"),
    Monthly(
        "tax-refund",
        "checking",
        6,
        Between("820", "1180"),
        "IRS  TREAS 310     DES:TAX REF    ID:XXXXXXXXX{n5} INDN:DEMO ROBIN CO ID:XXXXX36170 PPD",
        "INCOME_TAX_REFUND",
        direction="credit",
        months=(4,),
    ),
    Monthly(
        "registration",
        "checking",
        19,
        Fixed("74.50"),
        "TX DMV VEHICLE REGISTRATION 888-368-4689",
        "GOVERNMENT_AND_NON_PROFIT_GOVERNMENT_DEPARTMENTS_AND_AGENCIES",
        months=(6,),
    ),
    Monthly(
        "birthday",
        "checking",
        23,
        Between("90", "160"),
        "MOBILE CHECK DEPOSIT {day:%m/%d} REF {n9}",
        "TRANSFER_IN_DEPOSIT",
        direction="credit",
        months=(2,),
    ),
    Shopping(
        "cash",
        "checking",
        (20, 20, 20, 20, 90, 70, 20),
        (
            Shop(
                "ATM WITHDRAWAL {n6} {day:%m/%d} 500 CONGRESS AVE AUSTIN TX",
                Rounded(20, 2, 5),
                "TRANSFER_OUT_WITHDRAWAL",
            ),
        ),
        is_card=False,
        without=_AWAY,
    ),
    Shopping(
        "friends",
        "checking",
        (15, 15, 15, 15, 15, 40, 60),
        (
            Shop("ZELLE TO MAYA LINDQVIST ON {day:%m/%d} REF # WFCT{c7}", Between("12", "48"), "TRANSFER_OUT_ACCOUNT_TRANSFER", 2),
            Shop("VENMO PAYMENT {n10} DEVON OKAFOR", Between("8", "35"), "TRANSFER_OUT_ACCOUNT_TRANSFER"),
        ),
        is_card=False,
    ),
    Transfer(
        "saving",
        "checking",
        "savings",
        3,
        Fixed("400.00"),
        "ONLINE TRANSFER TO SAV XXXXXX8820 CONFIRMATION# {n10}",
        "ONLINE TRANSFER FROM CHK XXXXXX4417 CONFIRMATION# {n10}",
        "TRANSFER_OUT_SAVINGS",
        "TRANSFER_IN_SAVINGS",
    ),
)

_SUBSCRIPTIONS = (
    Monthly(
        "news",
        "card",
        1,
        Fixed("17.00"),
        "NYTIMES*NYTIMES DISC 800-698-4637 NY",
        "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS",
        is_card=True,
    ),
    Monthly("films", "card", 6, Stepped("10.99", "1.50", 10), "NETFLIX.COM 408-540-3700 CA", "ENTERTAINMENT_TV_AND_MOVIES", is_card=True),
    Monthly("songs", "card", 12, Stepped("9.99", "0.50", 7), "SPOTIFY USA 877-7781161 NY", "ENTERTAINMENT_MUSIC_AND_AUDIO", is_card=True),
    Monthly(
        "barber", "card", 17, Between("34", "40"), "SQ *SOUTH LAMAR BARBERSHOP Austin TX", "PERSONAL_CARE_HAIR_AND_BEAUTY", is_card=True
    ),
    Monthly("phone-store", "card", 18, Fixed("2.99"), "APPLE.COM/BILL 866-712-7753 CA", "ENTERTAINMENT_OTHER_ENTERTAINMENT", is_card=True),
    Monthly(
        "assistant",
        "card",
        21,
        Fixed("20.00"),
        "OPENAI *CHATGPT SUBSCR SAN FRANCISCO CA",
        "GENERAL_SERVICES_OTHER_GENERAL_SERVICES",
        is_card=True,
    ),
    Monthly(
        "prime",
        "card",
        11,
        Stepped("119.00", "5.00", 1),
        "AMAZON PRIME*{c9} Amzn.com/bill WA",
        "ENTERTAINMENT_TV_AND_MOVIES",
        months=(10,),
        is_card=True,
    ),
    Monthly(
        "dentist", "card", 13, Between("70", "120"), "BARTON CREEK DENTAL AUSTIN TX", "MEDICAL_DENTAL_CARE", months=(3, 10), is_card=True
    ),
    Monthly(
        "doctor",
        "card",
        24,
        Between("30", "45"),
        "AUSTIN FAMILY MEDICINE 512-555-0142 TX",
        "MEDICAL_PRIMARY_CARE",
        months=(1, 5, 11),
        is_card=True,
    ),
    Monthly(
        "oil", "card", 20, Between("62", "95"), "JIFFY LUBE #{n4} AUSTIN TX", "GENERAL_SERVICES_AUTOMOTIVE", months=(2, 8), is_card=True
    ),
    Monthly("cashback", "card", 28, Between("9", "21"), "CASHBACK REWARD STATEMENT CREDIT", "INCOME_OTHER_INCOME", direction="credit"),
)

_SHOPPING = (
    Shopping(
        "groceries",
        "card",
        (240, 200, 260, 220, 260, 720, 420),
        (
            Shop("H-E-B #{n3} AUSTIN TX", Between("24", "118"), "FOOD_AND_DRINK_GROCERIES", 6),
            Shop("TRADER JOE'S #{n3} QPS AUSTIN TX", Between("18", "74"), "FOOD_AND_DRINK_GROCERIES", 3),
            Shop("WHOLEFDS LMR #{n5} AUSTIN TX", Between("14", "66"), "FOOD_AND_DRINK_GROCERIES", 2),
            Shop("COSTCO WHSE #{n4} AUSTIN TX", Between("70", "160"), "GENERAL_MERCHANDISE_SUPERSTORES", 1),
        ),
        without=_AWAY,
    ),
    Shopping(
        "coffee",
        "card",
        (1000, 380, 1000, 380, 1000, 260, 1000),
        (
            Shop("STARBUCKS STORE {n5} AUSTIN TX", Between("4.25", "8.40"), "FOOD_AND_DRINK_COFFEE", 3),
            Shop("SQ *RADIO COFFEE         Austin       TX", Between("3.75", "9.20"), "FOOD_AND_DRINK_COFFEE", 4),
            Shop("TST* EPOCH COFFEE - NORTH LOOP AUSTIN TX", Between("3.50", "7.90"), "FOOD_AND_DRINK_COFFEE", 2),
        ),
        without=_AWAY,
    ),
    Shopping(
        "lunch",
        "card",
        (260, 280, 250, 280, 240, 120, 100),
        (
            Shop("CHIPOTLE {n4} AUSTIN TX", Between("10", "17"), "FOOD_AND_DRINK_FAST_FOOD", 3),
            Shop("TST* TORCHYS TACOS - SOUTH FIRST AUSTIN TX", Between("9", "19"), "FOOD_AND_DRINK_RESTAURANT", 2),
            Shop("P TERRY'S BURGER STAND #{n3} AUSTIN TX", Between("7", "14"), "FOOD_AND_DRINK_FAST_FOOD", 2),
            Shop("DD *DOORDASH THAI KUN 855-973-1040 CA", Between("18", "36"), "FOOD_AND_DRINK_RESTAURANT", 1),
        ),
        without=_AWAY,
    ),
    Shopping(
        "dinner",
        "card",
        (60, 60, 90, 140, 480, 520, 160),
        (
            Shop("TST* RAMEN TATSU-YA AUSTIN TX", Between("19", "42"), "FOOD_AND_DRINK_RESTAURANT", 3),
            Shop("LORO SMOKEHOUSE 512-555-0171 AUSTIN TX", Between("28", "68"), "FOOD_AND_DRINK_RESTAURANT", 2),
            Shop("TST* UCHIKO SUSHI AUSTIN TX", Between("48", "96"), "FOOD_AND_DRINK_RESTAURANT", 1),
            Shop("JUSTINES BRASSERIE AUSTIN TX", Between("34", "78"), "FOOD_AND_DRINK_RESTAURANT", 2),
        ),
        tip=20,
        without=_AWAY,
    ),
    Shopping(
        "fuel",
        "card",
        (130, 110, 110, 120, 160, 130, 110),
        (
            Shop("SHELL OIL {n10} AUSTIN TX", Between("29", "48"), "TRANSPORTATION_GAS", 3),
            Shop("HEB GAS/CARWASH #{n3} AUSTIN TX", Between("26", "44"), "TRANSPORTATION_GAS", 3),
            Shop("VALERO {n5} AUSTIN TX", Between("28", "47"), "TRANSPORTATION_GAS", 1),
        ),
        hold="1.00",
        is_late=True,
        without=_AWAY,
    ),
    Shopping(
        "rides",
        "card",
        (40, 40, 40, 60, 150, 160, 70),
        (
            Shop("UBER   *TRIP HELP.UBER.COM CA", Between("9", "29"), "TRANSPORTATION_TAXIS_AND_RIDE_SHARES", 3),
            Shop("PARKMOBILE-ATX 770-818-9036 GA", Between("2", "9"), "TRANSPORTATION_PARKING", 2),
        ),
        without=_AWAY,
    ),
    Shopping(
        "online",
        "card",
        (110, 120, 110, 100, 90, 110, 150),
        (Shop("AMZN Mktp US*{c9} Amzn.com/bill WA", Between("9", "88"), "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES"),),
        refund=130,
        refund_text="AMZN Mktp US Amzn.com/bill WA",
    ),
    Shopping(
        "shops",
        "card",
        (30, 30, 30, 30, 50, 160, 110),
        (
            Shop("CVS/PHARMACY #{n5} AUSTIN TX", Between("8", "36"), "MEDICAL_PHARMACIES_AND_SUPPLEMENTS", 4),
            Shop("THE HOME DEPOT #{n4} AUSTIN TX", Between("14", "92"), "HOME_IMPROVEMENT_HARDWARE", 2),
            Shop("UNIQLO USA LLC AUSTIN TX", Between("24", "88"), "GENERAL_MERCHANDISE_CLOTHING_AND_ACCESSORIES", 2),
            Shop("BOOKPEOPLE AUSTIN TX", Between("14", "42"), "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS", 2),
            Shop("IKEA ROUND ROCK {n5} ROUND ROCK TX", Between("18", "120"), "HOME_IMPROVEMENT_FURNITURE", 1),
        ),
        refund=80,
        without=_AWAY,
    ),
    Shopping(
        "evenings",
        "card",
        (25, 25, 30, 40, 110, 130, 60),
        (
            Shop("ALAMO DRAFTHOUSE CINEMA AUSTIN TX", Between("14", "38"), "ENTERTAINMENT_TV_AND_MOVIES", 3),
            Shop("STEAMGAMES.COM 4259522985 WA", Between("6", "42"), "ENTERTAINMENT_VIDEO_GAMES", 1),
            Shop("TICKETMASTER US 800-653-8000 CA", Between("42", "118"), "ENTERTAINMENT_SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS", 1),
        ),
        without=_AWAY,
    ),
    Shopping(
        "gifts",
        "card",
        (260, 260, 260, 260, 320, 460, 380),
        (
            Shop("ETSY.COM - MULTIPLE SHOP BROOKLYN NY", Between("16", "64"), "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES", 2),
            Shop("LEGO STORE AUSTIN TX", Between("20", "95"), "GENERAL_MERCHANDISE_OTHER_GENERAL_MERCHANDISE", 1),
            Shop("BARNES & NOBLE #{n4} AUSTIN TX", Between("14", "52"), "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS", 2),
            Shop("UNCOMMONGOODS 888-365-0056 NY", Between("22", "70"), "GENERAL_MERCHANDISE_GIFTS_AND_NOVELTIES", 2),
        ),
        within=_GIFTS,
    ),
)

_TRAVEL = (
    Monthly("flight", "card", 27, Between("690", "880"), "LUFTHANSA {n10} NEW YORK NY", "TRAVEL_FLIGHTS", months=(6,), is_card=True),
    Monthly("hotel", "card", 12, Between("610", "740"), "HOTEL BORGES CHIADO LISBOA PT", "TRAVEL_LODGING", months=(9,), is_card=True),
    Monthly("hotel-fee", "card", 12, Between("18", "22"), "FOREIGN TRANSACTION FEE", "BANK_FEES_FOREIGN_TRANSACTION_FEES", months=(9,)),
    Monthly("paper", "euro", 1, Fixed("9.99"), "LE MONDE ABONNEMENT PARIS FR", "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS"),
    Shopping(
        "lisbon-meals",
        "euro",
        (1000, 1000, 1000, 1000, 1000, 1000, 1000),
        (
            Shop("CERVEJARIA RAMIRO RESTAURANTE LISBOA PT", Between("28", "64"), "FOOD_AND_DRINK_RESTAURANT", 2),
            Shop("TASCA DO CHICO LISBOA PT", Between("16", "38"), "FOOD_AND_DRINK_RESTAURANT", 2),
            Shop("PASTELARIA DE BELEM LISBOA PT", Between("4", "12"), "FOOD_AND_DRINK_OTHER_FOOD_AND_DRINK", 2),
        ),
        within=_AWAY,
    ),
    Shopping(
        "lisbon-days",
        "euro",
        (750, 750, 750, 750, 750, 750, 750),
        (
            Shop("METROPOLITANO DE LISBOA LISBOA PT", Between("3", "9"), "TRANSPORTATION_PUBLIC_TRANSIT", 3),
            Shop("MUSEU NACIONAL DO AZULEJO LISBOA PT", Between("8", "16"), "ENTERTAINMENT_SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS", 1),
            Shop("PINGO DOCE CHIADO LISBOA PT", Between("6", "22"), "FOOD_AND_DRINK_GROCERIES", 2),
            Shop("BOLT.EU/O/{n10} LISBOA PT", Between("5", "14"), "TRANSPORTATION_TAXIS_AND_RIDE_SHARES", 2),
        ),
        within=_AWAY,
    ),
)

_POLICIES = (
    TopUp(
        "trip-money",
        "checking",
        "euro",
        9,
        7,
        "850.00",
        ("1.06", "1.17"),
        "WISE US INC      DES:WISE       ID:TRNWISE{n6}",
        "WISE TRANSFER FROM ROBIN DEMO REF {n9}",
    ),
    Settling("card-payment", "checking", "card", 25, 20, "CARDMEMBER SERV  WEB PYMT  {n9} WEB", "PAYMENT THANK YOU - WEB"),
    Rescue(
        "overdraft",
        "savings",
        "checking",
        "150.00",
        "800.00",
        "ONLINE TRANSFER TO CHK XXXXXX4417 CONFIRMATION# {n10}",
        "ONLINE TRANSFER FROM SAV XXXXXX8820 CONFIRMATION# {n10}",
        "TRANSFER_OUT_ACCOUNT_TRANSFER",
        "TRANSFER_IN_SAVINGS",
    ),
    Sweep(
        "surplus",
        "checking",
        "savings",
        27,
        "4200.00",
        "2600.00",
        "ONLINE TRANSFER TO SAV XXXXXX8820 CONFIRMATION# {n10}",
        "ONLINE TRANSFER FROM CHK XXXXXX4417 CONFIRMATION# {n10}",
        "TRANSFER_OUT_SAVINGS",
        "TRANSFER_IN_SAVINGS",
    ),
    Interest("interest", "savings", "0.034", tuple(range(1, 13)), "INTEREST PAYMENT"),
)

ROBIN = Person("robin", "sandbox-robin", "Florin Sandbox Bank", _ACCOUNTS, (*_BILLS, *_SUBSCRIPTIONS, *_SHOPPING, *_TRAVEL), _POLICIES)
