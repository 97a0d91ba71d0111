"""Check the Host and Origin of requests, and answer CORS for the origins of `QWEN_CORS_ORIGINS`.

CSRF: any web page can make a visitor's browser send a POST here; CORS hides the answer from the
page, but does not prevent the effect. So unsafe methods are refused unless `Sec-Fetch-Site` or
`Origin` shows that the page is this server's or allowed. Other clients than browsers send neither.

DNS rebinding: a page of `evil.example` can resolve its own name to this server's address. To the
browser both are then one origin, and only the `Host` header shows the difference.

A WebSocket is opened by a GET, but counts as unsafe: any page may open one, and reads its answers.

Other safe methods stay open: an `<audio src>` on another site is a GET that changes nothing.
"""

from __future__ import annotations

import ipaddress
import re

from flask import Flask, Response, request

from qwen_tts_api.config import Config
from qwen_tts_api.errors import CrossSite, HostNotAllowed
from qwen_tts_api.names import shown
from qwen_tts_api.routes.request_log import PROBES
from qwen_tts_api.routes.security.authentication import bearer_of
from qwen_tts_api.routes.speech.response import SPEECH_HEADERS

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
"""RFC 9110, 9.2.1."""

_EXPOSED_HEADERS = ", ".join(
    ("X-Request-Id", "Retry-After", "Accept-Ranges", "Content-Range", "ETag", *SPEECH_HEADERS)
)
_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_MAX_AGE_S = 600
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

# Nobody can register these, so that no attacker's page is under them: RFC 6761, RFC 8375, ICANN's
# reservations (`internal`, and `home` and `corp`, which it will not delegate), and what routers and
# clusters use (`cluster.local` is under `local`).
_PRIVATE_DOMAINS = (
    *("localhost", "local", "lan", "home", "home.arpa", "internal", "intranet", "private"),
    *("corp", "localdomain", "test"),
)
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_PORT = re.compile(r":\d{0,5}$")


def register(app: Flask, config: Config) -> None:
    """Check Host and Origin before each request, and add CORS headers to each response."""
    origins = Origins(config.cors_origins)
    hosts = AllowedHosts(config.allowed_hosts)

    def check() -> None:
        host = request.headers.get("Host", "")
        # Probes and scrapers use any address of the pod.
        if request.path in PROBES:
            return
        if not hosts.allows(host):
            raise _not_allowed(host)
        if request.method not in SAFE_METHODS or _is_page_socket():
            _check_page(origins, hosts, host)

    app.before_request(check)
    if config.cors_origins:
        app.after_request(origins.add_cors_headers)


class Origins:
    """The allowed origins; `*` allows any, `null` is that of sandboxed frames and local files."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._any = "*" in allowed
        self._allowed = frozenset(allowed)

    def allows(self, origin: str | None) -> bool:
        """Return whether pages of an origin may use the server."""
        return self._any or (origin is not None and origin.lower() in self._allowed)

    def add_cors_headers(self, response: Response) -> Response:
        """Add the CORS headers for the request's origin, those of a preflight included."""
        origin = request.headers.get("Origin")
        if not self._any:
            response.vary.add("Origin")  # or a cache answers another origin with it
        if not self.allows(origin):
            return response
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = "*" if self._any else origin or ""
        headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            headers["Access-Control-Allow-Methods"] = _METHODS
            headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
            # Chromium asks where a public page requests from a private network.
            headers["Access-Control-Allow-Private-Network"] = "true"
            if wanted := request.headers.get("Access-Control-Request-Headers"):
                headers["Access-Control-Allow-Headers"] = wanted
        return response


def _is_page_socket() -> bool:
    """Return whether a web page may be what opens a WebSocket, which no CORS protects.

    A page cannot send a bearer token with a handshake.
    """
    return request.headers.get("Upgrade", "").lower() == "websocket" and not bearer_of(request)


def _check_page(origins: Origins, hosts: AllowedHosts, host: str) -> None:
    """Accept requests that no web page sends, or a page of this server or an allowed origin.

    Raises:
        CrossSite: A page of another site sends the request.
        HostNotAllowed: The page may be another site's whose name resolves here (DNS rebinding).
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if (origin is None and site is None) or origins.allows(origin):
        return
    # `Sec-Fetch-Site` is right even behind a proxy that rewrites Host, but browsers send it only to
    # HTTPS and localhost.
    own = _is_origin_of(origin or "", host) if site is None else site in ("same-origin", "none")
    if not own:
        raise CrossSite(
            f"A web page of another site ({shown(origin or site or '')}) may not do this: add its "
            "origin to QWEN_CORS_ORIGINS to let it."
        )
    # With HTTPS the certificate proves that the name is this server's.
    if origin is not None and origin.lower().startswith("http:") and not hosts.is_own(host):
        raise _not_allowed(host)


def _is_origin_of(origin: str, host: str) -> bool:
    """Return whether an origin has the name in a `Host` header, whose port proxies may remove.

    For `localhost` the ports must be equal: browsers send `Sec-Fetch-Site` where they differ.
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
    """Return the host name or address in a `Host` header or an origin, without its port.

    >>> name_of("Example.com:8888"), name_of("[::1]:80")
    ('example.com', '::1')
    """
    name = _PORT.sub("", host) if "]" in host or host.count(":") < 2 else host
    return name.strip("[]").rstrip(".").lower()


class AllowedHosts:
    """The host names of `QWEN_ALLOWED_HOSTS`; IP addresses and `localhost` are always allowed.

    Args:
        patterns: Names, `*.example.com` for subdomains, `*` for all; if empty, `allows` accepts
            any name.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._any = "*" in patterns
        self._listed = bool(patterns)
        self._names = frozenset(patterns)
        self._domains = tuple(pattern[1:] for pattern in patterns if pattern.startswith("*."))

    def allows(self, host: str) -> bool:
        """Return whether requests with this `Host` header are answered."""
        return not self._listed or self._is_named(name_of(host))

    def is_own(self, host: str) -> bool:
        """Return whether a `Host` header has a name that DNS rebinding cannot have."""
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
