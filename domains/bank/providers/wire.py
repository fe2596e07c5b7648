"""The one HTTP client of all providers. It promises little of the network, and nothing of what the other side sends."""

import asyncio
import email.utils
import ipaddress
import json as json_writer
import logging
import random as chance
import re
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol
from urllib.parse import quote, urlencode

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from domains.bank.providers import strict_json
from domains.bank.providers.errors import ProviderError, ProviderGarbled, ProviderUnavailable

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
#: The longest that a call waits because it is asked to; a longer wait is told to whoever calls.
MAX_RETRY_AFTER_S: Final = 60.0
#: Nobody is believed who asks to be left alone for longer than a day.
MAX_TOLD_RETRY_AFTER_S: Final = 86_400.0
#: Waits between tries: half of it to all of it, by chance; it doubles with each try, up to the last.
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 8.0
#: A connection that has said nothing for so long is not used again; most servers close theirs later.
_KEEP_ALIVE_S: Final = 15.0
#: A larger document is read in a thread.
_LARGE_BYTES: Final = 256 * 1024
_SEGMENT_OF_DOTS: Final = re.compile(r"(^|/)(\.|%2[eE]){1,2}(/|$)")
_HOST: Final = re.compile(rb"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")  # a name, or an IPv6 address

Random = Callable[[float, float], float]
Sleep = Callable[[float], Awaitable[None]]


class Circuits(Protocol):
    """Who is not asked for a while, because they did not answer before. Shared by all processes; it never fails itself."""

    async def before(self, key: str) -> None:
        """Errors: ProviderUnavailable, with how long to wait, while the circuit is open."""
        ...

    async def failed(self, key: str) -> None: ...

    async def succeeded(self, key: str) -> None: ...


class NoCircuits:
    """Everybody is asked, always."""

    async def before(self, key: str) -> None:
        pass

    async def failed(self, key: str) -> None:
        pass

    async def succeeded(self, key: str) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """In seconds. attempt_s: one try, to the last byte, however steadily they drip. deadline_s: all tries of a call with their waits."""

    connect_s: float = 5.0
    read_s: float = 30.0
    attempt_s: float = 45.0
    deadline_s: float = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side said. status: 200 to 299, or 400 to 499 without 408 and 429.

    body: the JSON document, whole numbers as int and others as Decimal; None where there is none, or, with 4xx, no JSON.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)


