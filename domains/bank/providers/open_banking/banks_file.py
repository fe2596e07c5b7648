"""The file of banks that an operator writes: TOML or JSON, checked to the last letter before any of it is used."""

import difflib
import json
import re
import ssl
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from domains.bank.providers.open_banking.config import SCOPE, BankConfig, ClientAuthentication, SigningKey
from domains.core import currencies

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TEXT_CHARS: Final = 2_000
_FILE_BYTES: Final = 1024 * 1024
_BANKS: Final = 100
#: FAPI 1.0 Advanced, section 5.2.2.5: RSA keys have at least 2048 bits, elliptic curve keys at least 160.
_RSA_BITS: Final = 2048
_NO_KEY: Final = "it is not an unencrypted RSA or P-256 key in PEM"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_RESPONSE_TYPES: Final = ("code", "code id_token")

_REQUIRED: Final = ("id", "name", "base_url", "token_url", "authorisation_url", "client_id", "client_authentication")
_OPTIONAL: Final = (
    "client_secret",
    "client_secret_file",
    "key_file",
    "key_id",
    "audience",
    "issuer",
    "certificate_file",
    "certificate_key_file",
    "ca_file",
    "scope",
    "response_type",
    "financial_id",
    "logo_url",
    "currency",
    "uses_transaction_ids",
)


class BanksFileInvalid(Exception):
    """The file cannot be used. The text says which bank, which key and why, and quotes nothing secret."""


def read_banks(path: Path) -> list[BankConfig]:
    """All banks of a file whose name ends in .toml or .json. Files that it names are looked for beside it, and read here.

    Errors: BanksFileInvalid.
    """
    listed = _load(path)
    if not isinstance(listed, Mapping) or set(listed) != {"banks"} or not isinstance(listed["banks"], list):
        raise BanksFileInvalid(f"{path}: it holds one list named `banks`, and nothing else.")
    if not 0 < len(listed["banks"]) <= _BANKS:
        raise BanksFileInvalid(f"{path}: `banks` holds 1 to {_BANKS} banks.")
    banks = [_Entry(path, number, entry).bank() for number, entry in enumerate(listed["banks"], 1)]
    ids = [bank.id for bank in banks]
    if twice := [each for each in ids if ids.count(each) > 1]:
        raise BanksFileInvalid(f"{path}: two banks have the id {twice[0]}.")
    return banks


def _load(path: Path) -> Any:
    readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BanksFileInvalid(f"{path}: its name ends in .toml or .json.")
    try:
        return reader(_text_of(path, "the file of banks"))
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error).rpartition("(")[2].rstrip(")")
        raise BanksFileInvalid(f"{path}: this is not {path.suffix[1:].upper()} ({place}).") from None
    except RecursionError:
        raise BanksFileInvalid(f"{path}: it is nested too deeply.") from None


