"""A client of WebSockets that does what no library lets it do."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from websockets.frames import Frame
from websockets.protocol import OPEN, Protocol, Side

from tests.patience import PATIENCE_S

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def handshake(path: str, host: str = "127.0.0.1", **headers: str) -> bytes:
    """Return a handshake; a header whose value is empty is left out."""
    fields = {
        "Host": host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def answer_of(address: tuple[str, int], data: bytes) -> bytes:
    """Send bytes; return all that is answered until the server closes."""
    with socket.create_connection(address, PATIENCE_S) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


class RawClient:
    """The client's side of an open WebSocket, frame by frame."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.protocol = Protocol(Side.CLIENT, state=OPEN, max_size=None)

    @classmethod
    def connect(cls, address: tuple[str, int], path: str, **headers: str) -> RawClient:
        """Return a client after a handshake."""
        connection = socket.create_connection(address, PATIENCE_S)
        connection.sendall(handshake(path, **headers))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        if not head.startswith(b"HTTP/1.1 101 "):
            connection.close()
            raise ConnectionRefusedError(head.decode())
        return cls(connection)

    def flush(self) -> None:
        """Send what the protocol has."""
        self.connection.sendall(b"".join(self.protocol.data_to_send()))

    def send(self, text: str) -> None:
        """Send a text message."""
        self.protocol.send_text(text.encode())
        self.flush()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that come, until the server closes the connection."""
        while data := self.connection.recv(65_536):
            self.protocol.receive_data(data)
            for event in self.protocol.events_received():
                assert isinstance(event, Frame)
                yield event

    def close_code_now(self) -> int:
        """Read to the close frame; return its code."""
        for _ in self.frames():
            if self.protocol.close_rcvd is not None:
                return self.protocol.close_rcvd.code
        raise AssertionError("the server closed without a close frame")

    def close_code(self) -> int:
        """Read to the end; return the code with which the server closed."""
        for _ in self.frames():
            pass
        received = self.protocol.close_rcvd
        assert received is not None, "the server closed without a close frame"
        return received.code