class Wire:
    """Calls to one provider's API. Made once per base URL and shared by all tasks of an event loop; `close` it at the end.

    TLS is on, and cannot be switched off: `http://` is only for this machine, unless `allows_plain`. Cookies are not kept, redirects
    not followed, proxies and log-ins of the environment not used (SSL_CERT_FILE is, where `verify` is True).
    verify: True for the public authorities, or a context with others. cert: files of our own certificate chain and its key.
    retries: how many more tries a call has. connections: how many at once; more calls wait their turn.
    Errors: ValueError for a base URL, or a context, that is not safe.
    """

    def __init__(
        self,
        base_url: str,
        *,
        circuits: Circuits,
        timeout: Timeouts | None = None,
        verify: ssl.SSLContext | Literal[True] = True,
        cert: tuple[str, str] | None = None,
        retries: int = 3,
        connections: int = 10,
        allows_plain: bool = False,
        sleep: Sleep = asyncio.sleep,
        random: Random = chance.uniform,
    ) -> None:
        _silence()
        self._base = _safe_base(base_url, allows_plain=allows_plain)
        self._circuits = circuits
        self._timeout = timeout or Timeouts()
        self._retries = retries
        self._sleep = sleep
        self._random = random
        self._is_closed = False
        context = _context(verify, cert, is_used=self._base.scheme == "https")
        self._transport = _transport(context, connections, keeps=True)
        # One that was kept may have been closed at the other end meanwhile: what must not be sent twice goes over one of its own.
        self._fresh = _transport(context, connections, keeps=False)

    def __repr__(self) -> str:
        return f"Wire({self._base.host})"

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        circuit: str,
        is_repeatable: bool = True,
    ) -> Answer:
        """Ask once, and again where that may help, all within the deadline.

        path: below the base URL, beginning with "/", ids in it by `segment`; or a whole URL of the same server, such as a link to the
        next page. circuit: "<provider>:<institution or ''>". is_repeatable: False where asking twice is not the same as asking once:
        then it is asked again only if the first request cannot have arrived, or was turned away by 429.
        Errors: ProviderUnavailable (no answer, half of one, 5xx, 408 or 429 in the end; the circuit is open); ProviderGarbled (not
        JSON, more than MAX_BODY_BYTES, a redirect, a path that leads elsewhere). None of them holds what was sent or received.
        """
        request = _Request(method, self._url(path, params), _head(headers), *_content(json, form), is_repeatable)
        await self._circuits.before(circuit)
        outcome = await self._outcome(request)
        if isinstance(outcome, Answer):
            await self._circuits.succeeded(circuit)
            return outcome
        if not (isinstance(outcome, _Passing) and outcome.is_ours):
            await self._circuits.failed(circuit)
        raise outcome.as_error() if isinstance(outcome, _Passing) else outcome

    async def close(self) -> None:
        """Close the connections; calls under way fail, and so do later ones."""
        self._is_closed = True
        await self._transport.aclose()
        await self._fresh.aclose()

    def _url(self, path: str, params: Mapping[str, str | int] | None) -> httpx.URL:
        """Errors: ProviderGarbled for what leads to another server, or up and out of the base URL."""
        url = None if _SEGMENT_OF_DOTS.search(path.partition("?")[0]) else _joined(self._base, path)
        if url is None or _origin(url) != _origin(self._base) or url.userinfo:
            raise ProviderGarbled("path")
        return url.copy_merge_params(dict(params)) if params else url

    async def _outcome(self, request: "_Request") -> "Answer | _Passing | ProviderGarbled":
        """The answer after as many tries as it takes and may, or why there is none. As a value: no error of a library is its context."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_Passing), wait=self._wait_s, stop=self._is_last, sleep=self._sleep, reraise=True
        )
        ends = asyncio.get_running_loop().time() + self._timeout.deadline_s
        try:
            return await retrying(self._try, request, ends)
        except (_Passing, ProviderGarbled) as error:
            return error

    def _wait_s(self, state: RetryCallState) -> float:
        base = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (state.attempt_number - 1))
        return max(self._random(base / 2, base), _passing(state).retry_after_s or 0.0)

    def _is_last(self, state: RetryCallState) -> bool:
        failure = _passing(state)
        return (
            not failure.may_be_tried_again
            or state.attempt_number > self._retries
            or (failure.retry_after_s or 0.0) > MAX_RETRY_AFTER_S
            or (state.seconds_since_start or 0.0) + state.upcoming_sleep >= self._timeout.deadline_s
        )

    async def _try(self, request: "_Request", ends: float) -> Answer:
        """One try. Errors: _Passing, ProviderGarbled."""
        if self._is_closed:
            raise _Passing("CLOSED", is_final=True, is_ours=True)
        left_s = max(ends - asyncio.get_running_loop().time(), 0.0)
        failure: _Passing
        try:
            async with asyncio.timeout(min(self._timeout.attempt_s, left_s)):
                return await self._exchange(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = _Passing("CERTIFICATE", is_final=True) if _is_about_tls(error) else _Passing("NOT_REACHED")
        except httpx.PoolTimeout:
            failure = _Passing("BUSY", is_ours=True)
        except (TimeoutError, httpx.TimeoutException):
            failure = _Passing("TIME_OUT", is_final=not request.is_repeatable)
        except (httpx.TransportError, OSError):
            failure = _Passing("CONNECTION_LOST", is_final=not request.is_repeatable)
        raise failure

    async def _exchange(self, request: "_Request") -> Answer:
        transport = self._transport if request.is_repeatable else self._fresh
        response = await transport.handle_async_request(request.made(self._timeout))
        try:
            status = response.status_code
            if status < 200 or 300 <= status < 400:
                raise ProviderGarbled("redirect" if status >= 300 else "status")
            if status in (408, 429) or status >= 500:
                is_final = not request.is_repeatable and status != 429
                raise _Passing(f"HTTP_{status}", retry_after_s=_retry_after_s(response.headers), is_final=is_final)
            return Answer(status=status, headers=response.headers, body=await _body(response))
        finally:
            await response.aclose()


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: httpx.URL = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    content_type: str | None
    is_repeatable: bool

    def made(self, timeout: Timeouts) -> httpx.Request:
        headers = dict(self.headers) | ({} if self.content_type is None else {"Content-Type": self.content_type})
        limits = {"connect": timeout.connect_s, "read": timeout.read_s, "write": timeout.read_s, "pool": timeout.read_s}
        return httpx.Request(self.method, self.url, headers=headers, content=self.content, extensions={"timeout": limits})


class _Passing(Exception):
    """A try that failed as the next one may not. is_final: it must not be repeated. is_ours: it is not the bank's doing."""

    def __init__(self, detail: str, *, retry_after_s: float | None = None, is_final: bool = False, is_ours: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.may_be_tried_again = not is_final
        self.is_ours = is_ours

    def as_error(self) -> ProviderError:
        return ProviderUnavailable(self.detail, retry_after_s=self.retry_after_s)


def segment(value: str) -> str:
    """A value as one segment of a path: nothing in it ends the segment, or begins a query."""
    return quote(value, safe="")


def _joined(base: httpx.URL, path: str) -> httpx.URL | None:
    """None for what is no URL. The base's own path stays in front of a path."""
    if not path.isascii() or not path.isprintable() or " " in path or path.startswith("//"):
        return None
    whole = f"{str(base).rstrip('/')}{path}" if path.startswith("/") else path
    try:
        return httpx.URL(whole)
    except httpx.InvalidURL:
        return None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port  # httpx leaves a scheme's own port out


def _safe_base(base_url: str, *, allows_plain: bool) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        raise ValueError("The base URL of a provider is not a URL.") from None
    if url.scheme not in ("https", "http") or not _HOST.fullmatch(url.raw_host) or url.userinfo or url.query or url.fragment:
        raise ValueError("The base URL of a provider is https://, a host and perhaps a path, and nothing else.")
    if url.scheme == "http" and not allows_plain and not _is_this_machine(url.host):
        raise ValueError(f"The base URL of a provider at {url.host} has to begin with https://.")
    return url


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _context(verify: ssl.SSLContext | Literal[True], cert: tuple[str, str] | None, *, is_used: bool) -> ssl.SSLContext:
    if verify is True:
        # Without TLS the authorities need not be read; a context that knows none trusts nobody.
        context = httpx.create_ssl_context() if is_used else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    elif isinstance(verify, ssl.SSLContext) and verify.verify_mode is ssl.CERT_REQUIRED and verify.check_hostname:
        context = verify
    else:
        raise ValueError("The certificate of a provider has to be verified.")
    if cert is not None:
        context.load_cert_chain(*cert)
    return context


def _transport(context: ssl.SSLContext, connections: int, *, keeps: bool) -> httpx.AsyncHTTPTransport:
    kept = connections if keeps else 0
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=kept, keepalive_expiry=_KEEP_ALIVE_S)
    return httpx.AsyncHTTPTransport(verify=context, limits=limits)


