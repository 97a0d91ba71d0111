"""What is spoken on a WebSocket, one after the other, in a thread beside the one that receives."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from websockets.frames import CloseCode

from qwen_tts_api.errors import QueueFull, Unavailable
from qwen_tts_api.routes.live.websocket import SocketClosed, WebSocket
from qwen_tts_api.service.live.events import LiveInfo
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.speech import SpeechService

logger = logging.getLogger(__name__)

MAX_TURNS = 32
"""How many texts may wait on one socket."""


@dataclass(eq=False)
class Turn:
    """One thing that is done in its turn.

    Attributes:
        run: Does it; may send, and raise SocketClosed.
        cancel: Stops it, from another thread; also what has not begun.
        working: What tells the socket that it is there.
    """

    run: Callable[[], object]
    cancel: Callable[[], object]
    working: ExitStack = field(default_factory=ExitStack)


class Turns:
    """The turns of one socket; the thread is there while there are any.

    Args:
        websocket: The socket, which is neither idle nor closed by a shutdown meanwhile.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._lock = threading.Lock()
        self._turns: deque[Turn] = deque()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> Turn | None:
        """Return the turn that is running or is next."""
        with self._lock:
            return self._turns[0] if self._turns else None

    def add(self, run: Callable[[], object], cancel: Callable[[], object] = lambda: None) -> Turn:
        """Add a turn behind the others.

        Raises:
            QueueFull: Too many wait.
        """
        turn = Turn(run, cancel)
        with self._lock:
            if len(self._turns) >= MAX_TURNS:
                cancel()
                raise QueueFull(
                    f"{MAX_TURNS} texts wait on this socket: send more when one was spoken.",
                    retry_after_s=1,
                )
            turn.working.enter_context(self._websocket.working())
            self._turns.append(turn)
            if self._thread is None:
                context = contextvars.copy_context()
                name = f"{threading.current_thread().name}_speaks"
                self._thread = threading.Thread(
                    target=context.run, args=(self._run,), name=name, daemon=True
                )
                self._thread.start()
        return turn

    def close(self) -> None:
        """Cancel all turns, and wait for the thread to end."""
        with self._lock:
            turns, thread = list(self._turns), self._thread
        for turn in turns:
            turn.cancel()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._turns:
                    self._thread = None
                    return
                turn = self._turns[0]
            try:
                turn.run()
            except SocketClosed:
                turn.cancel()
            except Exception:  # a boundary, as for a plain request
                logger.exception("speaking on a WebSocket failed")
                turn.cancel()
                self._websocket.close(CloseCode.INTERNAL_ERROR, "the server failed; see its log")
            finally:
                with self._lock:
                    self._turns.popleft()
                turn.working.close()


def check_request(service: SpeechService, request: SpeechRequest) -> LiveInfo | None:
    """Refuse what cannot be spoken now, and not when it is to be; return what is known of it.

    Raises:
        InvalidRequest: There is no such voice or model, or the format has not this rate.
    """
    with suppress(Unavailable):  # which it may not be any more by then
        live = service.live(request)
        live.cancel()
        return live.info
    return None
