"""Banks that are reached by the UK Open Banking standard, each by itself."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

from domains.bank.providers import reading
from domains.bank.providers.errors import LinkRefused, ProviderError, ProviderGarbled, ProviderRefused, ReauthenticationRequired
from domains.bank.providers.open_banking import signing
from domains.bank.providers.open_banking.access import Access
from domains.bank.providers.open_banking.bank import PROVIDER, Bank, Customer, code_of
from domains.bank.providers.open_banking.config import BankConfig, OpenBankingConfig
from domains.bank.providers.open_banking.days import Cursor
from domains.bank.providers.open_banking.fetch import Fetch
from domains.bank.providers.open_banking.wires import BankWires
from domains.bank.providers.protocol import Fetched, LinkAnswer, Linked, LinkRequest, LinkStart, Listener, Reached
from domains.core.clock import Clock

_ID_TOKEN_CHARS: Final = 16_384
#: What a bank's token endpoint says of a code that is not good (RFC 6749, 5.2); anything else is about us.
_BAD_CODE: Final = frozenset({"INVALID_GRANT", "ACCESS_DENIED"})


class OpenBankingProvider:
    """A connection is a customer's consent at one of the banks of `config`. `Linked.item_id` names the bank and the first consent, also
    after a repair, which is a new consent: the old one is ended once a fetch with the new one has worked.

    wires: by the ids of the banks (`open_wires`). Errors: as LinkedProvider says.
    """

    name = PROVIDER

    def __init__(self, wires: Mapping[str, BankWires], config: OpenBankingConfig, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._banks = {bank.id: Bank(bank, wires[bank.id], clock) for bank in config.banks}

    @property
    def institutions(self) -> list[BankConfig]:
        """The banks that can be linked, as the operator has listed them."""
        return list(self._config.banks)

    async def begin_link(self, request: LinkRequest) -> LinkStart:
        """The bank's own page, to agree to a consent that now waits there.

        Errors: also LinkRefused without a redirect URL, or for a bank that is not set up (or not named, where there are several).
        """
        bank = self._bank(request.institution_id if request.reached is None else request.reached.institution_id)
        if request.redirect_url is None:
            raise LinkRefused("REDIRECT_URL_MISSING")
        consent = await bank.create_consent()
        now = self._clock.now()
        begun = signing.Begun(consent_id=consent.id, redirect_url=request.redirect_url)
        secret = {
            "bank": bank.config.id,
            "consent": begun.consent_id,
            "redirect_url": begun.redirect_url,
            "state": begun.state,
            "nonce": begun.nonce,
            "verifier": begun.verifier,
        }
        return LinkStart(expires_at=now + signing.REQUEST_LASTS, url=signing.authorisation_url(bank.config, begun, now), secret=secret)

    async def complete_link(self, answer: LinkAnswer) -> Linked:
        """The connection, once the bank's own word is that its customer agreed.

        Effects: the code is used up, whatever comes of it.
        """
        begun = _begun(answer)
        bank = self._bank(answer.secret["bank"])
        code = _checked_code(answer, begun)
        granted = await bank.exchange(code, begun)
        if granted.status != 200:
            why = code_of(granted)
            raise LinkRefused(why) if why in _BAD_CODE else ProviderRefused(why)
        token, refresh_token, expires_at = bank.read_token(granted)
        self._check_id_token(bank.config, granted.body, begun)
        consent = await bank.find_consent(begun.consent_id)
        if consent is None or not consent.holds(self._clock.now()):
            raise LinkRefused("CONSENT_NOT_FOUND" if consent is None else consent.status)
        former = [each for each in _consents(answer.reached) if each != consent.id]
        access = Access(consent_id=consent.id, token=token, refresh_token=refresh_token, expires_at=expires_at, former=former)
        return Linked(
            item_id=f"{bank.config.id}:{consent.id}" if answer.reached is None else answer.reached.item_id,
            credentials=access.credentials(),
            institution_id=bank.config.id,
            institution_name=bank.config.name,
            institution_logo_url=bank.config.logo_url,
            consent_expires_at=consent.expires_at,
        )

    async def fetch(self, reached: Reached, listener: Listener, today: date) -> Fetched:
        """By booking window: each account says of which days its transactions are all that there is (`StatementAccount.window`).

        Effects: consents that this one takes the place of are ended, once everything is there.
        """
        bank = self._reached(reached)
        if reached.consent_expires_at is not None and reached.consent_expires_at <= self._clock.now():
            raise ReauthenticationRequired("CONSENT_EXPIRED")
        customer = Customer(bank, Access.read(reached.credentials), listener)
        fetch = Fetch(customer, listener, self._config.secret, today)
        statement, cursor = await fetch.run(Cursor.read(reached.cursor))
        await _end_former(customer)
        return Fetched(statement=statement, cursor=cursor, consent_expires_at=reached.consent_expires_at, pages=fetch.pages)

    async def revoke(self, reached: Reached) -> None:
        """End the consent, and those before it that are still in force."""
        bank = self._reached(reached)
        for consent_id in _consents(reached) or (reached.item_id.partition(":")[2],):
            await bank.end_consent(consent_id)

    def _bank(self, bank_id: str | None) -> Bank:
        config = self._config.find(bank_id)
        if config is None:
            raise LinkRefused("INSTITUTION_UNKNOWN")
        return self._banks[config.id]

    def _reached(self, reached: Reached) -> Bank:
        """Errors: ProviderRefused when the operator has taken the bank out."""
        config = self._config.find(reached.institution_id)
        if config is None:
            raise ProviderRefused("INSTITUTION_UNKNOWN")
        return self._banks[config.id]

    def _check_id_token(self, bank: BankConfig, body: Any, begun: signing.Begun) -> None:
        """Where an identity was asked for, the bank says for which authorisation the token is."""
        token = reading.optional_identifier(reading.member(body, "id_token", "body"), "id_token", _ID_TOKEN_CHARS)
        if token is not None:
            signing.check_id_token(token, bank, begun.nonce, begun.consent_id, self._clock.now())
        elif "openid" in bank.scope.split():
            raise ProviderGarbled("id_token")


def _begun(answer: LinkAnswer) -> signing.Begun:
    secret = answer.secret
    return signing.Begun(
        consent_id=secret["consent"],
        redirect_url=secret["redirect_url"],
        state=secret["state"],
        nonce=secret["nonce"],
        verifier=secret["verifier"],
    )


def _checked_code(answer: LinkAnswer, begun: signing.Begun) -> str:
    """Errors: LinkRefused for a state that is not ours, another redirect page, and for no code: the person did not agree."""
    if not signing.is_same_state(answer.state, begun.state):
        raise LinkRefused("STATE_MISMATCH")
    if answer.redirect_url is not None and answer.redirect_url != begun.redirect_url:
        raise LinkRefused("REDIRECT_URL_MISMATCH")
    if not answer.code or len(answer.code) > _ID_TOKEN_CHARS:
        raise LinkRefused("NO_CODE")
    return answer.code


def _consents(reached: Reached | None) -> tuple[str, ...]:
    """All that are in force for a connection, the newest last; none where its credentials are not ours."""
    try:
        access = None if reached is None else Access.read(reached.credentials)
    except ReauthenticationRequired:
        access = None
    return () if access is None else (*access.former, access.consent_id)


async def _end_former(customer: Customer) -> None:
    """What cannot be ended now is ended after the next fetch."""
    left = []
    for consent_id in customer.access.former:
        try:
            await customer.bank.end_consent(consent_id)
        except ProviderError:
            left.append(consent_id)
    if len(left) < len(customer.access.former):
        await customer.keep(replace(customer.access, former=tuple(left)))