def _silence() -> None:
    """httpx logs whole URLs and httpcore every header: with somebody's token in them, whatever level an operator wants."""
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


def _head(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Errors: ValueError, without its value, for a header that would become two: the library's own would quote it."""
    head = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "florin", **(headers or {})}
    if not all(value.isascii() and value.isprintable() for value in head.values()):
        raise ValueError("A header holds what no header may hold.")
    return head


def _content(json: object, form: Mapping[str, str] | None) -> tuple[bytes | None, str | None]:
    if json is not None:
        return json_writer.dumps(json, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(), "application/json"
    if form is not None:
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    return None, None


def _passing(state: RetryCallState) -> _Passing:
    error = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(error, _Passing):
        raise TypeError("Only what may pass is tried again.")
    return error


def _is_about_tls(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Seconds from now, whether told as seconds or as a date (RFC 9110, 10.2.3); a date is held against the other side's own clock."""
    told = headers.get("retry-after", "").strip()
    if told.isdecimal() and told.isascii():
        return min(float(told[:12]) if len(told) <= 12 else MAX_TOLD_RETRY_AFTER_S, MAX_TOLD_RETRY_AFTER_S)
    until = _date(told)
    if until is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), MAX_TOLD_RETRY_AFTER_S)


def _date(told: str) -> datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


async def _body(response: httpx.Response) -> Any:
    """The document, if there is one. Errors: ProviderGarbled, unless the status says already that something is wrong."""
    unreadable: ProviderGarbled
    try:
        data = await _read(response)
        if not data.strip():
            return None
        return strict_json.parse(data) if len(data) <= _LARGE_BYTES else await asyncio.to_thread(strict_json.parse, data)
    except ProviderGarbled as error:
        unreadable = error
    if response.status_code >= 400:
        return None
    raise unreadable


async def _read(response: httpx.Response) -> bytes:
    """The body, unpacked: never more in memory than MAX_BODY_BYTES and one piece, whatever it claims to be or unpacks to."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "gzip", ""):
        raise ProviderGarbled("content_encoding")
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if packing == "gzip" else None
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece if unpack is None else _unpacked(unpack, piece, MAX_BODY_BYTES + 1 - len(body))
        if len(body) > MAX_BODY_BYTES:
            raise ProviderGarbled("body_too_large")
    if unpack is not None and body and not unpack.eof:
        raise ProviderGarbled("content_encoding")
    return bytes(body)


def _unpacked(unpack: "zlib._Decompress", piece: bytes, at_most: int) -> bytes:
    try:
        return unpack.decompress(piece, at_most)
    except zlib.error:
        pass
    raise ProviderGarbled("content_encoding")
