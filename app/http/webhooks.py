"""POST /webhooks/plaid: what Plaid tells us by itself. It stands behind no token and no list of origins: it is signed.

    200   it is Plaid's, and was taken in, or has nothing that concerns us; also when it was taken in before
    400   it is not Plaid's, or not of now: nothing of it was stored
    429   the same, from an address that has sent too many of those
    404   this installation does not use Plaid
    503   it may be Plaid's, and we cannot say, or not keep it, now: send it again

Plaid gives an address up that refuses too much of what it sends: our own faults are never 4xx.
"""

import asyncio
import hashlib
from typing import Final

import structlog
from starlette.types import Receive, Scope, Send

from db.errors import RedisUnavailable
from db.limits import Bucket, take
from domains.bank.providers.errors import ProviderError
from domains.bank.providers.plaid.provider import PlaidProvider
from domains.bank.providers.plaid.webhooks import WebhookForged, WebhookMalformed, read_webhook, verify_webhook
from domains.flows.services import Services
from domains.flows.take_webhook import take_webhook
from resolvers.errors import Fault, RateLimited, Unavailable, fault_of
from resolvers.transport.admission import client_address
from resolvers.transport.body import ClientGone, read_body
from resolvers.transport.faults import TransportFault, WrongMethod
from resolvers.transport.reply import Reply, fault_reply, send_reply

log = structlog.get_logger(__name__)

BODY_LIMIT_BYTES: Final = 64 * 1024
READ_WITHIN_S: Final = 5.0
#: Plaid waits ten seconds for an answer.
ANSWERED_WITHIN_S: Final = 8.0
#: Messages of an address that are not Plaid's: beyond these they are neither logged nor told apart. Plaid's own cost nothing.
REFUSED: Final = Bucket(capacity=60, per_second=0.5)
_SIGNATURE: Final = b"plaid-verification"
_TAKEN: Final = Reply(200, b"{}", [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"2")])


class WebhookRefused(TransportFault):
    """One answer for whatever is wrong with it."""

    code = "WEBHOOK_REFUSED"
    default_message = "This is not signed by the provider, or not now."
    status = 400


class PlaidWebhooks:
    """The ASGI endpoint."""

    def __init__(self, services: Services, plaid: PlaidProvider) -> None:
        self._services = services
        self._plaid = plaid

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive)
        except ClientGone:
            scope["state"]["client_left"] = True
            return
        except Fault as fault:
            await send_reply(send, fault_reply(fault))
        else:
            await send_reply(send, _TAKEN)

    async def _answer(self, scope: Scope, receive: Receive) -> None:
        """Errors: Faults; ClientGone. Anything else is a bug."""
        if scope["method"] != "POST":
            raise WrongMethod("Send the message with POST.")
        try:
            await self._take(scope, receive)
        except WebhookForged as forged:
            await self._note_refusal(client_address(scope), forged.reason)
            raise WebhookRefused from None
        except (TransportFault, ClientGone):
            raise
        except Exception as error:
            raise _own(error) from error

    async def _take(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        token = headers.get(_SIGNATURE, b"").decode("latin-1")
        if not token:
            raise WebhookForged("no signature")
        body = await read_body(headers, receive, limit_bytes=BODY_LIMIT_BYTES, within_s=READ_WITHIN_S)
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            await verify_webhook(body, token, self._plaid.webhook_keys, self._services.clock.now())
            try:
                webhook = read_webhook(body)
            except WebhookMalformed as malformed:
                log.warning("webhook.unreadable", reason=str(malformed))  # it is Plaid's: sent again it would be no better
                return
            is_news = await take_webhook(self._services, self._plaid.name, webhook, digest_of(token))
        log.info("webhook.taken", kind=webhook.kind.value, is_news=is_news)

    async def _note_refusal(self, address: str, reason: str) -> None:
        """One line in the log, without content. Errors: RateLimited."""
        try:
            charge = await take(self._services.redis, f"webhook:{address}", REFUSED)
        except RedisUnavailable:
            return  # it is refused all the same; nobody counts them now, and nobody fills the log
        if not charge.granted:
            raise RateLimited(retry_after_s=charge.retry_after_s)
        log.warning("webhook.refused", reason=reason)


def plaid_webhooks(services: Services) -> PlaidWebhooks | None:
    """The endpoint, of a process that uses Plaid."""
    plaid = services.banks.get(PlaidProvider.name)
    return PlaidWebhooks(services, plaid) if isinstance(plaid, PlaidProvider) else None


def digest_of(token: str) -> str:
    """What makes a verified message itself: all that was signed, which names the body and the second. SHA-256, lower-case hex.

    Not the signature, which can be written in two ways.
    """
    return hashlib.sha256(token.rpartition(".")[0].encode("ascii")).hexdigest()


def _own(error: Exception) -> Exception:
    """Our own fault, or Plaid's when it cannot be asked for its keys: never the message's. A bug is itself."""
    if isinstance(error, ProviderError):
        log.warning("webhook.not_verified", code=error.code)
        return Unavailable(retry_after_s=getattr(error, "retry_after_s", None))
    fault = fault_of(error)
    if fault is None:
        return error
    log.warning("webhook.not_taken", error=type(error).__name__)
    return Unavailable(retry_after_s=fault.extensions.get("retryAfterSeconds"))
