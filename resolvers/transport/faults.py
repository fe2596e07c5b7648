"""What a transport refuses by itself, before GraphQL is asked: each with its code and its HTTP status."""

from typing import ClassVar

from resolvers.errors import Fault, RateLimited, Unauthenticated, Unavailable


class TransportFault(Fault):
    """A request that cannot be a GraphQL request, or may not be one here."""

    status: ClassVar[int]


class BadRequest(TransportFault):
    code = "BAD_REQUEST"
    default_message = "The request is malformed."
    status = 400


class BodyTooSlow(TransportFault):
    code = "REQUEST_TIMEOUT"
    default_message = "The body did not arrive in time."
    status = 408


class BodyTooLarge(TransportFault):
    code = "PAYLOAD_TOO_LARGE"
    default_message = "The body is too large."
    status = 413


class UnsupportedMediaType(TransportFault):
    code = "UNSUPPORTED_MEDIA_TYPE"
    default_message = "Send the request as application/json, in UTF-8 and not compressed."
    status = 415


class NotAcceptable(TransportFault):
    code = "NOT_ACCEPTABLE"
    default_message = "The answer comes as application/graphql-response+json or application/json."
    status = 406


class WrongMethod(TransportFault):
    code = "METHOD_NOT_ALLOWED"
    default_message = "Send the request with POST, or a query with GET."
    status = 405


class ForeignOrigin(TransportFault):
    code = "ORIGIN_NOT_ALLOWED"
    default_message = "Requests from this origin are not allowed."
    status = 403


class InvalidToken(Unauthenticated):
    """One answer for a token that is malformed, unknown, expired or signed out."""

    default_message = "The token is not valid, or no longer. Sign in again."


class TooManyOperations(RateLimited):
    code = "TOO_MANY_OPERATIONS"
    default_message = "Too many operations are running on this connection."


def http_status(fault: Fault) -> int:
    """The HTTP status that says the same as the fault. A fault of the document itself is 400."""
    match fault:
        case TransportFault():
            return fault.status
        case Unauthenticated():
            return 401
        case RateLimited():
            return 429
        case Unavailable():
            return 503
        case _:
            return 400
