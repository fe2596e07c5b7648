"""Signing up, in and out."""

from ipaddress import ip_address

import strawberry

from domains.auth import errors
from domains.flows import sign_in as flow
from resolvers.auth.inputs import SignInInput, SignUpInput
from resolvers.auth.types import Session
from resolvers.errors import Unauthenticated
from resolvers.fields import Info, Input, Payload, expose, extends, mutation, payload

expose(errors)


@payload
class SignUpPayload(Payload):
    """Says the same whether or not the address had an account."""

    accepted: bool = strawberry.field(
        default=False, description="Whether the request was taken. It does not tell whether an account was made."
    )


@payload
class SignInPayload(Payload):
    """A session, or why there is none."""

    session: Session | None = strawberry.field(default=None, description="The session; null when signing in failed.")


@payload
class SignOutPayload(Payload):
    """Whether there was a session to end."""

    signed_out: bool = strawberry.field(default=False, description="True when this call ended the session, false when it had ended before.")


@extends("Mutation")
class AuthMutations:
    @mutation
    async def sign_up(self, info: Info, input: Input[SignUpInput]) -> SignUpPayload:
        """Make an account. Always accepted when the input is valid, so that nobody learns who has one; then sign in.

        Errors: EmailInvalid, PasswordTooWeak, FullNameInvalid, TimeZoneInvalid, LocaleInvalid.
        """
        command = flow.SignUp(
            email=input.email,
            password=input.password,
            full_name=input.full_name,
            timezone=input.timezone,
            currency=input.currency,
            locale=input.locale,
        )
        await flow.sign_up(info.context.services, command, info.context.origin)
        return SignUpPayload(accepted=True)

    @mutation
    async def sign_in(self, info: Info, input: Input[SignInInput]) -> SignInPayload:
        """Open a session with an address and a password.

        Errors: SignInFailed, one answer for every reason; SignInThrottled after many attempts.
        """
        address = _ip_address(info.context.address)
        opened = await flow.sign_in(info.context.services, input.email, input.password, address, info.context.origin)
        return SignInPayload(session=Session(access_token=opened.access_token, expires_at=opened.expires_at))

    @mutation
    async def sign_out(self, info: Info) -> SignOutPayload:
        """End the session whose access token this request carries. Other sessions go on; UNAUTHENTICATED without one."""
        token = info.context.token
        if token is None:
            raise Unauthenticated
        return SignOutPayload(signed_out=await flow.sign_out(info.context.services, info.context.required_viewer, token))


def _ip_address(address: str | None) -> str | None:
    """The address, unless the client came another way (a Unix socket has none)."""
    try:
        return None if address is None else str(ip_address(address))
    except ValueError:
        return None
