"""A socket over a real connection: clocks, slow readers, floods, and who is told what."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from qwen_tts_api.routes.live import websocket as module
from qwen_tts_api.routes.live.websocket import SocketClosed, SocketIdle, SocketLimits, WebSocket
from tests.routes.live.raw import RawClient

LIMITS = SocketLimits(send_timeout_s=5, max_message_bytes=100_000)

Pair = Callable[..., tuple[WebSocket, RawClient]]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return a function that returns the two sides of a socket."""
    with ExitStack() as stack:

        def make(limits: SocketLimits = LIMITS) -> tuple[WebSocket, RawClient]:
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            stack.enter_context(theirs)
            theirs.settimeout(10)
            return WebSocket(ours, limits), RawClient(theirs)

        yield make


def test_messages_go_both_ways(pair: Pair) -> None:
    ours, theirs = pair()
    theirs.send("a")
    theirs.send("b")
    assert (ours.receive(), ours.receive(), ours.receive(0)) == ("a", "b", None)
    ours.send("c")
    assert next(theirs.frames()).data == b"c"


def test_a_client_that_says_goodbye_is_answered(pair: Pair) -> None:
    ours, theirs = pair()
    theirs.protocol.send_close(1000)
    theirs.flush()
    left = threading.Event()
    with ours.on_disconnect(left.set), pytest.raises(SocketClosed):
        ours.receive()
    assert left.is_set()
    with pytest.raises(SocketClosed):
        ours.send("late")
    ours.close()
    assert next(theirs.frames()).opcode == 8
    assert ours.outcome == ""


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_is_noticed(pair: Pair, reset: bool) -> None:
    """With or without a reset, and while somebody else sends."""
    ours, theirs = pair()
    if reset:
        theirs.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.connection.close()
    left = threading.Event()
    with ours.on_disconnect(left.set), pytest.raises(SocketClosed):
        ours.receive()
    assert left.is_set()
    assert ours.outcome == "client_left"


def test_who_is_away_is_not_told(pair: Pair) -> None:
    ours, theirs = pair()
    theirs.connection.close()
    left = threading.Event()
    with ours.on_disconnect(left.set):
        pass
    with pytest.raises(SocketClosed):
        ours.receive()
    assert not left.is_set()


def test_a_client_that_reads_nothing_is_cut_off(pair: Pair) -> None:
    """After the timeout, by which the sender and the receiver are free again."""
    ours, _theirs = pair(SocketLimits(send_timeout_s=0.2))
    with pytest.raises(SocketClosed):
        ours.send(bytes(10_000_000))
    with pytest.raises(SocketClosed):
        ours.receive()
    assert ours.outcome == "slow_reader"


def test_a_client_that_reads_slowly_is_waited_for(pair: Pair) -> None:
    """As long as it takes something in each while."""
    ours, theirs = pair(SocketLimits(send_timeout_s=0.5))
    received = bytearray()

    def read() -> None:
        while len(received) < 1_000_000:
            received.extend(theirs.connection.recv(50_000))
            time.sleep(0.02)

    reader = threading.Thread(target=read)
    reader.start()
    ours.send(bytes(1_000_000))
    reader.join()
    assert ours.is_open


def test_pongs_that_nobody_reads_are_bounded(pair: Pair) -> None:
    """A flood of pings that reads nothing is cut off like any slow reader."""
    ours, theirs = pair(SocketLimits(send_timeout_s=0.2))
    stop = threading.Event()

    def flood() -> None:
        ping = bytes([0x89, 0x80 | 125]) + bytes(4 + 125)
        theirs.connection.settimeout(0.1)
        while not stop.is_set():
            try:
                theirs.connection.send(ping * 100)
            except TimeoutError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=flood)
    thread.start()
    with pytest.raises(SocketClosed):
        ours.receive()
    stop.set()
    thread.join()
    assert ours.outcome == "slow_reader"


def test_a_flood_of_frames_is_slowed_down(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read on in the next second; nothing of it is lost."""
    monkeypatch.setattr(module, "MAX_FRAMES_S", 50)
    ours, theirs = pair()
    began_at = time.monotonic()
    for number in range(120):
        theirs.send(str(number))
        assert ours.receive() == str(number)
    assert time.monotonic() - began_at >= 1.8


def test_an_idle_client_is_told_from_one_that_is_spoken_to(pair: Pair) -> None:
    ours, _ = pair()
    ours.idle_timeout_s = 0.05
    with ours.working():
        assert ours.receive(0.2) is None
    with pytest.raises(SocketIdle):
        ours.receive()


def test_a_client_without_a_pong_is_given_up(pair: Pair) -> None:
    """One that answers is not."""
    ours, theirs = pair(SocketLimits(send_timeout_s=5, ping_s=0.3))

    def answer() -> None:
        # A last ping may come when the connection is closed already.
        with suppress(OSError):
            for _ in theirs.frames():
                theirs.flush()

    answers = threading.Thread(target=answer)
    answers.start()
    assert ours.receive(1) is None
    theirs.connection.shutdown(socket.SHUT_WR)
    with pytest.raises(SocketClosed):
        ours.receive()
    ours._stream._sock.close()
    answers.join()
    silent, _keep = pair(SocketLimits(send_timeout_s=5, ping_s=0.1))
    with pytest.raises(SocketClosed):
        silent.receive()
    assert silent.outcome == "no_pong"


def test_a_drain_waits_for_what_is_spoken(pair: Pair) -> None:
    """An idle socket is closed at once, a speaking one when it has ended, or at the very end."""
    idle, client = pair()
    idle.drain()
    assert client.close_code_now() == 1001
    speaking, client = pair()
    with speaking.working():
        speaking.drain()
        speaking.send("still")
        assert next(client.frames()).data == b"still"
    assert client.close_code_now() == 1001
    speaking, client = pair()
    with speaking.working():
        speaking.drain()
        assert speaking.receive(0) is None
        speaking.abort()
        assert client.close_code_now() == 1001


def test_many_threads_may_send(pair: Pair) -> None:
    """Each message arrives whole."""
    ours, theirs = pair()
    texts = [str(number) * 5000 for number in range(8)]
    threads = [threading.Thread(target=ours.send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    frames = theirs.frames()
    assert sorted(bytes(next(frames).data).decode() for _ in texts) == texts
    for thread in threads:
        thread.join()
