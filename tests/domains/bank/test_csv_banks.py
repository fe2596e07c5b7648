"""CSV as banks of several countries write it, told nothing but what the file says."""

from datetime import date
from decimal import Decimal

import pytest

from tests.domains.bank.statements import only_account, parse, signed

US_CARD = """Transaction Date,Post Date,Description,Category,Type,Amount,Memo
01/30/2024,01/31/2024,"COFFEE, INC",Food & Drink,Sale,-4.50,
01/15/2024,01/16/2024,PAYMENT,,Payment,"1,200.00",thank you
"""
US_CHECKING = """Details,Posting Date,Description,Amount,Type,Balance,Check or Slip #
DEBIT,01/30/2024,GROCER 123,-40.00,ACH_DEBIT,100.00,,
CREDIT,01/29/2024,PAYROLL,140.00,ACH_CREDIT,140.00,,
"""
US_WITH_SUMMARY = """Description,,Summary Amt.
Beginning balance as of 01/01/2024,,"1,000.00"
Ending balance as of 01/31/2024,,"987.50"

Date,Description,Amount,Running Bal.
01/01/2024,Beginning balance as of 01/01/2024,,"1,000.00"
01/31/2024,COFFEE,"-12.50","987.50"
"""
UK = """Transaction Date,Transaction Type,Sort Code,Account Number,Transaction Description,Debit Amount,Credit Amount,Balance
31/01/2024,DEB,'11-22-33,12345678,TESCO,10.00,,90.00
30/01/2024,FPI,'11-22-33,12345678,J SMITH,,50.00,100.00
"""
GERMAN = """Kontonummer:;DE89 3704 0044 0532 0130 00;
Währung;EUR;

"Buchungstag";"Wertstellung";"Buchungstext";"Auftraggeber / Begünstigter";"Verwendungszweck";"Kontonummer";"BLZ";"Betrag (EUR)"
"31.01.2024";"01.02.2024";"Lastschrift";"Bäckerei Müller";"Brötchen 4711";"DE02120300000000202051";"BYLADEM1001";"-1.234,56"
"02.01.2024";"02.01.2024";"Gehalt";"ACME GmbH";"Lohn";"";"";"2.500,00"
"""
GERMAN_SHORT_YEAR = """"Auftragskonto";"Buchungstag";"Buchungstext";"Verwendungszweck";"Beguenstigter/Zahlungspflichtiger";"Betrag";"Whg"
"DE89370400440532013000";"05.03.24";"KARTENZAHLUNG";"REWE SAGT DANKE";"REWE";"-23,45";"EUR"
"DE02120300000000202051";"06.03.24";"GUTSCHRIFT";"Miete";"A. Mieter";"800";"EUR"
"DE89370400440532013000";"07.03.24";"KARTENZAHLUNG";"vorgemerkt";"Kino";"-9,00";"EUR"
"""
FRENCH = """Date de l'opération;Libellé;Détail de l'écriture;Débit euros;Crédit euros
12/01/2024;CARTE BOULANGERIE;;"-3,20";
05/02/2024;VIR SALAIRE;ACME;;"1 850,00"
"""
SPANISH = """Fecha;Concepto;Movimiento;Importe;Divisa;Disponible
03/02/2024;Café del Mar;Pago con tarjeta;-2,50;EUR;100,00
01/02/2024;Nómina;Transferencia;1.500,00;EUR;102,50
"""
ITALIAN = """Data contabile;Data valuta;Descrizione;Dare;Avere;Divisa
05/02/2024;05/02/2024;Caffè Città;2,50;;EUR
06/02/2024;06/02/2024;Stipendio;;1.800,00;EUR
"""
DUTCH = """"Datum";"Naam / Omschrijving";"Rekening";"Tegenrekening";"Code";"Af Bij";"Bedrag (EUR)";"Mutatiesoort";"Mededelingen"
"20240131";"Albert Heijn 1234";"NL91ABNA0417164300";"";"BA";"Af";"12,34";"Betaalautomaat";"Pasvolgnr: 001"
"20240130";"Werkgever BV";"NL91ABNA0417164300";"NL02RABO0123456789";"OV";"Bij";"2500,00";"Overschrijving";"Salaris"
"""
REVOLUT = """Type,Product,Started Date,Completed Date,Description,Amount,Fee,Currency,State,Balance
CARD_PAYMENT,Current,2024-01-30 10:11:12,2024-01-31 09:00:00,Uber,-10.00,0.00,GBP,COMPLETED,90.00
ATM,Current,2024-01-31 10:11:12,2024-01-31 19:00:00,Cash at ATM,-50.00,1.00,GBP,COMPLETED,39.00
CARD_PAYMENT,Current,2024-02-01 10:11:12,,Hotel,-80.00,0.00,GBP,PENDING,
CARD_PAYMENT,Current,2024-02-01 10:11:12,,Shop,-5.00,0.00,GBP,REVERTED,
"""
PAYPAL = """"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","Transaction ID"
"31/01/2024","10:00:00","CET","Etsy Shop","Express Checkout","Completed","USD","-20.00","0.00","-20.00","1AB23456CD789012E"
"30/01/2024","10:00:00","CET","A Buyer","Payment","Completed","USD","100.00","-3.20","96.80","2AB23456CD789012E"
"""
SWISS = """Buchungsdatum;Text;Betrag in CHF;Saldo
31.01.2024;Migros;-1'234.50;10'000.00
30.01.2024;Lohn;5'000.00;11'234.50
"""
INDIAN = """Date,Narration,Withdrawal Amt.,Deposit Amt.,Closing Balance
31/01/24,UPI-CHAI,"1,23,456.78",,"10,00,000.00"
30/01/24,SALARY,,"2,00,000.00","11,23,456.78"
"""
MINT = """"Date","Description","Original Description","Amount","Transaction Type","Category","Account Name","Labels","Notes"
"1/31/2024","Coffee","COFFEE 123","4.50","debit","Coffee Shops","Checking","",""
"1/02/2024","Paycheck","ACME 123","1000.00","credit","Paycheck","Checking","",""
"""
TABS = "Date\tDescription\tMoney out\tMoney in\n31 Jan 2024\tTea\t£2.50\t\n1 Feb 2024\tRefund\t\t£1.00\n"
EXCEL = """sep=;
Date;Description;Amount
2024-01-31;Tea, green;(2.50)
2024-02-01;Pay;3.00CR
2024-02-02;Fee;1.00 DR
2024-02-03;Box;5.00-
"""

