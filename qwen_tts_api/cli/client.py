"""An HTTP client of the server, over `requests`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Generator, Iterator
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import click

if TYPE_CHECKING:
    import requests
    from websockets.http11 import Response
    from websockets.sync.connection import Connection

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_SERVER = "http://localhost:8888"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
READ_BYTES = 65_536

# Not QWEN_*: those names are the server's settings, and it refuses unknown ones.
SERVER_VARIABLE = "TTS_SERVER"
API_KEY_VARIABLE = "TTS_API_KEY"


def server_options(command: Command) -> Command:
    """Give a command the options `--server` and `--timeout`, as arguments of these names."""
    timeout = click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=600.0,
        metavar="SECONDS",
        help="How long the server may be silent.",
    )
    server = click.option(
        "--server",
        metavar="URL",
        envvar=SERVER_VARIABLE,
        help=f"The server; {SERVER_VARIABLE} in the environment, or {DEFAULT_SERVER}. "
        f"A key in {API_KEY_VARIABLE} is sent as its bearer token.",
    )
    return server(timeout(command))


class ServerBusy(click.ClickException):
    """The server refuses a request now, and says when to try again.

    Args:
        message: Its error message.
        retry_after_s: In how many seconds.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(f"{message} Try again in {retry_after_s:g} s.")
        self.retry_after_s = retry_after_s


class ServerClient:
    """Requests to one server. `requests`' own variables hold: proxies, REQUESTS_CA_BUNDLE, netrc.

    All methods raise a click.ClickException with the server's error message, or with the reason why
    there is no response.

    Args:
        url: `http://` or `https://`, with a path prefix if it has one; None is DEFAULT_SERVER.
        timeout_s: Limit for the connection, and for each read.

    Raises:
        click.UsageError: The URL is invalid.
    """

    def __init__(self, url: str | None, timeout_s: float) -> None:
        self._url = (url or DEFAULT_SERVER).rstrip("/")
        self._timeout_s = timeout_s
        parts = urlsplit(self._url)
        try:
            is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # the port is not a number
            is_valid = False
        if not is_valid:
            raise click.UsageError(f"--server {url!r} is no address such as {DEFAULT_SERVER}.")

    @property
    def _is_loopback(self) -> bool:
        return urlsplit(self._url).hostname in LOOPBACK_HOSTS

    def get_json(self, path: str, **query: str) -> Any:
        """Return the JSON document at a path; empty values of the query are not sent."""
        params = {name: value for name, value in query.items() if value}
        with self._request("GET", path, params=params) as response:
            try:
                return response.json()
            except ValueError as error:
                raise click.ClickException(
                    f"{self._url} answered no JSON: is it this server?"
                ) from error

    def post(
        self, path: str, document: dict[str, Any]
    ) -> contextlib.AbstractContextManager[requests.Response]:
        """Send a JSON document; the block gets the response, whose body is not read yet.

        Leaving the block closes the connection, which cancels the request on the server.
        """
        return self._request("POST", path, json=document, stream=True)

    @contextlib.contextmanager
    def open_socket(self, path: str, **query: str) -> Iterator[Connection]:
        """Open a WebSocket at a path; leaving the block closes it. Raises as the other methods."""
        from websockets.exceptions import InvalidStatus, WebSocketException
        from websockets.sync.client import connect

        params = urlencode({name: value for name, value in query.items() if value})
        key = os.environ.get(API_KEY_VARIABLE)
        try:
            socket = connect(
                f"ws{self._url.removeprefix('http')}{path}{'?' if params else ''}{params}",
                additional_headers={"Authorization": f"Bearer {key}"} if key else {},
                open_timeout=self._timeout_s,
                proxy=None if self._is_loopback else True,
                ping_interval=None,  # a pong is behind all audio that a player takes its time for
            )
        except InvalidStatus as refusal:
            raise self._socket_error(refusal.response) from refusal
        except OSError as error:
            raise click.ClickException(self._explanation(error)) from error
        except WebSocketException as error:
            raise click.ClickException(f"{self._url} opens no WebSocket: {error}.") from error
        with socket:
            yield socket

    def read_chunks(self, response: requests.Response) -> Generator[bytes, None, None]:
        """Yield the body of a response as it is received; raise if it ends early."""
        with self._explain_errors():
            yield from response.iter_content(READ_BYTES)
            # A body that ends with the connection may be cut off anywhere.
            if not {"Content-Length", "Transfer-Encoding"} & response.headers.keys():
                raise ConnectionResetError

    @contextlib.contextmanager
    def _request(self, method: str, path: str, **arguments: Any) -> Iterator[requests.Response]:
        import requests

        with requests.Session() as session:
            # A proxy that the environment names cannot reach the loopback of this machine.
            session.trust_env = not self._is_loopback
            if os.environ.get(API_KEY_VARIABLE):
                session.auth = _authorize  # a header alone would give way to netrc
            arguments |= {"timeout": self._timeout_s, "allow_redirects": False}
            with self._explain_errors():
                response = session.request(method, self._url + path, **arguments)
                error = None if response.status_code == 200 else self._error(response)
            with response:
                if error is not None:
                    raise error
                yield response

    @contextlib.contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Raise connection errors as a click.ClickException."""
        try:
            yield
        except OSError as error:  # the base of requests' errors, too
            cause: BaseException = error
            while cause.__context__ is not None:
                cause = cause.__context__
            raise click.ClickException(self._explanation(cause)) from error

    def _explanation(self, cause: BaseException) -> str:
        if isinstance(cause, TimeoutError):
            return f"{self._url} was silent for {self._timeout_s:g} s (--timeout)."
        if isinstance(cause, ConnectionRefusedError):
            return (
                f"No server answers at {self._url}: start one (`qwen-tts-api serve`), or name "
                "another (--server)."
            )
        if isinstance(cause, (HTTPException, ConnectionError, ValueError)):
            return f"{self._url} broke its answer off: what came of it is not the whole."
        return f"{self._url} cannot be reached: {cause}."

    def _error(self, response: requests.Response) -> click.ClickException:
        """Return the server's error; if it has none, the status."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            message = response.json()["error"]
            if isinstance(message, str):
                wait_s = response.headers.get("Retry-After", "")
                busy = ServerBusy(message, int(wait_s)) if wait_s.isdecimal() else None
                return busy or click.ClickException(message)
        return click.ClickException(
            f"{self._url} answered {response.status_code} {response.reason}, and no reason why: is "
            "it this server?"
        )

    def _socket_error(self, response: Response) -> click.ClickException:
        """Return the server's error to a handshake; if it has none, the status."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return click.ClickException(json.loads(response.body)["message"])
        return click.ClickException(
            f"{self._url} answered {response.status_code} instead of opening a WebSocket."
        )


def _authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {os.environ[API_KEY_VARIABLE]}"
    return request
