"""How long a client may take for the answer."""

from __future__ import annotations

from flask import Response

PIECE_BYTES = 65_536


def send_in_pieces(response: Response) -> Response:
    """Let a large answer be sent in pieces, since a socket's timeout is for each call of `send`."""
    if not response.is_streamed and (response.content_length or 0) > PIECE_BYTES:
        response.response = in_pieces(response.get_data())
    return response


def in_pieces(data: bytes) -> list[bytes]:
    """Return data in the pieces that it is to be sent in."""
    return [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
