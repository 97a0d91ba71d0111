"""Many connections of one kind, which come again whenever they are closed."""

from __future__ import annotations

import selectors
import socket
import threading
from types import TracebackType

PAUSE_S = 0.01


class Crowd:
    """Holds `size` connections, on each of which the same bytes were sent.

    Args:
        half_close: Say behind the bytes that there will be no more.
    """

    def __init__(
        self, address: tuple[str, int], size: int, data: bytes, *, half_close: bool = False
    ) -> None:
        self._address = address
        self._size = size
        self._data = data
        self._half_close = half_close
        self._selector = selectors.DefaultSelector()
        self._stop = threading.Event()
        self._is_there = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crowd")
        self.answers: list[bytes] = []

    def __enter__(self) -> Crowd:
        self._thread.start()
        assert self._is_there.wait(60)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for _ in range(self._size):
            self._connect()
        self._is_there.set()
        while not self._stop.wait(PAUSE_S):
            for key, _ in self._selector.select(0):
                connection: socket.socket = key.fileobj  # type: ignore[assignment]
                if self._is_closed(connection):
                    self._selector.unregister(connection)
                    connection.close()
                    self._connect()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _connect(self) -> None:
        connection = socket.create_connection(self._address, 30)
        connection.sendall(self._data)
        if self._half_close:
            connection.shutdown(socket.SHUT_WR)
        self._selector.register(connection, selectors.EVENT_READ)

    def _is_closed(self, connection: socket.socket) -> bool:
        try:
            data = connection.recv(65_536)
        except OSError:
            return True
        if data:
            self.answers.append(data)
        return not data
