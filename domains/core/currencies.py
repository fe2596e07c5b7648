"""Currencies of ISO 4217 in circulation, with the digits of their minor unit.

Source: ISO 4217:2015 list one, as amended to 2026 (funds codes, precious metals and test codes are left out).
"""

_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"
_TWO_DIGITS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK
DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR
RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED
VES WST XCD XCG YER ZAR ZMW ZWG
"""

#: ISO 4217 code -> digits after the decimal point.
DIGITS: dict[str, int] = {
    code: digits for codes, digits in ((_NO_DIGITS, 0), (_TWO_DIGITS, 2), (_THREE_DIGITS, 3), (_FOUR_DIGITS, 4)) for code in codes.split()
}

#: Digits that every amount is stored with: the most any currency has.
STORED_DIGITS = 4


def is_known(code: str) -> bool:
    return code in DIGITS


def digits(code: str) -> int:
    """Digits after the point; 2 for a code that is not (or no longer) on the list, such as a bank's points."""
    return DIGITS.get(code, 2)
