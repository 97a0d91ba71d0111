"""How many files and connections may be open (RLIMIT_NOFILE), and who may have them."""

from __future__ import annotations

import resource
from dataclasses import dataclass

SPARE_FILES = 128
"""Open files besides connections: libraries, weights, listening sockets, logs, voices."""
OPS_CONNECTIONS = 64
MAX_CONNECTIONS = 10_000
"""More than this would take memory, and no time of a server that has one model."""
MIN_CONNECTIONS = 16


@dataclass(frozen=True)
class DescriptorBudget:
    """How the descriptors that a process may have are shared out.

    Attributes:
        limit: All of them.
        main_connections: For the main port.
    """

    limit: int
    main_connections: int

    @classmethod
    def of_this_process(cls) -> DescriptorBudget:
        """Return the budget under the limit that there is."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls.under(soft)

    @classmethod
    def under(cls, limit: int) -> DescriptorBudget:
        """Return the budget under a limit; `RLIM_INFINITY` is none."""
        if limit == resource.RLIM_INFINITY:
            limit = wanted_limit()
        connections = min(limit - SPARE_FILES - OPS_CONNECTIONS, MAX_CONNECTIONS)
        return cls(limit, max(connections, MIN_CONNECTIONS))


def wanted_limit() -> int:
    """Return the limit beyond which nothing more would be opened."""
    return MAX_CONNECTIONS + OPS_CONNECTIONS + SPARE_FILES


def raise_limit() -> None:
    """Raise the soft limit of this process as far as it may be, and is of use.

    The usual soft limit of 1024 is for programs that use `select`; none of ours does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = raised(soft, hard)
    if wanted != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def raised(soft: int, hard: int) -> int:
    """Return what a soft limit is raised to."""
    if soft == resource.RLIM_INFINITY or soft >= wanted_limit():
        return soft
    return wanted_limit() if hard == resource.RLIM_INFINITY else min(wanted_limit(), hard)
