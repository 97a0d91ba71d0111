"""A batch: several texts of one request, a few at once, each like a request of its own."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from qwen_tts_api.errors import ClientLeft, QueueFull, TTSError, Unavailable
from qwen_tts_api.service.request import Client, SpeechRequest
from qwen_tts_api.service.result import Speech

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 16
"""How many texts of one batch are spoken at once, of a quarter of QWEN_MAX_STREAMS at most: others
are to be heard, too."""

POLL_INTERVAL_S = 0.5
"""How often a waiting text checks whether the queue has room."""

Synthesize = Callable[[SpeechRequest, Client], Speech]


class Batch:
    """Synthesizes several texts. It is the `Client` of each: it passes the disconnect on.

    At most `at_once` texts are submitted at a time. While others of the batch are spoken, a text
    for which the queue is full waits and is submitted again, instead of failing.

    Args:
        synthesize: Synthesizes one text; blocks until it is finished.
        has_room: Returns whether the queue has room.
        client: The client; its disconnect cancels all texts.
        timeout_s: How long a text waits for room while none of the batch finishes.
    """

    def __init__(
        self,
        synthesize: Synthesize,
        has_room: Callable[[], bool],
        client: Client,
        timeout_s: float,
    ) -> None:
        self._synthesize = synthesize
        self._has_room = has_room
        self._client = client
        self._timeout_s = timeout_s
        self._changed = threading.Condition()  # its lock guards all that follows
        self._requests: Sequence[SpeechRequest] = ()
        self._pending: deque[int] = deque()
        self._results: dict[int, Speech | TTSError] = {}
        self._num_running = self._num_spoken = 0
        self._progressed_at = 0.0
        self._refusal: TTSError | None = None
        self._callbacks: list[Callable[[], object]] = []

    def run(
        self, requests: Sequence[SpeechRequest], threads: threading.Semaphore, at_once: int
    ) -> list[Speech | TTSError]:
        """Return the audio of each text, or its error, in their order.

        Args:
            requests: The texts.
            threads: The threads that all batches may have, besides their callers'.
            at_once: How many texts are synthesized at once, if there are so many threads.

        Raises:
            QueueFull: None of the texts was admitted.
            Unavailable: Likewise.
            ClientLeft: The client disconnected.
        """
        self._requests, self._progressed_at = requests, time.monotonic()
        self._pending = deque(range(len(requests)))
        helpers: list[threading.Thread] = []
        with self._client.on_disconnect(self._disconnect):
            num_helpers = min(at_once, len(requests)) - 1
            while len(helpers) < num_helpers and threads.acquire(blocking=False):
                if (helper := self._help(threads)) is None:
                    break
                helpers.append(helper)
            self._work()
            for helper in helpers:
                helper.join()
        if self._refusal is not None:
            raise self._refusal
        return [self._results[number] for number in range(len(requests))]

    @contextmanager
    def on_disconnect(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call back when the client of the batch disconnects: see `Client`."""
        with self._changed:
            self._callbacks.append(callback)
            has_left = isinstance(self._refusal, ClientLeft)
        if has_left:
            callback()
        try:
            yield
        finally:
            with self._changed:
                self._callbacks.remove(callback)

    def _help(self, threads: threading.Semaphore) -> threading.Thread | None:
        def run() -> None:
            try:
                context.run(self._work)
            finally:
                threads.release()

        context = contextvars.copy_context()  # the request's, for its log, trace and usage
        name = f"{threading.current_thread().name}_batch"
        thread = threading.Thread(target=run, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine has none left
            threads.release()
            return None
        return thread

    def _work(self) -> None:
        while (number := self._take()) is not None:
            self._end(number, self._speak(self._requests[number]))

    def _take(self) -> int | None:
        """Return the number of the next text when there is room for it; None if none is left."""
        with self._changed:
            while self._pending:
                is_first = not (self._num_running or self._num_spoken)
                if is_first or self._has_room() or not self._may_wait():
                    self._num_running += 1
                    return self._pending.popleft()
                self._changed.wait(POLL_INTERVAL_S)
            return None

    def _may_wait(self) -> bool:
        return time.monotonic() < self._progressed_at + self._timeout_s

    def _speak(self, request: SpeechRequest) -> Speech | TTSError:
        try:
            return self._synthesize(request, self)
        except TTSError as error:
            return error
        except Exception:  # a boundary: the other texts of the batch go on
            logger.exception("a text of a batch failed")
            return TTSError("The server failed on this text; the cause is in its log.")

    def _end(self, number: int, result: Speech | TTSError) -> None:
        with self._changed:
            self._num_running -= 1
            is_alone = not (self._num_running or self._num_spoken)
            if isinstance(result, QueueFull | Unavailable) and is_alone:
                self._refuse(result)
            elif isinstance(result, QueueFull) and self._may_wait():
                self._pending.appendleft(number)
            else:
                self._results[number] = result
                self._num_spoken += isinstance(result, Speech)
                self._progressed_at = time.monotonic()
            self._changed.notify_all()

    def _refuse(self, error: TTSError) -> None:
        self._refusal = self._refusal or error
        self._pending.clear()
        self._changed.notify_all()

    def _disconnect(self) -> None:
        with self._changed:
            self._refuse(ClientLeft("The client closed the connection."))
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()
