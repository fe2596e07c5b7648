"""Names out of statement noise."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domains.transaction.rules import clean_merchant, normalise_merchant

STATEMENT_WORDS = """
POS PURCHASE SQ * CAFE JOES #12 NY NEW YORK GMBH CARD 1234 DINER 04/12 LE THE AMAZON TRANSFER TO & CO KG H-E-B FUEL DE LISBOA PT '
( S.A. CVS REF IBAN: VIR SEPA L'EAU - x APPLE PAY ON 12 APR THANK YOU WEB
"""


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("POS PURCHASE 4532 JOES DINER BROOKLYN NY", "Joes Diner"),
        ("CHECKCARD 0412 TRADER JOE'S #123 QPS BROOKLYN NY 24431064103200300011", "Trader Joe's"),
        ("PURCHASE AUTHORIZED ON 04/12 SHELL OIL 57444212 AUSTIN TX S384102512345 CARD 1234", "Shell"),
        ("RECURRING PAYMENT AUTHORIZED ON 03/01 NETFLIX.COM NETFLIX.COM CA S123 CARD 1234", "Netflix"),
        ("SQ *BLUE BOTTLE COFFEE   OAKLAND      CA", "Blue Bottle Coffee"),
        ("TST* RAMEN TATSU-YA AUSTIN TX", "Ramen Tatsu-Ya"),
        ("PAYPAL *SPOTIFY 4029357733 CA", "Spotify"),
        ("AMZN Mktp US*2K4AB1234 Amzn.com/bill WA", "Amazon"),
        ("UBER   *EATS HELP.UBER.COM CA", "Uber Eats"),
        ("UBER   *TRIP HELP.UBER.COM CA", "Uber"),
        ("GOOGLE *YOUTUBEPREMIUM G.CO/HELPPAY#CA", "YouTube Premium"),
        ("IN *JOHN SMITH PLUMBING 512-555-0100 TX", "John Smith Plumbing"),
        ("NORTHWIND LABS DES:PAYROLL ID:XXXXX12345 INDN:ROBIN DEMO CO ID:XXXXX33421 PPD", "Northwind Labs"),
        ("MCDONALD'S #112", "McDonald's"),
        ("CONNIE'S HAIR D", "Connie's Hair D"),
        ("7-ELEVEN 34211 AUSTIN TX", "7-Eleven"),
        ("STUDIO 54", "Studio 54"),
        ("MOTEL 6 DALLAS TX", "Motel 6"),
        ("H&M 0234 BERLIN", "H&M"),
        ("ZELLE TO JANE DOE ON 04/12 REF # WFCT0123", "Jane Doe"),
        ("CARD PAYMENT TO TESCO STORES 2341 ON 12 APR", "Tesco"),
        ("DIRECT DEBIT PAYMENT TO THAMES WATER REF 123456", "Thames Water"),
        ("EFTPOS WDL HANDYWAY ALDI STORE   GEELONG WEST VICAU", "Aldi"),
        ("KARTENZAHLUNG REWE SAGT DANKE 44312//BERLIN/DE 2026-11-20T18:22:11 KFN 1 VJ 2812", "REWE"),
        ("SEPA-LASTSCHRIFT STADTWERKE BERLIN GMBH MANDAT 1234 ABSCHLAG STROM", "Stadtwerke Berlin"),
        ("LOHN/GEHALT KIEFER & SOEHNE GMBH 11/2026 PERS.NR. 112233", "Kiefer & Soehne"),
        ("SUMUP  *CAFE KRANICH BERLIN DE", "Cafe Kranich"),
        ("PAIEMENT CB 1204 PARIS CARREFOUR CITY CARTE 1234", "Carrefour"),
        ("PAIEMENT PAR CARTE X1234 LE PETIT BISTROT PARIS 12/04", "Le Petit Bistrot"),
        ("VIR SEPA M DUPONT", "M Dupont"),
        ("PRLV SEPA EDF clients particuliers RUM: 001", "EDF"),
        ("COMPRA TARJ. 5402XXXXXXXX1234 MERCADONA VALENCIA", "Mercadona"),
        ("PAGAMENTO POS ESSELUNGA MILANO", "Esselunga"),
        ("BEA, Betaalpas AH to go 5847,PAS123 NR:CT123 12.04.26/18:33 AMSTERDAM", "Albert Heijn"),
        ("/TRTP/SEPA OVERBOEKING/IBAN/NL00ABNA0123456789/BIC/ABNANL2A/NAME/J DE VRIES/REMI/huur", "J de Vries"),
        ("KORTKÖP 2026-04-12 ICA NARA STOCKHOLM", "ICA"),
        ("PŁATNOŚĆ KARTĄ ŻABKA Z1234 WARSZAWA", "Żabka"),
        ("La Boulangerie du Marché", "La Boulangerie du Marché"),
        ("ＣＡＦＥ ＬＵＭＩÈＲＥ", "Cafe Lumière"),
        ("スターバックス 渋谷店", "スターバックス 渋谷店"),
        ("ЯНДЕКС ТАКСИ", "Яндекс Такси"),
    ],
)
def test_the_name_is_what_people_would_write(description: str, name: str) -> None:
    assert clean_merchant(description) == name


@pytest.mark.parametrize(
    "description",
    [
        "",
        "   ",
        "1234567890",
        "#",
        "CHECK 1001",
        "Check Paid #0000001001",
        "INTEREST PAYMENT",
        "ONLINE TRANSFER TO SAV XXXXXX8820",
        "ATM WITHDRAWAL 004512 04/12 500 CONGRESS AVE",
        "BARGELDAUSZAHLUNG GAA BERLIN-KREUZBERG 20.11.2026 12345678",
        "CHASE CREDIT CRD AUTOPAY PPD ID: 4760039224",
        "Payment Thank You - Web",
        "FOREIGN TRANSACTION FEE",
        "ZINSGUTSCHRIFT 09/2026",
    ],
)
def test_what_a_bank_does_itself_names_no_merchant(description: str) -> None:
    assert clean_merchant(description) is None


def test_the_banks_own_candidate_is_preferred_and_cleaned_too() -> None:
    assert clean_merchant("POS MERCHANDISE;MCDONALD'S #112", "MCDONALD'S #112") == "McDonald's"
    assert clean_merchant("TESCO STORES 2341", "4532") == "Tesco"


@given(
    st.sampled_from(["JOES DINER", "CAFE LUMIERE", "Trader Joe's", "REWE", "LE PETIT BISTROT", "NORTHWIND LABS"]),
    st.sampled_from(["", "POS PURCHASE ", "SQ *", "VISA PURCHASE 4532 ", "KARTENZAHLUNG ", "CHECKCARD 0412 ", "PENDING - ", "TST* "]),
    st.sampled_from(
        ["", " #{}", " 04/12", " CARD {}", " REF {}", " ID:{}", "   SOMEWHERE", " XXXX{}", " ON 12 APR", "//BERLIN/DE", " 2026-04-{}"]
    ),
    st.integers(1000, 9999),
)
def test_cards_days_and_references_do_not_change_the_name(name: str, front: str, tail: str, number: int) -> None:
    assert clean_merchant(front + name + tail.format(number % 28 + 1 if "2026" in tail else number)) == clean_merchant(name)


@given(st.text(max_size=600))
def test_any_text_gives_a_printable_name_of_bounded_length_or_none(text: str) -> None:
    name = clean_merchant(text)

    if name is not None:
        assert 1 <= len(name) <= 255
        assert name == name.strip()
        assert not any(unicodedata.category(each) in ("Cc", "Cs", "Cf") for each in name)


@given(
    st.lists(
        st.sampled_from(STATEMENT_WORDS.split()),
        max_size=8,
    )
)
def test_a_cleaned_name_stays_as_it_is(words: list[str]) -> None:
    name = clean_merchant(" ".join(words))

    if name is not None:
        assert clean_merchant(name) == name


@given(st.text(max_size=300))
def test_a_merchants_key_is_its_own_key(text: str) -> None:
    key = normalise_merchant(text)

    assert normalise_merchant(key) == key
    assert len(key) <= 255


def test_a_merchants_key_is_one_for_all_spellings() -> None:
    assert normalise_merchant("  Trader   JOE'S ") == normalise_merchant("trader joe's") == "trader joe's"
    assert normalise_merchant("ＲＥＷＥ") == "rewe"
    assert normalise_merchant("Straße") == "strasse"
