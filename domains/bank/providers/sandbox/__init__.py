"""A bank that is made up: the demo's, and the double of a real one in tests."""

from domains.bank.providers.sandbox.provider import PEOPLE, SandboxProvider

__all__ = ["PEOPLE", "SandboxProvider"]
