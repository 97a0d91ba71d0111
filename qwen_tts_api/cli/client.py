"""A client of the server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    import requests

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_SERVER = "http://localhost:8888"
READ_BYTES = 65_536

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")

# Not QWEN_*: those names are the server's settings, and it refuses the others.
SERVER_VARIABLE = "TTS_SERVER"
API_KEY_VARIABLE = "TTS_API_KEY"


def server_options(command: Command) -> Command:
    """Give a command the options that say which server, as the arguments `server` and `timeout`."""
    for option in (
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=600.0,
            metavar="SECONDS",
            help="How long the server may be silent.",
        ),
        click.option(
            "--server",
            metavar="URL",
            envvar=SERVER_VARIABLE,
            help=f"The server; {SERVER_VARIABLE} in the environment, or {DEFAULT_SERVER}. "
            f"A key in {API_KEY_VARIABLE} is sent as its bearer token.",
        ),
    ):
        command = option(command)
    return command


class ServerClient:
    """Requests to one server. `requests`' own variables hold: proxies, REQUESTS_CA_BUNDLE, netrc.

    Args:
        url: `http://` or `https://`, with a path in front of the server's own if it has one.
        timeout_s: Seconds that the server may be silent.
        api_key: Sent as a bearer token, unless empty.

    Raises:
        click.UsageError: The address is none.
    """

    def __init__(self, url: str, timeout_s: float, api_key: str = "") -> None:
        if not _is_address(url):
            raise click.UsageError(f"--server {url!r} is no address such as {DEFAULT_SERVER}.")
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._api_key = api_key

    @classmethod
    def from_options(cls, server: str | None, timeout_s: float) -> ServerClient:
        """Return a client of the server that the options and the environment name."""
        return cls(server or DEFAULT_SERVER, timeout_s, os.environ.get(API_KEY_VARIABLE, ""))

    def get_json(self, path: str, **query: str) -> Any:
        """Return the document at a path.

        Raises:
            click.ClickException: With the server's sentence, or why there is none.
        """
        query = {name: value for name, value in query.items() if value}
        with self._request("GET", path, params=query) as response:
            try:
                return response.json()
            except ValueError as error:
                raise click.ClickException(
                    f"{self._url} answered no JSON: is it this server?"
                ) from error

    @contextlib.contextmanager
    def post(self, path: str, document: dict[str, Any]) -> Iterator[requests.Response]:
        """Send a JSON document and give the answer, whose body is not read yet.

        Leaving closes the connection, which ends the work on the server.

        Raises:
            click.ClickException: With the server's sentence, or why there is none.
        """
        with self._request("POST", path, json=document, stream=True) as response:
            yield response

    def read_chunks(self, response: requests.Response) -> Generator[bytes, None, None]:
        """Yield the body of an answer as it comes.

        Raises:
            click.ClickException: It ended too early.
        """
        with self._explained():
            yield from response.iter_content(READ_BYTES)
            # What ends with the connection alone has no end that could be trusted.
            if not {"Content-Length", "Transfer-Encoding"} & response.headers.keys():
                raise HTTPException

    @contextlib.contextmanager
    def _request(self, method: str, path: str, **arguments: Any) -> Iterator[requests.Response]:
        import requests

        with requests.Session() as session:
            # A proxy that the environment names does not know what this machine calls itself.
            session.trust_env = urlsplit(self._url).hostname not in LOOPBACK_HOSTS
            session.auth = self._authorize if self._api_key else None
            with self._explained():
                response = session.request(
                    method,
                    self._url + path,
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    **arguments,
                )
                refusal = None if response.status_code == 200 else self._refusal(response)
            with response:
                if refusal is not None:
                    raise refusal
                yield response

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a connection raises into a sentence."""
        try:
            yield
        except (OSError, HTTPException) as error:  # requests' own errors are of OSError
            raise click.ClickException(self._explain(_root(error))) from error

    def _explain(self, cause: BaseException) -> str:
        if isinstance(cause, TimeoutError):
            return f"{self._url} was silent for {self._timeout_s:g} s (--timeout)."
        if isinstance(cause, ConnectionRefusedError):
            return (
                f"No server answers at {self._url}: start one (`qwen-tts-api serve`), or name "
                "another (--server)."
            )
        if isinstance(cause, (HTTPException, ConnectionResetError, BrokenPipeError, ValueError)):
            return f"{self._url} broke its answer off: what came of it is not the whole."
        return f"{self._url} cannot be reached: {cause}."

    def _refusal(self, response: requests.Response) -> click.ClickException:
        """Return the server's sentence, or at least its status."""
        try:
            error = response.json()["error"]
        except (ValueError, KeyError, TypeError):
            error = None
        if not isinstance(error, str):
            return click.ClickException(
                f"{self._url} answered {response.status_code} {response.reason}, and no reason "
                "why: is it this server?"
            )
        wait_s = response.headers.get("Retry-After")
        return click.ClickException(error + (f" Try again in {wait_s} s." if wait_s else ""))


def _is_address(url: str) -> bool:
    parts = urlsplit(url)
    with contextlib.suppress(ValueError):  # a port that is no number
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    return False


def _root(error: BaseException) -> BaseException:
    """Return what an error was raised for in the first place."""
    while error.__context__ is not None:
        error = error.__context__
    return error
