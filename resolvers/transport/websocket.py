"""GraphQL over WebSocket: graphql-transport-ws and nothing else, on ASGI itself.

A socket belongs to one token, for as long as that is valid. Each operation on it is admitted and charged like a request
over HTTP and has a context of its own. An awaited send is the back-pressure: a slow client holds up its own operations,
whose sources keep one slot and no queue.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import cast

import structlog
from starlette.types import Receive, Scope, Send

from db.errors import RedisUnavailable
from resolvers.errors import RateLimited
from resolvers.execution.operation import Answer, Gateway, Prepared, RequestRefused
from resolvers.transport import messages
from resolvers.transport.admission import REFUSED_COST, Admission, Admitted, client_address, origin_of, token_in
from resolvers.transport.faults import InvalidToken, TooManyOperations
from resolvers.transport.http import request_id_of, run_operation
from resolvers.transport.messages import Close, Complete, Initialise, Ping, Pong, Subscribe
from resolvers.transport.running import Unstoppable

log = structlog.get_logger(__name__)

INITIALISED_WITHIN_S = 10.0
#: How soon a socket notices that its token was signed out elsewhere.
TOKEN_CHECKED_EVERY_S = 60.0
#: A client that takes nothing for this long is gone.
SENT_WITHIN_S = 30.0
OPERATIONS_AT_MOST = 20
FRAME_LIMIT_BYTES = 64 * 1024
CONNECTION_COST = 1


class GraphQLWebSocket:
    """The ASGI endpoint. Whoever mounts it has looked at the origin."""

    def __init__(
        self,
        gateway: Gateway,
        admission: Admission,
        mutations: Unstoppable,
        *,
        initialised_within_s: float = INITIALISED_WITHIN_S,
        token_checked_every_s: float = TOKEN_CHECKED_EVERY_S,
        sent_within_s: float = SENT_WITHIN_S,
    ) -> None:
        self.gateway = gateway
        self.admission = admission
        self.mutations = mutations
        self.initialised_within_s = initialised_within_s
        self.token_checked_every_s = token_checked_every_s
        self.sent_within_s = sent_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        if messages.PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": messages.WRONG_PROTOCOL, "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": messages.PROTOCOL})
        await _Socket(self, scope, receive, send).serve()


class _Socket:
    """One connection: a loop that reads, a task per operation."""

    def __init__(self, endpoint: GraphQLWebSocket, scope: Scope, receive: Receive, send: Send) -> None:
        self._endpoint = endpoint
        self._scope = scope
        self._receive = receive
        self._send_event = send
        self._request_id = request_id_of(scope)
        self._address = client_address(scope)
        self._header = dict(scope["headers"]).get(b"authorization")
        self._token: str | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # those, and cancelled ones that still give back what they held
        self._begun = 0
        self._must_close: Close | None = None
        self._waiting: asyncio.Timeout | None = None
        self._wake_at = asyncio.get_running_loop().time() + endpoint.initialised_within_s
        self._valid_until = self._wake_at

    async def serve(self) -> None:
        """Until either side ends it. Nothing of it is left running then but mutations that had begun."""
        close: Close | None = None
        try:
            await self._read()
        except Close as wanted:
            close = wanted
        except OSError:
            log.debug("websocket.lost", request_id=self._request_id)
        finally:
            await self._end_operations()
            self._scope.setdefault("state", {})["operation"] = {"operations": self._begun, "code": close.code if close else None}
        if close is not None:
            with contextlib.suppress(OSError):
                await self._send_event({"type": "websocket.close", "code": close.code, "reason": _short(close.reason)})

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self._must_close is not None:
                raise self._must_close
            if loop.time() >= self._wake_at:
                await self._check_token()
            try:
                async with asyncio.timeout_at(self._wake_at) as self._waiting:
                    event = await self._receive()
            except TimeoutError:
                continue
            finally:
                self._waiting = None
            if event["type"] == "websocket.disconnect":
                return
            await self._handle(event.get("text"))

    async def _handle(self, text: str | None) -> None:
        if text is None:
            raise Close(messages.BAD_MESSAGE, "Invalid message: frames are text.")
        if len(text) > FRAME_LIMIT_BYTES:
            raise Close(messages.TOO_BIG, "Message too big")
        match messages.understand(text):
            case Initialise(authorization):
                await self._initialise(authorization)
            case Subscribe() as wanted:
                await self._subscribe(wanted)
            case Complete(operation_id):
                if task := self._operations.pop(operation_id, None):
                    task.cancel()
            case Ping():
                await self._send(messages.PONG)
            case Pong():
                pass

    async def _initialise(self, authorization: str | None) -> None:
        if self._token is not None:
            raise Close(messages.INITIALISED_TWICE, "Too many initialisation requests")
        if authorization is None and self._header is not None:
            authorization = self._header.decode("latin-1")
        try:
            token = token_in(authorization or "")
            admitted = await self._endpoint.admission.admit(token, self._address, CONNECTION_COST)
        except InvalidToken:
            raise Close(messages.UNAUTHORIZED, "Unauthorized") from None
        except (RateLimited, RedisUnavailable):
            raise Close(messages.TRY_AGAIN_LATER, "Try again later") from None
        self._token = token
        self._note_validity(admitted)
        await self._send(messages.ACKNOWLEDGED)

    def _note_validity(self, admitted: Admitted) -> None:
        now = asyncio.get_running_loop().time()
        self._valid_until = now + (admitted.expires_in_s or 0.0)
        self._wake_at = min(self._valid_until, now + self._endpoint.token_checked_every_s)

    async def _check_token(self) -> None:
        """The time has come to look: at a client that never initialised, or whether the token still holds."""
        if self._token is None:
            raise Close(messages.INITIALISED_TOO_LATE, "Connection initialisation timeout")
        now = asyncio.get_running_loop().time()
        try:
            self._note_validity(await self._endpoint.admission.admit(self._token, self._address, 0))
        except InvalidToken:
            raise Close(messages.FORBIDDEN, "Token expired") from None
        except RedisUnavailable:
            if now >= self._valid_until:
                raise Close(messages.FORBIDDEN, "Token expired") from None
            self._wake_at = min(self._valid_until, now + self._endpoint.token_checked_every_s)

    async def _subscribe(self, wanted: Subscribe) -> None:
        if self._token is None:
            raise Close(messages.UNAUTHORIZED, "Unauthorized")
        if wanted.id in self._operations:
            raise Close(messages.DUPLICATE_ID, f"Subscriber for {wanted.id} already exists")
        self._begun += 1
        request_id = f"{self._request_id}-{self._begun}"
        if len(self._tasks) >= OPERATIONS_AT_MOST:
            await self._send_errors(wanted.id, self._endpoint.gateway.refusal(TooManyOperations(), request_id))
            return
        task = self._operations[wanted.id] = asyncio.create_task(self._run(wanted, self._token, request_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, wanted: Subscribe, token: str, request_id: str) -> None:
        """One operation, from its document to `complete` or `error`."""
        try:
            prepared, admitted = await self._admit(wanted, token)
            if await self._execute(wanted.id, prepared, admitted, request_id):
                self._forget(wanted.id)  # the client may use the id again as soon as it reads this
                await self._send(messages.complete_of(wanted.id))
        except OSError:
            return  # the client is gone, which the reading loop finds out by itself
        except Exception as error:  # noqa: BLE001 - the outermost frame of an operation: logged and masked by the gateway
            with contextlib.suppress(OSError):
                await self._send_errors(wanted.id, self._endpoint.gateway.refusal(error, request_id))
        finally:
            self._forget(wanted.id)

    async def _admit(self, wanted: Subscribe, token: str) -> tuple[Prepared, Admitted]:
        await self._endpoint.admission.look(token, self._address)
        try:
            prepared = self._endpoint.gateway.prepare(wanted.request)
        except RequestRefused:
            await self._charge(token, REFUSED_COST)
            raise
        return prepared, await self._charge(token, prepared.cost)

    async def _charge(self, token: str, cost: int) -> Admitted:
        try:
            return await self._endpoint.admission.admit(token, self._address, cost)
        except InvalidToken:
            self._close_soon(Close(messages.FORBIDDEN, "Token expired"))
            raise

    async def _execute(self, operation_id: str, prepared: Prepared, admitted: Admitted, request_id: str) -> bool:
        """Run it and send what it answers. False when that was an error, which ends the operation by itself."""
        is_mutation = prepared.operation_type == "mutation"
        origin = origin_of(self._scope, request_id) if is_mutation else None
        gateway, context = self._endpoint.gateway, self._endpoint.admission.context(admitted, request_id, origin)
        if prepared.operation_type == "subscription":
            async with context:
                answers = cast("AsyncGenerator[Answer]", gateway.subscribe(prepared, context, admitted.throttle))
                async with contextlib.aclosing(answers):
                    async for answer in answers:
                        await self._send_answer(operation_id, answer)
            return True
        work = run_operation(gateway, prepared, context, admitted.throttle)
        return await self._send_answer(operation_id, await (self._endpoint.mutations.run(work) if is_mutation else work))

    async def _send_answer(self, operation_id: str, answer: Answer) -> bool:
        if "data" not in answer:
            await self._send_errors(operation_id, answer)
            return False
        await self._send(messages.next_of(operation_id, answer))
        return True

    async def _send_errors(self, operation_id: str, answer: Answer) -> None:
        await self._send(messages.error_of(operation_id, answer["errors"]))

    async def _send(self, data: bytes) -> None:
        """Errors: OSError, when the client is gone or has not taken anything for too long."""
        try:
            async with asyncio.timeout(self._endpoint.sent_within_s):
                await self._send_event({"type": "websocket.send", "text": data.decode()})
        except TimeoutError:
            self._close_soon(Close(messages.TRY_AGAIN_LATER, "Too slow"))
            raise ConnectionAbortedError("nothing was taken in time") from None

    def _close_soon(self, close: Close) -> None:
        """Have the reading loop end the connection, wherever it waits."""
        self._must_close = self._must_close or close
        self._wake_at = 0.0
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(0.0)

    def _forget(self, operation_id: str) -> None:
        if self._operations.get(operation_id) is asyncio.current_task():
            del self._operations[operation_id]

    async def _end_operations(self) -> None:
        """Cancel them and wait until each has given back what it held."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _short(reason: str) -> str:
    """As much of it as a close frame holds: 123 bytes."""
    return reason.encode()[:123].decode(errors="ignore")
