"""Sam Sample, of Berlin: a monthly salary, no car, a savings plan in shares, and a week in London each June."""

from domains.bank.providers.sandbox.habits import Between, Fixed, Monthly, Raised, Rounded, Season, Shop, Shopping, Stepped, Transfer
from domains.bank.providers.sandbox.people import Account, Interest, Person, Rescue, Settling, Sweep

_AWAY = Season((6, 14), (6, 21))
_GIFTS = Season((12, 1), (12, 21))
_QUARTERS = (1, 4, 7, 10)

_ACCOUNTS = (
    Account("giro", "Girokonto", "Florin Sandbox Girokonto Komfort", "checking", "checking", "EUR", "2204", "1640.00"),
    Account("tagesgeld", "Tagesgeld", "Florin Sandbox Tagesgeldkonto", "savings", "savings", "EUR", "9917", "5200.00"),
    Account("karte", "Kreditkarte Gold", "Florin Sandbox Mastercard Gold", "credit", "credit card", "EUR", "6640", "-186.35", "3000.00"),
    Account("depot", "Depot", "Florin Sandbox Wertpapierdepot", "investment", "brokerage", "EUR", "7102", "3100.00"),
)

_BILLS = (
    Monthly(
        "pay",
        "giro",
        27,
        Raised("2790", "0.035", 7, "0.01"),
        "LOHN/GEHALT KIEFER & SOEHNE GMBH  {day:%m/%Y} PERS.NR. {n6}",
        "INCOME_WAGES",
        direction="credit",
        on_workday=True,
    ),
    Monthly(
        "rent", "giro", 1, Raised("940", "0.02", 4, "5"), "SEPA-DAUERAUFTRAG HAUSVERWALTUNG BRANDT MIETE WHG 14", "RENT_AND_UTILITIES_RENT"
    ),
    Monthly(
        "power",
        "giro",
        1,
        Fixed("58.00"),
        "SEPA-LASTSCHRIFT VATTENFALL EUROPE SALES GMBH ABSCHLAG STROM KUNDENNR: {n10}",
        "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY",
    ),
    Monthly(
        "phone",
        "giro",
        1,
        Fixed("44.95"),
        "SEPA-LASTSCHRIFT TELEKOM DEUTSCHLAND GMBH FESTNETZ KONTO: {n10}",
        "RENT_AND_UTILITIES_TELEPHONE",
    ),
    Monthly(
        "gym", "giro", 1, Fixed("59.00"), "SEPA-LASTSCHRIFT URBAN SPORTS GMBH MANDAT: US{n7}", "PERSONAL_CARE_GYMS_AND_FITNESS_CENTERS"
    ),
    Monthly(
        "ticket", "giro", 1, Fixed("58.00"), "SEPA-LASTSCHRIFT BVG ABO DEUTSCHLANDTICKET VERTRAG {n8}", "TRANSPORTATION_PUBLIC_TRANSIT"
    ),
    Monthly("mobile", "giro", 5, Fixed("20.00"), "SEPA-LASTSCHRIFT CONGSTAR GMBH RG {n9}", "RENT_AND_UTILITIES_TELEPHONE"),
    Monthly(
        "licence",
        "giro",
        15,
        Fixed("55.08"),
        "SEPA-LASTSCHRIFT RUNDFUNK ARD, ZDF, DRADIO MREF+{n9}",
        "ENTERTAINMENT_TV_AND_MOVIES",
        months=_QUARTERS,
    ),
    Monthly(
        "liability",
        "giro",
        3,
        Raised("68.90", "0.02", 1),
        "SEPA-LASTSCHRIFT HUK-COBURG HAFTPFLICHT {n8}",
        "GENERAL_SERVICES_INSURANCE",
        months=(1,),
    ),
    Monthly("disability", "giro", 4, Fixed("64.20"), "SEPA-LASTSCHRIFT ALLIANZ LEBENSVERS.-AG {n9}", "GENERAL_SERVICES_INSURANCE"),
    Monthly(
        "donation", "giro", 16, Fixed("20.00"), "SEPA-LASTSCHRIFT ÄRZTE OHNE GRENZEN E.V. SPENDE", "GOVERNMENT_AND_NON_PROFIT_DONATIONS"
    ),
    Monthly(
        "tax-refund",
        "giro",
        19,
        Between("420", "680"),
        "SEPA-GUTSCHRIFT FINANZAMT NEUKÖLLN STEUERERSTATTUNG ST.NR. {n10}",
        "INCOME_TAX_REFUND",
        direction="credit",
        months=(8,),
    ),
    Monthly(
        "power-refund",
        "giro",
        11,
        Between("28", "92"),
        "SEPA-GUTSCHRIFT VATTENFALL EUROPE SALES GMBH GUTHABEN JAHRESRECHNUNG",
        "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY",
        direction="credit",
        months=(3,),
    ),
    Shopping(
        "cash",
        "giro",
        (20, 20, 30, 30, 90, 80, 20),
        (Shop("BARGELDAUSZAHLUNG GAA BERLIN-KREUZBERG {day:%d.%m.%Y} {n8}", Rounded(10, 2, 8), "TRANSFER_OUT_WITHDRAWAL"),),
        is_card=False,
        without=_AWAY,
    ),
    Transfer(
        "saving",
        "giro",
        "tagesgeld",
        2,
        Fixed("250.00"),
        "UEBERWEISUNG AN TAGESGELD SAM SAMPLE",
        "GUTSCHRIFT VON GIROKONTO SAM SAMPLE",
        "TRANSFER_OUT_SAVINGS",
        "TRANSFER_IN_SAVINGS",
    ),
    Transfer(
        "shares",
        "giro",
        "depot",
        5,
        Fixed("150.00"),
        "SPARPLAN DEPOT XXXX7102 MSCI WORLD UCITS ETF",
        "EINZAHLUNG DEPOT SPARPLAN MSCI WORLD UCITS ETF",
        "TRANSFER_OUT_INVESTMENT_AND_RETIREMENT_FUNDS",
        "TRANSFER_IN_INVESTMENT_AND_RETIREMENT_FUNDS",
    ),
    Monthly(
        "dividend",
        "depot",
        22,
        Between("11", "34"),
        "ERTRAGSGUTSCHRIFT DIVIDENDE ISHARES CORE MSCI WORLD",
        "INCOME_DIVIDENDS",
        direction="credit",
        months=(2, 5, 8, 11),
    ),
    Monthly("depot-fee", "depot", 30, Fixed("12.00"), "DEPOTENTGELT {day:%Y}", "BANK_FEES_OTHER_BANK_FEES", months=(12,)),
)

