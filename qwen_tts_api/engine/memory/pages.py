"""Grants pages of the KV cache without deadlock, although they are overcommitted.

Pages are granted as an utterance grows; its frame budget bounds how many it may need. More
utterances run than there would be pages for, if all of them reached that bound. So a page is
granted only if the state after it is *safe*: there is an order in which each utterance could get
all that it may need, once those before it have released theirs. Then no utterance fails for lack of
a page, and at least one can always proceed.

Source: the banker's algorithm for one kind of resource, E. W. Dijkstra, EWD 108.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """How many pages one holder needs at first, is expected to need, and may need at most."""

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
    """Counts the pages of one device by holder; `PageTable` knows which pages those are.

    Args:
        num_pages: The number of pages.

    Attributes:
        num_used: How many pages are held.
    """

    def __init__(self, num_pages: int) -> None:
        self.num_pages = num_pages
        self.num_used = 0
        self._num_most = 0  # the sum of what all holders may need at most
        self._accounts: dict[Hashable, _Account] = {}

    def admit(self, holder: Hashable, need: Need) -> bool:
        """Grant a new holder its first pages; return False if it has to wait.

        It waits while the expected need of all holders exceeds the number of pages, even if the
        state would be safe: else most utterances would soon be paused amid their audio.

        Raises:
            ValueError: It may need more pages than there are.
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
        """Grant a holder `num_pages` pages in all; return False if it has to wait."""
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
        """Release all pages of a holder, if it has any."""
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
