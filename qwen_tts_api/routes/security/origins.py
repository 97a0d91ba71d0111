"""Which web pages may use the server: its own, and those of `QWEN_CORS_ORIGINS`.

Any page on the web can have its visitor's browser send a request here, and a form needs nobody's
leave for that: an answer is kept from the page, but what a POST did is done. Browsers say of whom a
request is (`Sec-Fetch-Site`, `Origin`); clients that are no browser send neither.

Reading stays open to all: an `<audio src>` of another site, as Coqui's clients in browsers have
it, is a GET that changes nothing.
"""

from __future__ import annotations

import ipaddress
import re

from flask import Flask, Response, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import CrossSite, HostNotAllowed
from qwen_tts_api.names import shown
from qwen_tts_api.routes.request_log import PROBES
from qwen_tts_api.routes.speech.response import SPEECH_HEADERS

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
"""RFC 9110, 9.2.1: what changes nothing."""

_EXPOSED_HEADERS = ", ".join(
    ("X-Request-Id", "Retry-After", "Accept-Ranges", "Content-Range", "ETag", *SPEECH_HEADERS)
)
_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_MAX_AGE_S = 600
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

# Nobody can register these, so no page of a stranger's is under them: RFC 6761, RFC 8375, ICANN's
# reservations (`internal`, and `home` and `corp`, which it will not delegate), and what routers and
# clusters use (`cluster.local` is under `local`).
_PRIVATE_DOMAINS = (
    *("localhost", "local", "lan", "home", "home.arpa", "internal", "intranet", "private"),
    *("corp", "localdomain", "test"),
)
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_PORT = re.compile(r":\d{0,5}$")


def register(app: Flask, config: Config) -> None:
    """Refuse requests by `Host` and by the page they come from, and tell browsers who may come."""
    origins = Origins(config.cors_origins)
    hosts = AllowedHosts(config.allowed_hosts)

    def check() -> None:
        host = request.headers.get("Host", "")
        # A kubelet asks by the pod's address, a scraper by whatever it was given.
        if request.path in PROBES:
            return
        if not hosts.allows(host):
            raise _not_allowed(host)
        if request.method not in SAFE_METHODS:
            _check_page(origins, hosts, host)

    app.before_request(check)
    if config.cors_origins:
        app.after_request(origins.describe)


class Origins:
    """The origins of `QWEN_CORS_ORIGINS`; `*` is any, `null` that of sandboxes and local files."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._any = "*" in allowed
        self._allowed = frozenset(allowed)

    def allows(self, origin: str | None) -> bool:
        """Tell whether a page of this origin may use the server."""
        return self._any or (origin is not None and origin.lower() in self._allowed)

    def describe(self, response: Response) -> Response:
        """Tell the browser whether the page that asks may read the answer, or send a request."""
        origin = request.headers.get("Origin")
        if not self._any:
            response.vary.add("Origin")  # or a cache hands one page's answer to another
        if not self.allows(origin):
            return response
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = "*" if self._any else origin or ""
        headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = _METHODS
            headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
            # Of a page on the public web, to a server in a private network (Chromium asks).
            headers["Access-Control-Allow-Private-Network"] = "true"
            if wanted := request.headers.get("Access-Control-Request-Headers"):
                headers["Access-Control-Allow-Headers"] = wanted
        return response


def _check_page(origins: Origins, hosts: AllowedHosts, host: str) -> None:
    """Let pass what no page sends, and the server's own pages.

    Raises:
        CrossSite: A page of another site sends it.
        HostNotAllowed: It may be one of a stranger's, whose name was made to mean this server.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if (origin is None and site is None) or origins.allows(origin):
        return
    # Behind a proxy that rewrites Host, `Sec-Fetch-Site` is the better witness; browsers send it
    # to HTTPS and to localhost only.
    own = _is_origin_of(origin or "", host) if site is None else site in ("same-origin", "none")
    if not own:
        raise CrossSite(
            f"A web page of another site ({shown(origin or site or '')}) may not do this: add its "
            "origin to QWEN_CORS_ORIGINS to let it."
        )
    # With HTTPS the certificate has told already that the name is this server's.
    if origin is not None and origin.lower().startswith("http:") and not hosts.is_own(host):
        raise _not_allowed(host)


def _is_origin_of(origin: str, host: str) -> bool:
    """Tell whether an origin is that of a `Host` header, out of which proxies may leave the port.

    Of `localhost` with another port browsers say themselves whether it is.
    """
    scheme, _, authority = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme, "")
    authority, host = authority.removesuffix(port), host.lower().removesuffix(port)
    same = authority if host == "localhost" else name_of(authority)
    return bool(authority) and host in (authority, same)


def _not_allowed(host: str) -> HostNotAllowed:
    return HostNotAllowed(
        f"This server is not called {shown(name_of(host))}: add the name to QWEN_ALLOWED_HOSTS if "
        "it is."
    )


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
