"""By which names the server may be called: what keeps strangers' names from pointing here.

A page of `evil.example` can make its own name mean this server's address (DNS rebinding); to the
browser both are then one origin, and the `Host` header alone tells that something is wrong.
"""

from __future__ import annotations

import ipaddress
import re

# Nobody can register these, so no page of a stranger's is under them: RFC 6761, RFC 8375, ICANN's
# reservations (`internal`, and `home` and `corp`, which it will not delegate), and what routers and
# clusters use (`cluster.local` is under `local`).
_PRIVATE_DOMAINS = (
    *("localhost", "local", "lan", "home", "home.arpa", "internal", "intranet", "private"),
    *("corp", "localdomain", "test"),
)
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_PORT = re.compile(r":\d{0,5}$")


def name_of(host: str) -> str:
    """Return the name or address in a `Host` header or an origin, without its port.

    >>> name_of("Example.com:8888"), name_of("[::1]:80")
    ('example.com', '::1')
    """
    name = _PORT.sub("", host) if "]" in host or host.count(":") < 2 else host
    return name.strip("[]").rstrip(".").lower()


class AllowedHosts:
    """The names of `QWEN_ALLOWED_HOSTS`; IP addresses and `localhost` are nobody else's.

    Args:
        patterns: Names, `*.example.com` for those under one, `*` for all; empty: all, as far as
            `allows` is concerned.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._any = "*" in patterns
        self._listed = bool(patterns)
        self._names = frozenset(patterns)
        self._domains = tuple(pattern[1:] for pattern in patterns if pattern.startswith("*."))

    def allows(self, host: str) -> bool:
        """Tell whether a request with this `Host` header is answered at all."""
        return not self._listed or self._is_named(name_of(host))

    def is_own(self, host: str) -> bool:
        """Tell whether a `Host` header has a name that no stranger can have pointed here."""
        name = name_of(host)
        return self._is_named(name) or (not self._listed and _is_private(name))

    def _is_named(self, name: str) -> bool:
        if self._any or name in self._names or name.endswith(self._domains):
            return True
        # HTTP/1.0 has no Host header; a browser always sends one.
        return name in ("", "localhost") or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_private(name: str) -> bool:
    if _LABEL.fullmatch(name):
        return True
    return name.endswith(tuple(f".{domain}" for domain in _PRIVATE_DOMAINS))
