"""Handles requests: parse, call the WSGI application, send the response or an error."""

from __future__ import annotations

import errno
import json
import logging
import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors as parse_errors
from gunicorn.http import wsgi
from gunicorn.util import http_date

from qwen_tts_api.errors import TTSError
from qwen_tts_api.routes.live.upgrade import RECEIVED
from qwen_tts_api.routes.request_log import REQUEST_ID_HEADER
from qwen_tts_api.server.http.connection import Connection
from qwen_tts_api.server.http.response import SocketResponse
from qwen_tts_api.telemetry.context import current_context

logger = logging.getLogger(__name__)

MAX_MESSAGE_CHARS = 300
"""Limit for error messages, which quote the malformed request."""

_ENCODE = " Its first line has plain ASCII without spaces in the path: encode it (%20)."

# What the message of a parser's error goes on with.
_ADVICE: dict[type[Exception], str] = {
    parse_errors.InvalidRequestLine: _ENCODE,
    parse_errors.InvalidHTTPVersion: _ENCODE,
    parse_errors.LimitRequestLine: " Send a long text in the body of a POST.",
}

_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)

# Status codes of parser errors; all others are 400.
_STATUS: dict[type[Exception], HTTPStatus] = {
    parse_errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    parse_errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    parse_errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    parse_errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class RequestHandler:
    """Handle the requests of connections by a WSGI application.

    Args:
        application: WSGI.
        cfg: gunicorn's settings.
        timeout_s: Write timeout.
    """

    def __init__(self, application: Any, cfg: Any, timeout_s: float) -> None:
        self._application = application
        self._cfg = cfg
        self._timeout_s = timeout_s
        self.is_stopping = False

    def handle(self, connection: Connection) -> bool:
        """Handle one request; return whether to keep the connection alive."""
        try:
            request = next(connection.parser)
            keep = self._call(request, connection) and connection.reusable
            return keep and _skip_body(connection)
        except (parse_errors.NoMoreData, StopIteration):
            return False
        except TimeoutError:
            logger.info("a client read nothing for %g s: closing its connection", self._timeout_s)
        except OSError as error:
            if error.errno not in _GONE:
                logger.exception("a connection failed")
        except Exception as error:
            self.send_error(connection, error)
        return False

    def _call(self, request: Any, connection: Connection) -> bool:
        # The loop has sent `100 Continue` already.
        request._expected_100_continue = False
        response, environ = wsgi.create(
            *(request, connection.sock, connection.client, connection.server, self._cfg),
            response_class=SocketResponse,
            response_args=(self._timeout_s,),
        )
        environ["wsgi.multithread"] = True
        environ[RECEIVED] = connection.parser.unreader.take_rest
        if self.is_stopping or not self._cfg.keepalive or not connection.reusable:
            response.force_close()
        chunks = self._application(environ, response.start_response)
        try:
            for chunk in chunks:
                response.write(chunk)
            response.close()
        except OSError:
            raise
        except Exception:
            if not response.has_begun:
                raise
            # Behind the headers, an error response would be taken for a part of the body.
            logger.exception("an answer was broken off")
            return False
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        # What was upgraded is no HTTP any more.
        return not response.should_close() and not response.upgrade

    def send_error(self, connection: Connection, error: Exception) -> None:
        """Send an error response for a request that did not reach the application."""
        status, code, message = _describe(error)
        request_id = current_context().get("request_id") or uuid.uuid4().hex
        # Not the parser's message, which quotes the request: a text or a key may be in it.
        logger.log(
            logging.INFO if status == HTTPStatus.REQUEST_TIMEOUT else logging.WARNING,
            "%d %s",
            *(status, message if isinstance(error, TTSError) else type(error).__name__),
            extra={"request_id": request_id},
            exc_info=error if status == HTTPStatus.INTERNAL_SERVER_ERROR else None,
        )
        body = {"error": message, "code": code, "request_id": request_id}
        with suppress(OSError):  # small: if the socket buffer is full, the client does not read
            connection.sock.setblocking(False)
            connection.sock.send(_response(status, request_id, json.dumps(body).encode()))


def _skip_body(connection: Connection) -> bool:
    """Skip what the application did not read of a body; return whether a request may follow it.

    Not if it is malformed; the client has its answer already.
    """
    try:
        return bool(connection.parser.finish_body())
    except parse_errors.ParseException:
        return False


def _describe(error: Exception) -> tuple[HTTPStatus, str, str]:
    """Return status, code and message."""
    if isinstance(error, TTSError):
        return HTTPStatus(error.status), error.code, error.message
    if isinstance(error, parse_errors.ParseException):
        message = f"The request is malformed: {error}."[:MAX_MESSAGE_CHARS]
        message += _ADVICE.get(type(error), "")
        return _STATUS.get(type(error), HTTPStatus.BAD_REQUEST), "invalid_request", message
    message = "The server failed on this request; see its log."
    return HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message


def _response(status: HTTPStatus, request_id: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Date: {http_date()}\r\n"
        f"{REQUEST_ID_HEADER}: {request_id}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
