"""Banks that speak Open Banking UK Account Information 4.0, or 3.1, whose words differ.

`read_banks` reads what an operator wrote, `open_wires` opens the connections, `OpenBankingProvider` is the provider.
"""

from domains.bank.providers.open_banking.banks_file import BanksFileInvalid, read_banks
from domains.bank.providers.open_banking.config import BankConfig, ClientAuthentication, OpenBankingConfig, SigningKey
from domains.bank.providers.open_banking.provider import OpenBankingProvider
from domains.bank.providers.open_banking.wires import BankWires, close_wires, open_wires

__all__ = [
    "BankConfig",
    "BankWires",
    "BanksFileInvalid",
    "ClientAuthentication",
    "OpenBankingConfig",
    "OpenBankingProvider",
    "SigningKey",
    "close_wires",
    "open_wires",
    "read_banks",
]