_CARD = (
    Monthly("films", "karte", 8, Stepped("11.99", "1.00", 5), "NETFLIX.COM AMSTERDAM NL", "ENTERTAINMENT_TV_AND_MOVIES", is_card=True),
    Monthly("songs", "karte", 14, Stepped("9.99", "0.50", 9), "SPOTIFY AB STOCKHOLM SE", "ENTERTAINMENT_MUSIC_AND_AUDIO", is_card=True),
    Monthly(
        "storage", "karte", 20, Fixed("1.99"), "GOOGLE *GOOGLE ONE G.CO/HELPPAY#IE", "GENERAL_SERVICES_OTHER_GENERAL_SERVICES", is_card=True
    ),
    Monthly(
        "hair",
        "giro",
        18,
        Between("27", "33"),
        "KARTENZAHLUNG FRISEUR KAMM UND SCHERE//BERLIN/DE",
        "PERSONAL_CARE_HAIR_AND_BEAUTY",
        is_card=True,
    ),
    Monthly(
        "teeth",
        "giro",
        9,
        Between("85", "110"),
        "UEBERWEISUNG ZAHNARZTPRAXIS DR. WINTER RECHNUNG {n6}",
        "MEDICAL_DENTAL_CARE",
        months=(5, 11),
    ),
    Monthly("flight", "karte", 22, Between("118", "176"), "EASYJET {c7} LUTON GB", "TRAVEL_FLIGHTS", months=(4,), is_card=True),
    Monthly("hotel", "karte", 14, Between("560", "690"), "PREMIER INN LONDON SOUTHWARK GB", "TRAVEL_LODGING", months=(6,), is_card=True),
    Monthly("hotel-fee", "karte", 14, Between("9", "13"), "AUSLANDSEINSATZENTGELT", "BANK_FEES_FOREIGN_TRANSACTION_FEES", months=(6,)),
)

