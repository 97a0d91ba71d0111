"""WebSocket framing (RFC 6455) without input or output: bytes in, messages out, bytes to send.

The parser is that of `websockets`, after the handshake and without extensions, so that no frame is
compressed. What it does not bound is bounded here: the fragments of a message.
"""

from __future__ import annotations

from collections.abc import Iterator

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

Message = str | bytes
"""A text or a binary message."""

MAX_FRAGMENTS = 1024
"""The frames of one message: an empty fragment costs memory, too, and no byte of a size limit."""

MAX_REASON_BYTES = 123
"""RFC 6455, section 5.5: a control frame has 125 bytes, two of them the close code."""


class Framing:
    """The server's side of one WebSocket.

    Args:
        max_message_bytes: The largest message that is taken; a larger one closes with code 1009.

    Attributes:
        num_frames: Frames received, of any kind.
        num_pongs: Of these, the pongs.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._protocol = Protocol(Side.SERVER, state=OPEN, max_size=max_message_bytes)
        self._fragments: list[Frame] = []
        self.num_frames = 0
        self.num_pongs = 0

    @property
    def is_open(self) -> bool:
        """Return whether messages may be sent: no close frame was sent or received."""
        return self._protocol.state is OPEN

    @property
    def is_over(self) -> bool:
        """Return whether nothing more is read: both sides closed, or the client broke a rule."""
        return self._protocol.eof_sent

    @property
    def close_code(self) -> int | None:
        """Return the code with which the socket was closed, by whichever side; None while open."""
        sent, received = self._protocol.close_sent, self._protocol.close_rcvd
        if sent is None:
            return CloseCode.ABNORMAL_CLOSURE if self.is_over else None
        return sent.code if received is None else received.code

    def receive(self, data: bytes) -> list[Message]:
        """Parse bytes; return the messages that they complete. Pings and closes are answered."""
        if self.is_over:
            return []
        self._protocol.receive_data(data)
        return list(self._messages())

    def receive_eof(self) -> None:
        """Record the end of the stream without a close frame, which is an abnormal closure."""
        self._protocol.receive_eof()

    def take_output(self) -> bytes:
        """Remove and return what is to be sent."""
        return b"".join(self._protocol.data_to_send())

    def send(self, message: Message) -> None:
        """Add a message to what is to be sent, if the socket is open."""
        if not self.is_open:
            return
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)

    def ping(self) -> None:
        """Add a ping to what is to be sent, if the socket is open."""
        if self.is_open:
            self._protocol.send_ping(b"")

    def close(self, code: int, reason: str = "") -> None:
        """Add a close frame to what is to be sent, if there was none."""
        if self.is_open:
            cut = reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")
            self._protocol.send_close(code, cut)

    def _messages(self) -> Iterator[Message]:
        for frame in self._protocol.events_received():
            assert isinstance(frame, Frame)
            self.num_frames += 1
            if frame.opcode is Opcode.PONG:
                self.num_pongs += 1
            elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._fragments.append(frame)
                if len(self._fragments) > MAX_FRAGMENTS:
                    self._fail(CloseCode.POLICY_VIOLATION, "too many fragments")
                    return
                if frame.fin:
                    message = self._join()
                    if message is None:
                        return
                    yield message

    def _join(self) -> Message | None:
        """Return the message that the fragments are; None if it is no text, which is the end."""
        fragments, self._fragments = self._fragments, []
        data = b"".join(bytes(fragment.data) for fragment in fragments)
        if fragments[0].opcode is Opcode.BINARY:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "no UTF-8")
            return None

    def _fail(self, code: int, reason: str) -> None:
        self._fragments = []
        self._protocol.fail(code, reason)
