"""The rules that everybody begins with: reference data.

A key is permanent: who was given it once is never given it again, also not after deleting the rule. A new key reaches everybody, those
who signed up long ago by a daily task.
"""

from decimal import Decimal
from typing import Final, NamedTuple

from domains.notification.rules import Conditions


class DefaultRule(NamedTuple):
    default_key: str
    name: str
    rule_type: str
    conditions: Conditions


#: Over what everybody can be reached without linking anything.
CHANNELS: Final = ("in_app",)

BUDGETS: Final = "budget_threshold"
LARGE: Final = "large_transaction"
KEYS: Final = (BUDGETS, LARGE)

#: Language -> how the rules are called. Everybody else reads English.
_NAMES: Final = {
    "en": {BUDGETS: "Budgets", LARGE: "Large transactions"},
    "de": {BUDGETS: "Budgets", LARGE: "Große Umsätze"},
    "fr": {BUDGETS: "Budgets", LARGE: "Grosses opérations"},
    "es": {BUDGETS: "Presupuestos", LARGE: "Movimientos grandes"},
}

_USUAL: Final = Decimal(500)
#: What is large where 500 buys little. Round numbers, meant to be changed by whoever they are given to.
_LARGE: Final = {
    Decimal(5_000): "CNY DKK EGP HKD MDL MKD MXN MYR NOK PLN SEK TRY UAH ZAR CZK THB PHP TWD",
    Decimal(50_000): "INR JPY RUB ISK DOP LKR NPR PKR KES NGN ALL RSD AMD ARS BDT",
    Decimal(200_000): "HUF CLP CRC KZT XAF XOF",
    Decimal(500_000): "KRW MMK TZS RWF BIF MNT IQD",
    Decimal(2_000_000): "COP PYG UGX MGA",
    Decimal(5_000_000): "IDR KHR LBP LAK GNF UZS",
    Decimal(10_000_000): "VND IRR",
}
_LARGE_IN: Final = {currency: amount for amount, listed in _LARGE.items() for currency in listed.split()}


def default_rules(locale: str, currency: str) -> list[DefaultRule]:
    """What somebody with this locale (BCP 47) and currency (ISO 4217) is given."""
    names = _NAMES.get(locale.partition("-")[0].lower(), _NAMES["en"])
    conditions = {
        BUDGETS: Conditions(),
        LARGE: Conditions(amount_threshold=_LARGE_IN.get(currency, _USUAL), currency=currency),
    }
    return [DefaultRule(key, names[key], key, conditions[key]) for key in KEYS]
