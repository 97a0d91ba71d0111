"""Who has how many of a device's pages, so that whoever has begun can come to its end.

Pages are taken as an utterance grows, and its frame budget says how many it may need at most. More
utterances may run than there are pages for all of them at their longest. So a page is granted only
where the state after it is *safe*: there is an order in which each could have all that it may need,
when those before it have given theirs back. Then nobody fails for want of a page, and somebody can
always go on.

Source: the banker's algorithm for one kind of resource, E. W. Dijkstra, EWD 108.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """How many pages one holder takes: at its beginning, as a rule, and at most."""

    first: int
    expected: int
    most: int


@dataclass
class _Account:
    need: Need
    held: int

    @property
    def missing(self) -> int:
        return self.need.most - self.held

    @property
    def expected(self) -> int:
        return max(self.held, self.need.expected)


class PageBank:
    """The pages of one device and their holders, in numbers: which they are is no matter.

    Args:
        num_pages: How many there are.

    Attributes:
        num_used: How many pages are held.
    """

    def __init__(self, num_pages: int) -> None:
        self.num_pages = num_pages
        self.num_used = 0
        self._num_most = 0  # what all holders need at most
        self._accounts: dict[Hashable, _Account] = {}

    def admit(self, holder: Hashable, need: Need) -> bool:
        """Give a new holder its first pages; return False where it has to wait.

        It waits while what all are expected to need exceeds what there is, even where the state
        would be safe: else most would soon wait for pages amid their audio.

        Raises:
            ValueError: It may need more than there is.
        """
        if need.most > self.num_pages:
            raise ValueError(f"{need.most} of {self.num_pages} pages.")
        if self._num_most + need.most > self.num_pages:
            expected = sum(account.expected for account in self._accounts.values())
            if self._accounts and expected + need.expected > self.num_pages:
                return False
        self._accounts[holder] = _Account(need, 0)
        self._num_most += need.most
        if self.grow(holder, need.first):
            return True
        self.release(holder)
        return False

    def grow(self, holder: Hashable, num_pages: int) -> bool:
        """Let a holder have `num_pages` pages; return False where it has to wait for them."""
        account = self._accounts[holder]
        before = account.held
        if num_pages <= before:
            return True
        account.held = num_pages
        self.num_used += num_pages - before
        if self._is_safe():
            return True
        account.held = before
        self.num_used -= num_pages - before
        return False

    def release(self, holder: Hashable) -> None:
        """Take back all that a holder has, if anything."""
        account = self._accounts.pop(holder, None)
        if account is not None:
            self.num_used -= account.held
            self._num_most -= account.need.most

    def _is_safe(self) -> bool:
        if self._num_most <= self.num_pages:
            return True
        free = self.num_pages - self.num_used
        if free < 0:
            return False
        for account in sorted(self._accounts.values(), key=lambda account: account.missing):
            if account.missing > free:
                return False
            free += account.held
        return True