JAN_31, FEB_1 = date(2024, 1, 31), date(2024, 2, 1)


@pytest.mark.parametrize(
    ("text", "currency", "rows"),
    [
        (US_CARD, "USD", [(JAN_31, "-4.50", "COFFEE, INC"), (date(2024, 1, 16), "1200.00", "PAYMENT")]),
        (US_CHECKING, "USD", [(date(2024, 1, 30), "-40.00", "GROCER 123"), (date(2024, 1, 29), "140.00", "PAYROLL")]),
        (US_WITH_SUMMARY, "USD", [(JAN_31, "-12.50", "COFFEE")]),
        (UK, "USD", [(JAN_31, "-10.00", "TESCO"), (date(2024, 1, 30), "50.00", "J SMITH")]),
        (GERMAN, "EUR", [(JAN_31, "-1234.56", "Bäckerei Müller"), (date(2024, 1, 2), "2500.00", "ACME GmbH")]),
        (FRENCH, "EUR", [(date(2024, 1, 12), "-3.20", "CARTE BOULANGERIE"), (date(2024, 2, 5), "1850.00", "VIR SALAIRE")]),
        (SPANISH, "EUR", [(date(2024, 2, 3), "-2.50", "Café del Mar Pago con tarjeta"), (FEB_1, "1500.00", "Nómina Transferencia")]),
        (ITALIAN, "EUR", [(date(2024, 2, 5), "-2.50", "Caffè Città"), (date(2024, 2, 6), "1800.00", "Stipendio")]),
        (DUTCH, "EUR", [(JAN_31, "-12.34", "Albert Heijn 1234"), (date(2024, 1, 30), "2500.00", "Werkgever BV")]),
        (REVOLUT, "GBP", [(JAN_31, "-10.00", "Uber"), (JAN_31, "-51.00", "Cash at ATM")]),
        (PAYPAL, "USD", [(JAN_31, "-20.00", "Etsy Shop"), (date(2024, 1, 30), "96.80", "A Buyer")]),
        (SWISS, "CHF", [(JAN_31, "-1234.50", "Migros"), (date(2024, 1, 30), "5000.00", "Lohn")]),
        (INDIAN, "USD", [(JAN_31, "-123456.78", "UPI-CHAI"), (date(2024, 1, 30), "200000.00", "SALARY")]),
        (MINT, "USD", [(JAN_31, "-4.50", "Coffee COFFEE 123"), (date(2024, 1, 2), "1000.00", "Paycheck ACME 123")]),
        (TABS, "GBP", [(JAN_31, "-2.50", "Tea"), (FEB_1, "1.00", "Refund")]),
        (
            EXCEL,
            "USD",
            [
                (JAN_31, "-2.50", "Tea, green"),
                (FEB_1, "3.00", "Pay"),
                (date(2024, 2, 2), "-1.00", "Fee"),
                (date(2024, 2, 3), "-5.00", "Box"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_banks_csv_is_understood(text: str, currency: str, rows: list[tuple[date, str, str]], encoding: str) -> None:
    account = only_account(text.encode(encoding), "export.csv", currency="USD")

    assert account.currency == currency
    assert [(each.transaction_date, signed(each), each.description) for each in account.transactions] == [
        (day, Decimal(amount), description) for day, amount, description in rows
    ]
    assert {each.currency for each in account.transactions} == {currency}
    assert len({each.provider_transaction_id for each in account.transactions}) == len(rows)


def test_balances_come_from_the_latest_row_whichever_way_the_file_goes() -> None:
    down, up = only_account(SWISS, currency="CHF"), only_account("\n".join([SWISS.splitlines()[0], *SWISS.splitlines()[:0:-1]]))

    assert (down.current_balance, down.balance_on) == (Decimal(10000), JAN_31)
    assert (up.current_balance, up.balance_on) == (Decimal(10000), JAN_31)


@pytest.mark.parametrize(
    ("rows", "balance"),
    [
        ("2024-01-31,a,-1,9\n2024-01-31,b,-2,7\n", "7"),
        ("2024-01-31,b,-2,7\n2024-01-31,a,-1,9\n", "7"),
        ("2024-01-31,b,-2,7\n2024-01-31,a,-1,3\n", None),
        ("2024-01-31,b,-2,7\n2024-01-31,a,-1,\n", None),
        ("2024-01-31,b,-2,7\n", "7"),
    ],
)
def test_within_one_day_the_balances_themselves_tell_which_row_is_last(rows: str, balance: str | None) -> None:
    account = only_account("Date,Description,Amount,Balance\n" + rows, currency="EUR")

    assert account.current_balance == (Decimal(balance) if balance else None)
    assert account.balance_on == (JAN_31 if balance else None)


def test_rows_that_moved_no_money_are_counted_and_left_out() -> None:
    assert parse(REVOLUT).left_out == 2
    assert parse(US_CARD, currency="USD").left_out == 0


def test_a_file_of_several_accounts_is_split_and_a_number_is_never_kept() -> None:
    statement = parse(GERMAN_SHORT_YEAR)

    first, second = statement.accounts
    assert [(signed(each), each.transaction_date) for each in first.transactions] == [
        (Decimal("-23.45"), date(2024, 3, 5)),
        (Decimal(-9), date(2024, 3, 7)),
    ]
    assert (first.mask, second.mask, first.currency) == ("3000", "2051", "EUR")
    assert [signed(each) for each in second.transactions] == [Decimal(800)]
    assert "0532013000" not in repr(statement)
    assert only_account(GERMAN).mask == "3000"


def test_facts_beside_the_amount_are_kept() -> None:
    (uber, cash) = only_account(REVOLUT).transactions
    (lastschrift, _) = only_account(GERMAN).transactions

    assert (uber.authorized_date, uber.posted_date) == (date(2024, 1, 30), JAN_31)
    assert dict(uber.payment_meta) == {"type": "CARD_PAYMENT"}
    assert (lastschrift.merchant_name, lastschrift.original_description) == ("Bäckerei Müller", "Bäckerei Müller Brötchen 4711")
    assert dict(lastschrift.payment_meta) == {"type": "Lastschrift", "value_date": "01.02.2024"}
    assert (cash.line, lastschrift.line) == (3, 5)