_SHOPPING = (
    Shopping(
        "groceries",
        "giro",
        (420, 360, 420, 360, 460, 780, 0),
        (
            Shop(
                "KARTENZAHLUNG REWE SAGT DANKE {n5}//BERLIN/DE {day:%Y-%m-%d}T18:22:11 KFN 1 VJ 2812",
                Between("9", "54"),
                "FOOD_AND_DRINK_GROCERIES",
                4,
            ),
            Shop(
                "KARTENZAHLUNG EDEKA CENTER//BERLIN/DE {day:%Y-%m-%d}T17:40:02 KFN 1 VJ 2812",
                Between("11", "62"),
                "FOOD_AND_DRINK_GROCERIES",
                3,
            ),
            Shop("KARTENZAHLUNG LIDL SAGT DANKE//BERLIN/DE KFN 1", Between("8", "46"), "FOOD_AND_DRINK_GROCERIES", 3),
            Shop("KARTENZAHLUNG DENNS BIOMARKT GMBH//BERLIN/DE KFN 1", Between("12", "48"), "FOOD_AND_DRINK_GROCERIES", 1),
        ),
        without=_AWAY,
    ),
    Shopping(
        "bakery",
        "giro",
        (1000, 260, 1000, 260, 1000, 380, 1000),
        (
            Shop("KARTENZAHLUNG BAECKEREI ENDORPHINA//BERLIN/DE KFN 1", Between("2.60", "8.90"), "FOOD_AND_DRINK_OTHER_FOOD_AND_DRINK", 3),
            Shop("SUMUP  *CAFE KRANICH BERLIN DE", Between("3.20", "9.80"), "FOOD_AND_DRINK_COFFEE", 3),
        ),
        without=_AWAY,
    ),
    Shopping(
        "lunch",
        "giro",
        (260, 280, 240, 280, 260, 120, 90),
        (
            Shop("KARTENZAHLUNG RÜYAM GEMÜSE KEBAP//BERLIN/DE KFN 1", Between("6.50", "11"), "FOOD_AND_DRINK_FAST_FOOD", 3),
            Shop("ZETTLE_*IMBISS AM KANAL BERLIN DE", Between("7", "13"), "FOOD_AND_DRINK_FAST_FOOD", 2),
        ),
        without=_AWAY,
    ),
    Shopping(
        "dinner",
        "karte",
        (50, 60, 90, 120, 420, 460, 160),
        (
            Shop("RESTAURANT MARKTHALLE BERLIN DE", Between("19", "46"), "FOOD_AND_DRINK_RESTAURANT", 3),
            Shop("OSTERIA RIBALTONE BERLIN DE", Between("22", "52"), "FOOD_AND_DRINK_RESTAURANT", 2),
            Shop("LIEFERANDO.DE BERLIN DE", Between("17", "34"), "FOOD_AND_DRINK_RESTAURANT", 2),
        ),
        tip=10,
        without=_AWAY,
    ),
    Shopping(
        "drugstore",
        "giro",
        (50, 60, 60, 60, 80, 170, 0),
        (
            Shop("KARTENZAHLUNG DM-DROGERIE MARKT SAGT DANKE//BERLIN/DE KFN 1", Between("6", "32"), "PERSONAL_CARE_HAIR_AND_BEAUTY", 3),
            Shop("KARTENZAHLUNG LÖWEN-APOTHEKE//BERLIN/DE KFN 1", Between("6", "28"), "MEDICAL_PHARMACIES_AND_SUPPLEMENTS", 2),
        ),
        without=_AWAY,
    ),
    Shopping(
        "online",
        "karte",
        (90, 100, 90, 90, 80, 100, 130),
        (
            Shop("AMZN Mktp DE*{c9} amazon.de LU", Between("9", "64"), "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES", 3),
            Shop("ZALANDO SE BERLIN DE", Between("29", "104"), "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES", 2),
        ),
        refund=240,
    ),
    Shopping(
        "trains",
        "karte",
        (20, 20, 30, 50, 90, 40, 50),
        (Shop("DB VERTRIEB GMBH FRANKFURT DE", Between("24", "79"), "TRANSPORTATION_PUBLIC_TRANSIT"),),
        without=_AWAY,
    ),
    Shopping(
        "weekend",
        "karte",
        (20, 30, 40, 40, 110, 180, 60),
        (
            Shop("THALIA BUECHER BERLIN DE", Between("11", "38"), "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS", 2),
            Shop("YORCK KINO BERLIN DE", Between("10", "26"), "ENTERTAINMENT_TV_AND_MOVIES", 3),
            Shop("BAUHAUS BERLIN DE", Between("9", "68"), "HOME_IMPROVEMENT_HARDWARE", 1),
            Shop("CTS EVENTIM BREMEN DE", Between("34", "88"), "ENTERTAINMENT_SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS", 1),
            Shop("UNIQLO EUROPE BERLIN DE", Between("19", "69"), "GENERAL_MERCHANDISE_CLOTHING_AND_ACCESSORIES", 1),
        ),
        refund=60,
        without=_AWAY,
    ),
    Shopping(
        "gifts",
        "karte",
        (220, 220, 220, 220, 260, 420, 120),
        (
            Shop("ETSY.COM DUBLIN IE", Between("14", "52"), "GENERAL_MERCHANDISE_ONLINE_MARKETPLACES", 2),
            Shop("DUSSMANN BERLIN DE", Between("14", "58"), "GENERAL_MERCHANDISE_BOOKSTORES_AND_NEWSSTANDS", 2),
            Shop("BLUMEN AM KOTTI BERLIN DE", Between("12", "36"), "GENERAL_MERCHANDISE_GIFTS_AND_NOVELTIES", 1),
        ),
        within=_GIFTS,
    ),
    Shopping(
        "london",
        "karte",
        (1000, 1000, 1000, 1000, 1000, 1000, 1000),
        (
            Shop("TFL TRAVEL CH LONDON GB", Between("4", "11"), "TRANSPORTATION_PUBLIC_TRANSIT", 3),
            Shop("PRET A MANGER LONDON GB", Between("6", "14"), "FOOD_AND_DRINK_COFFEE", 2),
            Shop("DISHOOM RESTAURANT LONDON GB", Between("24", "48"), "FOOD_AND_DRINK_RESTAURANT", 2),
            Shop("TATE GALLERY LONDON GB", Between("14", "24"), "ENTERTAINMENT_SPORTING_EVENTS_AMUSEMENT_PARKS_AND_MUSEUMS", 1),
        ),
        within=_AWAY,
    ),
)