def _text_of(path: Path, what: str) -> str:
    try:
        if path.stat().st_size > _FILE_BYTES:
            raise BanksFileInvalid(f"{path}: {what} is larger than 1 MiB.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BanksFileInvalid(f"{path}: {what} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BanksFileInvalid(f"{path}: {what} is not UTF-8 text.") from None


class _Entry:
    """One bank as it was written."""

    def __init__(self, path: Path, number: int, written: object) -> None:
        self._path = path
        self._place = f"{path}: bank {number}"
        if not isinstance(written, Mapping):
            raise BanksFileInvalid(f"{self._place} is not a table of keys and values.")
        self._written = written
        if isinstance(named := written.get("id"), str) and _ID.fullmatch(named):
            self._place += f" ({named})"
        self._refuse_unknown()

    def bank(self) -> BankConfig:
        token_url = self._url("token_url")
        authorisation_url = self._url("authorisation_url")
        key = self._signing_key()
        way = self._way(has_key=key is not None)
        certificate_file, certificate_key_file, ca_file = self._certificates()
        if way is ClientAuthentication.TLS_CLIENT_AUTH and certificate_file is None:
            raise self._wrong("certificate_file", "tls_client_auth needs a certificate")
        server = urlsplit(authorisation_url)
        return BankConfig(
            id=self._matching("id", _ID, "1 to 64 of a-z, 0-9, - and _, and does not begin with - or _"),
            name=self._text("name"),
            base_url=self._url("base_url").rstrip("/"),
            token_url=token_url,
            authorisation_url=authorisation_url,
            client_id=self._text("client_id"),
            client_authentication=way,
            client_secret=self._secret(way),
            key=key,
            audience=self._optional_text("audience") or token_url,
            issuer=self._optional_text("issuer") or f"{server.scheme}://{server.netloc}",
            certificate_file=certificate_file,
            certificate_key_file=certificate_key_file,
            ca_file=ca_file,
            scope=self._scope(),
            response_type="code id_token" if self._one_of("response_type", _RESPONSE_TYPES, "code") == "code id_token" else "code",
            financial_id=self._optional_text("financial_id"),
            logo_url=None if "logo_url" not in self._written else self._url("logo_url"),
            currency=self._currency(),
            uses_transaction_ids=self._flag("uses_transaction_ids", default=True),
        )

    def _refuse_unknown(self) -> None:
        known = (*_REQUIRED, *_OPTIONAL)
        for key in self._written:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                raise BanksFileInvalid(f"{self._place}: {str(key)[:64]} is not a setting." + (f" Did you mean {near[0]}?" if near else ""))
        if missing := [key for key in _REQUIRED if key not in self._written]:
            raise BanksFileInvalid(f"{self._place}: {', '.join(missing)} is missing.")

    def _way(self, *, has_key: bool) -> ClientAuthentication:
        way = ClientAuthentication(self._one_of("client_authentication", [each.value for each in ClientAuthentication], None))
        if way is ClientAuthentication.PRIVATE_KEY_JWT and not has_key:
            raise self._wrong("key_file", "private_key_jwt needs a key to sign with")
        return way

    def _secret(self, way: ClientAuthentication) -> str | None:
        needs = way in (ClientAuthentication.CLIENT_SECRET_BASIC, ClientAuthentication.CLIENT_SECRET_POST)
        given = [key for key in ("client_secret", "client_secret_file") if key in self._written]
        if not needs:
            if given:
                raise self._wrong(given[0], f"{way.value} has no secret: take it out")
            return None
        if len(given) != 1:
            raise self._wrong("client_secret", f"{way.value} needs either client_secret or client_secret_file")
        if given == ["client_secret"]:
            return self._text("client_secret")
        return _text_of(self._file("client_secret_file"), "the client secret").strip() or self._raise("client_secret_file", "it is empty")

    def _signing_key(self) -> SigningKey | None:
        if "key_file" not in self._written:
            if "key_id" in self._written:
                raise self._wrong("key_id", "there is no key_file that it could name")
            return None
        written = _text_of(self._file("key_file"), "the key").encode()
        try:
            key = serialization.load_pem_private_key(written, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            why = "it is a public key: the private one signs" if b" PUBLIC KEY-" in written else _NO_KEY
            raise self._wrong("key_file", why) from None
        key_id = self._optional_text("key_id")
        # FAPI 1.0 Advanced, section 8.6, knows one algorithm for a key of each kind.
        if isinstance(key, rsa.RSAPrivateKey):
            if key.key_size < _RSA_BITS:
                raise self._wrong("key_file", f"an RSA key has at least {_RSA_BITS} bits")
            return SigningKey(id=key_id, algorithm="PS256", key=RSAKey.import_key(written))
        if isinstance(key, ec.EllipticCurvePrivateKey):
            if not isinstance(key.curve, ec.SECP256R1):
                raise self._wrong("key_file", "an elliptic curve key is on P-256")
            return SigningKey(id=key_id, algorithm="ES256", key=ECKey.import_key(written))
        raise self._wrong("key_file", _NO_KEY)

    def _certificates(self) -> tuple[Path | None, Path | None, Path | None]:
        """Tried here, so that a wrong pair is found when the process starts and not when the bank is asked."""
        certificate, key, ca = (self._file(name) if name in self._written else None for name in _CERTIFICATES)
        if (certificate is None) != (key is None):
            raise self._wrong("certificate_file", "certificate_file and certificate_key_file go together")
        try:
            context = ssl.create_default_context(cafile=ca)
        except (ssl.SSLError, OSError):
            raise self._wrong("ca_file", "it holds no certificate in PEM") from None
        if certificate is not None:
            try:
                context.load_cert_chain(certificate, key, password=_no_password)
            except (ssl.SSLError, OSError, _Encrypted):
                raise self._wrong("certificate_file", "it is no certificate in PEM with its own, unencrypted key") from None
        return certificate, key, ca

    def _scope(self) -> str:
        scope = self._optional_text("scope") or SCOPE
        if "accounts" not in scope.split():
            raise self._wrong("scope", "it names `accounts`")
        return scope

    def _currency(self) -> str:
        currency = self._optional_text("currency") or "GBP"
        if not currencies.is_known(currency):
            raise self._wrong("currency", "it is no currency of ISO 4217")
        return currency

    # Values

    def _url(self, key: str) -> str:
        """https, or http on this machine, without log-in, query or fragment."""
        text = self._text(key)
        try:
            parts = urlsplit(text)
            is_whole = bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise self._wrong(key, "it is not a URL") from None
        if not is_whole or parts.scheme not in ("https", "http"):
            raise self._wrong(key, "it is not a whole https:// URL")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise self._wrong(key, "http is for this machine only: use https")
        if _has_more(parts):
            raise self._wrong(key, "it has no log-in, no query and no fragment")
        return text

    def _file(self, key: str) -> Path:
        path = self._path.parent / self._text(key)
        if not path.is_file():
            raise self._wrong(key, f"there is no file {path}")
        return path

    def _text(self, key: str) -> str:
        value = self._written[key]
        if not isinstance(value, str) or not value.strip() or len(value) > _TEXT_CHARS or not value.isprintable():
            raise self._wrong(key, "it is a text of one line that is not empty")
        return value.strip()

    def _optional_text(self, key: str) -> str | None:
        return self._text(key) if key in self._written else None

    def _matching(self, key: str, pattern: re.Pattern[str], described: str) -> str:
        if not pattern.fullmatch(text := self._text(key)):
            raise self._wrong(key, f"it is {described}")
        return text

    def _one_of(self, key: str, words: Sequence[str], default: str | None) -> str:
        word = default if default is not None and key not in self._written else self._text(key)
        if word not in words:
            raise self._wrong(key, f"it is one of {', '.join(words)}")
        return word

    def _flag(self, key: str, *, default: bool) -> bool:
        value = self._written.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "it is true or false")
        return value

    def _wrong(self, key: str, why: str) -> BanksFileInvalid:
        return BanksFileInvalid(f"{self._place}: {key}: {why}.")

    def _raise(self, key: str, why: str) -> str:
        raise self._wrong(key, why)


_CERTIFICATES: Final = ("certificate_file", "certificate_key_file", "ca_file")


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    """Asked for an encrypted key. Without it OpenSSL would ask whoever sits at the terminal."""
    raise _Encrypted


def _has_more(parts: SplitResult) -> bool:
    return bool(parts.username or parts.password or parts.query or parts.fragment)
