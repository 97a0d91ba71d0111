"""A client of the server, on the standard library alone: it starts in an instant."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterator
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import click

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_SERVER = "http://localhost:8888"
READ_BYTES = 65_536

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
    """Requests to one server, each over a connection of its own.

    Args:
        url: `http://` or `https://`, with a path in front of the server's own if it has one.
        timeout_s: Seconds that the server may be silent.
        api_key: Sent as a bearer token, unless empty.

    Raises:
        click.UsageError: The address is none.
    """

    def __init__(self, url: str, timeout_s: float, api_key: str = "") -> None:
        parts = urlsplit(url)
        with contextlib.suppress(ValueError):  # a port that is no number
            if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
                self._url = url.rstrip("/")
                self._parts = parts
                self._timeout_s = timeout_s
                self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
                return
        raise click.UsageError(f"--server {url!r} is no address such as {DEFAULT_SERVER}.")

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
        target = f"{path}?{urlencode(query)}" if query else path
        with self._request("GET", target) as response:
            return self._read_json(b"".join(self.read_chunks(response)))

    @contextlib.contextmanager
    def post(self, path: str, document: dict[str, Any]) -> Iterator[HTTPResponse]:
        """Send a JSON document and give the answer, whose body is not read yet.

        Leaving closes the connection, which ends the work on the server.

        Raises:
            click.ClickException: With the server's sentence, or why there is none.
        """
        with self._request("POST", path, json.dumps(document).encode()) as response:
            yield response

    def read_chunks(self, response: HTTPResponse) -> Generator[bytes, None, None]:
        """Yield the body of an answer as it comes.

        Raises:
            click.ClickException: It ended too early.
        """
        left = response.length
        is_chunked = response.getheader("Transfer-Encoding", "").lower() == "chunked"
        while True:
            with self._explained():
                chunk = response.read1(READ_BYTES)
                # What ends with the connection alone has no end that could be trusted.
                if not chunk and left != 0 and not is_chunked:
                    raise IncompleteRead(b"", left)
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk

    @contextlib.contextmanager
    def _request(
        self, method: str, target: str, body: bytes | None = None
    ) -> Iterator[HTTPResponse]:
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        connection = kind(str(self._parts.hostname), self._parts.port, timeout=self._timeout_s)
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        with contextlib.closing(connection):
            with self._explained():
                connection.request(method, f"{self._parts.path.rstrip('/')}{target}", body, headers)
                response = connection.getresponse()
                refusal = None if response.status == 200 else self._refusal(response)
            if refusal is not None:
                raise refusal
            yield response

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a connection raises into a sentence."""
        try:
            yield
        except TimeoutError as error:
            raise click.ClickException(
                f"{self._url} was silent for {self._timeout_s:g} s (--timeout)."
            ) from error
        except ConnectionRefusedError as error:
            raise click.ClickException(
                f"No server answers at {self._url}: start one (`qwen-tts-api serve`), or name "
                "another (--server)."
            ) from error
        except (HTTPException, ConnectionResetError, BrokenPipeError) as error:
            raise click.ClickException(
                f"{self._url} broke its answer off: what came of it is not the whole."
            ) from error
        except OSError as error:
            raise click.ClickException(f"{self._url} cannot be reached: {error}.") from error

    def _refusal(self, response: HTTPResponse) -> click.ClickException:
        """Return the server's sentence, or at least its status."""
        try:
            error = json.loads(response.read())["error"]
        except (ValueError, KeyError, TypeError):
            error = None
        if not isinstance(error, str):
            return click.ClickException(
                f"{self._url} answered {response.status} {response.reason}, and no reason why: "
                "is it this server?"
            )
        wait_s = response.getheader("Retry-After")
        return click.ClickException(error + (f" Try again in {wait_s} s." if wait_s else ""))

    def _read_json(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise click.ClickException(
                f"{self._url} answered no JSON: is it this server?"
            ) from error