_POLICIES = (
    Settling(
        "card-payment", "giro", "karte", 20, 26, "KREDITKARTENABRECHNUNG XXXX6640 VOM {day:%d.%m.%Y}", "AUSGLEICH KREDITKARTE GIROKONTO"
    ),
    Rescue(
        "overdraft",
        "tagesgeld",
        "giro",
        "100.00",
        "500.00",
        "UMBUCHUNG AUF GIROKONTO SAM SAMPLE",
        "UMBUCHUNG VON TAGESGELD SAM SAMPLE",
        "TRANSFER_OUT_ACCOUNT_TRANSFER",
        "TRANSFER_IN_SAVINGS",
    ),
    Sweep(
        "surplus",
        "giro",
        "tagesgeld",
        28,
        "3900.00",
        "3300.00",
        "UEBERWEISUNG AN TAGESGELD SAM SAMPLE",
        "GUTSCHRIFT VON GIROKONTO SAM SAMPLE",
        "TRANSFER_OUT_SAVINGS",
        "TRANSFER_IN_SAVINGS",
    ),
    Interest("interest", "tagesgeld", "0.0175", (3, 6, 9, 12), "ZINSGUTSCHRIFT {day:%m/%Y}"),
)

SAM = Person("sam", "sandbox-sam", "Florin Sandbox Bank", _ACCOUNTS, (*_BILLS, *_CARD, *_SHOPPING), _POLICIES)
