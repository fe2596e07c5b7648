"""Partial changes: an input that was not given, as against one that was given as null."""

from enum import Enum
from typing import Final


class Unset(Enum):
    UNSET = "unset"


UNSET: Final = Unset.UNSET
