"""Numbers, nouns and currencies as the words of a language take them, and what is around them."""

from __future__ import annotations

from typing import NamedTuple


class Number(NamedTuple):
    """A number as it is written, without signs between its groups of digits.

    Attributes:
        whole: Digits before the decimal sign; empty in `.5`.
        decimals: Digits behind it; empty if there are none.
        is_negative: Whether a minus is before it.
    """

    whole: str
    decimals: str = ""
    is_negative: bool = False

    @property
    def is_one(self) -> bool:
        """Whether what is counted is in the singular."""
        return self.whole.lstrip("0") == "1" and not self.decimals.strip("0")


class Noun(NamedTuple):
    """What is counted: a unit, a currency or its hundredth part."""

    one: str
    many: str
    is_feminine: bool = False


class Context(NamedTuple):
    """What stands around a number in a sentence: up to 80 characters on either side."""

    before: str = ""
    after: str = ""


class Currency(NamedTuple):
    """A currency; `cent` is its hundredth part, None where nobody counts in it."""

    unit: Noun
    cent: Noun | None
