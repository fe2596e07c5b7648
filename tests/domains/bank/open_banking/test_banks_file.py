"""The operator's file of banks: what it may say, and how it is told what is wrong."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, RSAKey

from app.simulators.bank import SimBank
from app.simulators.open_banking import OpenBankingSimulator
from domains.bank.providers.errors import ProviderUnavailable
from domains.bank.providers.open_banking import (
    BanksFileInvalid,
    ClientAuthentication,
    OpenBankingConfig,
    close_wires,
    open_wires,
    read_banks,
)
from domains.bank.providers.wire import NoCircuits
from tests.domains.bank.open_banking.world import TODAY, write_pem
from tests.servers.certificates import Authority

RSA = RSAKey.generate_key(2048)

BANK: Mapping[str, Any] = {
    "id": "example-bank",
    "name": "Example Bank",
    "base_url": "https://api.example.com/open-banking/v4.0/aisp/",
    "token_url": "https://auth.example.com/token",
    "authorisation_url": "https://login.example.com/authorize",
    "client_id": "our-client",
    "client_authentication": "client_secret_basic",
    "client_secret": "a-secret-word",
}


def written(folder: Path, *banks: Mapping[str, Any]) -> Path:
    path = folder / "banks.json"
    path.write_text(json.dumps({"banks": list(banks)}))
    return path


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in BANK.items() if name not in names} | more


def test_a_bank_is_read_with_what_is_left_out_filled_in(tmp_path: Path) -> None:
    bank = read_banks(written(tmp_path, BANK))[0]

    assert bank.base_url == "https://api.example.com/open-banking/v4.0/aisp"
    assert bank.client_authentication is ClientAuthentication.CLIENT_SECRET_BASIC
    assert bank.audience == "https://auth.example.com/token"
    assert bank.issuer == "https://login.example.com"
    assert (bank.scope, bank.response_type, bank.currency, bank.uses_transaction_ids) == ("openid accounts", "code", "GBP", True)
    assert "a-secret-word" not in repr(bank)


def test_the_file_may_be_toml_and_hold_several_banks(tmp_path: Path) -> None:
    write_pem(tmp_path / "signing.pem", RSA)
    path = tmp_path / "banks.toml"
    path.write_text(
        """
        [[banks]]
        id = "one"
        name = "Bank One"
        base_url = "https://one.example/aisp"
        token_url = "https://one.example/token"
        authorisation_url = "https://one.example/authorize"
        client_id = "c"
        client_authentication = "private_key_jwt"
        key_file = "signing.pem"
        key_id = "k-1"
        response_type = "code id_token"
        financial_id = "0015800001041RHAAY"

        [[banks]]
        id = "two"
        name = "Bank Two"
        base_url = "https://two.example/aisp"
        token_url = "https://two.example/token"
        authorisation_url = "https://two.example/authorize"
        client_id = "c"
        client_authentication = "client_secret_post"
        client_secret_file = "secret.txt"
        uses_transaction_ids = false
        """
    )
    (tmp_path / "secret.txt").write_text("from-a-file\n")

    one, two = read_banks(path)

    assert one.key is not None
    assert (one.key.id, one.key.algorithm, one.response_type) == ("k-1", "PS256", "code id_token")
    assert (two.client_secret, two.uses_transaction_ids) == ("from-a-file", False)
    assert OpenBankingConfig(banks=[one, two], secret=b"s").find(None) is None
    assert OpenBankingConfig(banks=[one], secret=b"s").find(None) is one


def test_an_elliptic_key_signs_with_es256(tmp_path: Path) -> None:
    write_pem(tmp_path / "signing.pem", ECKey.generate_key("P-256"))
    bank = without("client_secret", client_authentication="private_key_jwt", key_file="signing.pem")

    key = read_banks(written(tmp_path, bank))[0].key

    assert key is not None
    assert (key.id, key.algorithm) == (None, "ES256")


def test_what_the_simulator_prints_is_such_a_file(tmp_path: Path) -> None:
    path = tmp_path / "banks.toml"
    path.write_text(OpenBankingSimulator(SimBank(1, today=TODAY, history_days=0)).banks_file("http://127.0.0.1:8100"))

    bank = read_banks(path)[0]

    assert (bank.id, bank.base_url) == ("simulated-bank", "http://127.0.0.1:8100/open-banking/v4.0/aisp")


@pytest.mark.parametrize(
    ("bank", "said"),
    [
        (without("name", "token_url"), "bank 1 (example-bank): name, token_url is missing."),
        (without(base_urll="x"), "bank 1 (example-bank): base_urll is not a setting. Did you mean base_url?"),
        (without(id="Example Bank"), "bank 1: id: it is 1 to 64 of a-z, 0-9, - and _, and does not begin with - or _."),
        (without(base_url="http://api.example.com/aisp"), "base_url: http is for this machine only: use https."),
        (without(base_url="ftp://api.example.com"), "base_url: it is not a whole https:// URL."),
        (without(base_url="api.example.com"), "base_url: it is not a whole https:// URL."),
        (without(base_url="https://["), "base_url: it is not a URL."),
        (without(token_url="https://u:p@api.example.com/"), "token_url: it has no log-in, no query and no fragment."),
        (without(token_url="https://api.example.com/?x=1"), "token_url: it has no log-in, no query and no fragment."),
        (without(logo_url="javascript:alert(1)"), "logo_url: it is not a whole https:// URL."),
        (without(client_id=7), "client_id: it is a text of one line that is not empty."),
        (without(client_id="a\nb"), "client_id: it is a text of one line that is not empty."),
        (without(client_id="  "), "client_id: it is a text of one line that is not empty."),
        (
            without(client_authentication="password"),
            "client_authentication: it is one of private_key_jwt, tls_client_auth, client_secret_basic, client_secret_post.",
        ),
        (without("client_secret"), "client_secret: client_secret_basic needs either client_secret or client_secret_file."),
        (without(client_secret_file="x"), "client_secret: client_secret_basic needs either client_secret or client_secret_file."),
        (without("client_secret", client_secret_file="nowhere.txt"), "client_secret_file: there is no file "),
        (without("client_secret", client_secret_file="empty.txt"), "client_secret_file: it is empty."),
        (without(client_authentication="private_key_jwt"), "key_file: private_key_jwt needs a key to sign with."),
        (
            without(client_authentication="private_key_jwt", key_file="rsa.pem"),
            "client_secret: private_key_jwt has no secret: take it out.",
        ),
        (without("client_secret", client_authentication="tls_client_auth"), "certificate_file: tls_client_auth needs a certificate."),
        (without(key_id="k"), "key_id: there is no key_file that it could name."),
        (without(key_file="public.pem"), "key_file: it is a public key: the private one signs."),
        (without(key_file="short.pem"), "key_file: an RSA key has at least 2048 bits."),
        (without(key_file="p384.pem"), "key_file: an elliptic curve key is on P-256."),
        (without(key_file="locked.pem"), "key_file: it is not an unencrypted RSA or P-256 key in PEM."),
        (without(key_file="edwards.pem"), "key_file: it is not an unencrypted RSA or P-256 key in PEM."),
        (without(key_file="empty.txt"), "key_file: it is not an unencrypted RSA or P-256 key in PEM."),
        (without(key_file="binary.pem"), "binary.pem: the key is not UTF-8 text."),
        (without(certificate_file="cert.pem"), "certificate_file: certificate_file and certificate_key_file go together."),
        (
            without(certificate_file="cert.pem", certificate_key_file="rsa.pem"),
            "certificate_file: it is no certificate in PEM with its own, unencrypted key.",
        ),
        (
            without(certificate_file="cert.pem", certificate_key_file="locked.pem"),
            "certificate_file: it is no certificate in PEM with its own, unencrypted key.",
        ),
        (without(ca_file="empty.txt"), "ca_file: it holds no certificate in PEM."),
        (without(scope="openid"), "scope: it names `accounts`."),
        (without(response_type="token"), "response_type: it is one of code, code id_token."),
        (without(currency="POUND"), "currency: it is no currency of ISO 4217."),
        (without(uses_transaction_ids="no"), "uses_transaction_ids: it is true or false."),
        ("a bank", "bank 1 is not a table of keys and values."),
    ],
)
def test_what_is_wrong_is_told_with_its_bank_and_its_key(files: Path, bank: Any, said: str) -> None:
    with pytest.raises(BanksFileInvalid) as invalid:
        read_banks(written(files, bank))

    assert said in str(invalid.value)
    assert "a-secret-word" not in str(invalid.value)
    assert invalid.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("banks.yaml", "", "its name ends in .toml or .json."),
        ("banks.json", "{", "this is not JSON (line 1)."),
        ("banks.toml", "banks = [", "this is not TOML ("),
        ("banks.json", "[]", "it holds one list named `banks`, and nothing else."),
        ("banks.json", '{"banks": [], "more": 1}', "it holds one list named `banks`, and nothing else."),
        ("banks.json", '{"banks": []}', "`banks` holds 1 to 100 banks."),
        ("banks.json", "[" * 100_000, "it is nested too deeply."),
        ("banks.json", " " * 1_048_577, "the file of banks is larger than 1 MiB."),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(BanksFileInvalid) as invalid:
        read_banks(tmp_path / name)

    assert said in str(invalid.value)


def test_a_file_that_is_not_there_and_two_banks_of_one_id_are_told(tmp_path: Path) -> None:
    with pytest.raises(BanksFileInvalid, match=r"cannot be read: No such file or directory\."):
        read_banks(tmp_path / "banks.json")
    with pytest.raises(BanksFileInvalid, match=r"two banks have the id example-bank\."):
        read_banks(written(tmp_path, BANK, without(name="Again")))


async def test_a_bank_sees_our_certificate_and_we_see_its_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    authority.issue("us")
    seen: list[object] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        seen.append(writer.get_extra_info("peercert")["subject"])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    ours = authority.issue("bank", addresses=("127.0.0.1",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.cert)
    context.load_cert_chain(ours.cert, ours.key)
    context.verify_mode = ssl.CERT_REQUIRED
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        shown = {"base_url": f"{url}/aisp", "token_url": f"{url}/token", "ca_file": "ca.crt"}
        both = {"client_authentication": "tls_client_auth", "certificate_file": "us.crt", "certificate_key_file": "us.key"}
        banks = [
            without("client_secret", **shown, **both),
            without(id="anonymous", **shown),
            without(id="unknowing", **shown | {"ca_file": "us.crt"}),
        ]
        wires = open_wires(OpenBankingConfig(banks=read_banks(written(tmp_path, *banks)), secret=b"s"), NoCircuits(), retries=0)
        found = await wires["example-bank"].resources.call("GET", "/accounts", circuit="x")
        token = await wires["example-bank"].tokens.call("POST", "/token", form={}, circuit="x")
        for stranger in ("anonymous", "unknowing"):
            with pytest.raises(ProviderUnavailable):
                await wires[stranger].resources.call("GET", "/accounts", circuit="x")
        await close_wires(wires)

    assert (found.status, token.status) == (200, 200)
    assert seen == [((("commonName", "us"),),)] * 2


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of keys and certificates, good ones and others."""
    folder = tmp_path_factory.mktemp("banks")
    pair = Authority(folder, "ca").issue("cert")
    pair.cert.rename(folder / "cert.pem")
    write_pem(folder / "rsa.pem", RSA)
    write_pem(folder / "public.pem", RSA, private=False)
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  it is refused
    (folder / "short.pem").write_bytes(_pem(short, serialization.NoEncryption()))
    (folder / "edwards.pem").write_bytes(_pem(ed25519.Ed25519PrivateKey.generate(), serialization.NoEncryption()))
    write_pem(folder / "p384.pem", ECKey.generate_key("P-384"))
    (folder / "empty.txt").write_text("")
    (folder / "binary.pem").write_bytes(b"\xff\xfe\x00")
    locked = serialization.BestAvailableEncryption(b"a password")
    (folder / "locked.pem").write_bytes(_pem(ec.generate_private_key(ec.SECP256R1()), locked))
    return folder


def _pem(key: Any, encryption: serialization.KeySerializationEncryption) -> bytes:
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
