"""The connections to each bank: to where its accounts are, and to where its tokens are."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from domains.bank.providers.open_banking.config import BankConfig, OpenBankingConfig
from domains.bank.providers.wire import Circuits, Wire


@dataclass(frozen=True, slots=True)
class BankWires:
    """resources: its base is the bank's `base_url`. tokens: its base is the origin of the bank's `token_url`."""

    resources: Wire
    tokens: Wire


def open_wires(config: OpenBankingConfig, circuits: Circuits, **options: Any) -> dict[str, BankWires]:
    """Bank id -> its wires, each with the bank's certificates. `options`: others of Wire. Whoever opens them closes them."""
    return {bank.id: _open(bank, circuits, options) for bank in config.banks}


async def close_wires(wires: Mapping[str, BankWires]) -> None:
    for each in wires.values():
        await each.resources.close()
        await each.tokens.close()


def _open(bank: BankConfig, circuits: Circuits, options: Mapping[str, Any]) -> BankWires:
    server = urlsplit(bank.token_url)
    bases = (bank.base_url, f"{server.scheme}://{server.netloc}")
    resources, tokens = (Wire(base, circuits=circuits, **_certificates(bank), **options) for base in bases)
    return BankWires(resources, tokens)


def _certificates(bank: BankConfig) -> dict[str, Any]:
    """Each wire has a context of its own: our certificate is put into it."""
    given: dict[str, Any] = {}
    if bank.ca_file is not None:
        given["verify"] = ssl.create_default_context(cafile=bank.ca_file)
    if bank.certificate_file is not None and bank.certificate_key_file is not None:
        given["cert"] = (str(bank.certificate_file), str(bank.certificate_key_file))
    return given
