"""From a request to a WebSocket (RFC 6455, section 4.2): checks, the answer 101, the session.

A handshake is a request like any other until it is answered: it has an id and a line in the log,
and keys, rate limits, Host and Origin are checked before its route. An API adds a path, and gets a
socket to receive from and send to; all that is refused before is refused by an HTTP status.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Request, Response, g, request
from werkzeug.wsgi import ClosingIterator

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, TooManySockets, TTSError, UpgradeRequired
from qwen_tts_api.routes.live.open_sockets import OpenSockets
from qwen_tts_api.routes.live.websocket import (
    SocketClosed,
    SocketIdle,
    SocketLimits,
    WebSocket,
)
from qwen_tts_api.routes.openapi.operations import Answer, Operation
from qwen_tts_api.routes.request_log import RequestRecord
from qwen_tts_api.routes.security import subprotocols
from qwen_tts_api.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

RECEIVED = "qwen_tts_api.received"
"""The key in the WSGI environment of a function that takes the bytes received after the head."""

VERSION = "13"
_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Session = Callable[[WebSocket], None]
"""Speaks an API's protocol over an open socket, until it returns or the socket is closed."""


def describe_socket(
    summary: str, *, tag: str, page: str, error_schema: str, errors: tuple[type[TTSError], ...] = ()
) -> Operation:
    """Return the description of a path that is a WebSocket.

    Args:
        summary: As of `Operation`.
        tag: Likewise.
        page: The document that describes its messages.
        error_schema: Of what refuses the handshake.
        errors: That do so, besides those of any WebSocket.
    """
    return Operation(
        summary,
        tag=tag,
        description=f"A WebSocket, which `{page}` describes.",
        answers={101: Answer("The connection is a WebSocket from here on.")},
        errors=(UpgradeRequired, TooManySockets, *errors),
        error_schema=error_schema,
    )


class SocketRoutes:
    """Adds WebSockets to blueprints.

    Args:
        config: The settings.
        metrics: Where sockets and messages are counted.

    Attributes:
        open: The sockets that are open.
    """

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self._limits = SocketLimits(send_timeout_s=config.client_timeout_s)
        self._metrics = metrics
        self.open = OpenSockets(config.max_sockets, metrics)

    def add(
        self,
        routes: Blueprint,
        path: str,
        begin: Callable[[Request], Session],
        operation: Operation,
    ) -> None:
        """Add a WebSocket at a path.

        Args:
            routes: The API's blueprint, whose errors have its own shape.
            path: Within the blueprint; its parts that vary are in `Request.view_args`.
            begin: Returns the session of a socket, given the handshake's request; raises a TTSError
                to refuse it.
            operation: Describes the path in the OpenAPI document.
        """
        name = re.sub(r"\W+", "_", path).strip("_")

        def upgrade(**_: str) -> Response:
            check_handshake(request)
            session = begin(request)
            self.open.reserve()
            return self._accept(session)

        def no_handshake(**_: str) -> Response:
            raise _no_handshake()

        routes.add_url_rule(path, f"{name}_socket", upgrade, websocket=True)
        routes.add_url_rule(path, name, operation(no_handshake))

    def _accept(self, session: Session) -> Response:
        environ = request.environ
        rule = request.url_rule.rule if request.url_rule else ""
        messages = {
            direction: self._metrics.socket_messages.labels(rule, direction)
            for direction in ("received", "sent")
        }

        def connect() -> WebSocket:
            return WebSocket(
                environ["gunicorn.socket"],
                self._limits,
                environ[RECEIVED](),
                lambda direction: messages[direction].inc(),
            )

        response = _SwitchingProtocols(_SocketBody(connect, session, self.open), 101)
        del response.headers["Content-Type"]
        response.headers["Upgrade"] = "websocket"
        response.headers["Connection"] = "Upgrade"
        response.headers["Sec-WebSocket-Accept"] = accept_key(request.headers["Sec-WebSocket-Key"])
        if subprotocol := subprotocols.choose(request):
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        return response


class _SwitchingProtocols(Response):
    """A response whose body is iterated over, although a 101 has none (werkzeug drops it)."""

    def get_app_iter(self, environ: Any) -> Any:
        """Return the body for the server."""
        return ClosingIterator(self.iter_encoded(), self.close)


class _SocketBody(Iterator[bytes]):
    """Runs the session as the body of the 101: the server iterates over it after the head."""

    def __init__(
        self, connect: Callable[[], WebSocket], session: Session, sockets: OpenSockets
    ) -> None:
        self._connect = connect
        self._session = session
        self._sockets = sockets
        self._record: RequestRecord = g.record
        self._is_accepted = False

    def __next__(self) -> bytes:
        if not self._is_accepted:
            self._is_accepted = True
            return b""
        self._run()
        raise StopIteration

    def _run(self) -> None:
        websocket = self._connect()
        try:
            with self._sockets.register(websocket):
                self._session(websocket)
                websocket.close()
        except SocketClosed:
            pass
        except SocketIdle:
            websocket.close(1001, "idle for too long")
            self._record.code = "idle"
        except Exception:  # a boundary, as for a plain request
            logger.exception("a WebSocket's session failed")
            websocket.close(1011, "the server failed; see its log")
            self._record.code = "internal_error"
        self._record.code = self._record.code or websocket.outcome

    def close(self) -> None:
        """Release the socket's place."""
        self._sockets.release()


def check_handshake(request: Request) -> None:
    """Check the headers of a handshake.

    Raises:
        InvalidRequest: The key is invalid, or there is a body.
        UpgradeRequired: It is not a handshake of version 13 over HTTP/1.1.
    """
    environ: dict[str, Any] = request.environ
    # Other WSGI servers do not pass the connection on.
    is_ours = "gunicorn.socket" in environ and RECEIVED in environ
    if not is_ours or environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        raise _no_handshake()
    if request.headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        raise _no_handshake()
    if request.content_length or "Transfer-Encoding" in request.headers:
        raise InvalidRequest("The handshake of a WebSocket has no body.")
    try:
        key = base64.b64decode(request.headers.get("Sec-WebSocket-Key", "").strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 16:
        raise InvalidRequest("'Sec-WebSocket-Key' is not 16 bytes in base64.")
    if subprotocols.offered(request) and not subprotocols.choose(request):
        raise InvalidRequest(
            "The only subprotocol is an API key: offer another beside it, for the server to choose."
        )


def accept_key(key: str) -> str:
    """Return the `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")  # RFC 6455, section 1.3
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.strip().encode("latin-1") + _ACCEPT_GUID, usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode()


def _no_handshake() -> UpgradeRequired:
    return UpgradeRequired(
        "This path is a WebSocket: connect with GET, HTTP/1.1, 'Connection: Upgrade', 'Upgrade: "
        f"websocket' and 'Sec-WebSocket-Version: {VERSION}'."
    )
