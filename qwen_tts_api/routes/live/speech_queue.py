"""The queue of one WebSocket: texts are spoken in order, in a thread beside the receiving one."""

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

MAX_TASKS = 32
"""How many texts may wait on one socket."""


@dataclass(eq=False)
class SpeechTask:
    """A task of the queue.

    Attributes:
        run: Does the work; may send, and raise SocketClosed.
        cancel: Cancels it from another thread, whether it has begun or not.
        working: Holds `WebSocket.working()` open until the task has ended.
    """

    run: Callable[[], object]
    cancel: Callable[[], object]
    working: ExitStack = field(default_factory=ExitStack)


class SpeechQueue:
    """The tasks of one socket, run in order by one thread, which ends when none is left.

    Args:
        websocket: The socket. While there are tasks it is not idle, and a shutdown waits.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._lock = threading.Lock()
        self._tasks: deque[SpeechTask] = deque()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> SpeechTask | None:
        """Return the running task, else the next one."""
        with self._lock:
            return self._tasks[0] if self._tasks else None

    def add(
        self, run: Callable[[], object], cancel: Callable[[], object] = lambda: None
    ) -> SpeechTask:
        """Queue a task.

        Raises:
            QueueFull: MAX_TASKS are queued; the task is cancelled.
            Unavailable: The machine has no thread for it; the task is cancelled.
        """
        task = SpeechTask(run, cancel)
        with self._lock:
            if len(self._tasks) >= MAX_TASKS:
                cancel()
                raise QueueFull(
                    f"{MAX_TASKS} texts wait on this socket: send more when one was spoken.",
                    retry_after_s=1,
                )
            if self._thread is None:
                try:
                    self._thread = self._start()
                except RuntimeError as error:
                    cancel()
                    raise Unavailable("The machine has no thread left for this text.") from error
            task.working.enter_context(self._websocket.working())
            self._tasks.append(task)
        return task

    def _start(self) -> threading.Thread:
        context = contextvars.copy_context()
        name = f"{threading.current_thread().name}_speaks"
        thread = threading.Thread(target=context.run, args=(self._run,), name=name, daemon=True)
        thread.start()  # it waits for the lock
        return thread

    def close(self) -> None:
        """Cancel all tasks, and wait for the thread to end."""
        with self._lock:
            tasks, thread = list(self._tasks), self._thread
        for task in tasks:
            task.cancel()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._thread = None
                    return
                task = self._tasks[0]
            try:
                task.run()
            except SocketClosed:
                task.cancel()
            except Exception:  # a boundary, as for a plain request
                logger.exception("speaking on a WebSocket failed")
                task.cancel()
                self._websocket.close(CloseCode.INTERNAL_ERROR, "the server failed; see its log")
            finally:
                with self._lock:
                    self._tasks.popleft()
                task.working.close()


def check_request(service: SpeechService, request: SpeechRequest) -> LiveInfo | None:
    """Validate a request before its text arrives; return its info, or None if unavailable now.

    Raises:
        InvalidRequest: There is no such voice or model, or the format cannot have this rate.
    """
    with suppress(Unavailable):  # the model may be available when the text is spoken
        live = service.live(request)
        live.cancel()
        return live.info
    return None
