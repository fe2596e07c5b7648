"""How a bank fails us. Their codes are permanent, and stand in the history of syncs.

None of them holds what the bank sent: that may be somebody's data, or a secret.
"""

from typing import ClassVar, Final

#: How long the provider's own word for a failure may be.
DETAIL_AT_MOST: Final = 100


class ProviderError(Exception):
    """`detail`: the provider's own code for it, such as ITEM_LOGIN_REQUIRED; upper case, digits and underscores."""

    code: ClassVar[str] = "PROVIDER_ERROR"
    message: ClassVar[str] = "The bank could not be asked."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = None if detail is None else "".join(each if each.isalnum() else "_" for each in detail.upper())[:DETAIL_AT_MOST]
        super().__init__(self.code if self.detail is None else f"{self.code}: {self.detail}")


class ProviderUnavailable(ProviderError):
    """It does not answer, or asks to be left alone for a while. Passing."""

    code = "PROVIDER_UNAVAILABLE"
    message = "The bank does not answer at the moment. It is asked again."

    def __init__(self, detail: str | None = None, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class ProviderGarbled(ProviderError):
    """It says what cannot be meant: not JSON, too much of it, an amount that is no number, a day in 1800. Passing, perhaps.

    `detail` names the field.
    """

    code = "PROVIDER_GARBLED"
    message = "The bank's answer cannot be read. It is asked again."


class ProviderRefused(ProviderError):
    """It will not do what we ask, whoever's account it is: our client's id, secret or request is wrong. The operator's to mend."""

    code = "PROVIDER_REFUSED"
    message = "The bank refuses this installation. Its operator has to look after it."


class ReauthenticationRequired(ProviderError):
    """It wants its customer to sign in, or to agree, again: the connection has to be repaired."""

    code = "REAUTHENTICATION_REQUIRED"
    message = "The bank wants you to sign in there again."


class LinkRefused(ProviderError):
    """The person did not agree, or what they came back with is stale or forged."""

    code = "LINK_REFUSED"
    message = "The bank was not linked. Begin again."
