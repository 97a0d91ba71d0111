"""What a client of the Wyoming port asks for, and the events that answer it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from qwen_tts_api.config import Config
from qwen_tts_api.errors import RateLimited
from qwen_tts_api.routes.request_log import RequestRecord
from qwen_tts_api.routes.security.rate_limit import RateLimit
from qwen_tts_api.server.wyoming.audio import AudioWriter
from qwen_tts_api.server.wyoming.events import Event
from qwen_tts_api.server.wyoming.request_log import logged
from qwen_tts_api.server.wyoming.requests import read_request, read_string
from qwen_tts_api.server.wyoming.voices import WyomingVoices
from qwen_tts_api.service.request import Client
from qwen_tts_api.service.speech import SpeechService


@dataclass(frozen=True)
class Wyoming:
    """What all connections of the port share.

    Attributes:
        config: The settings.
        service: Speaks.
        voices: By the names that clients use.
        rate_limit: Of the requests for speech from one address; None: there is none.
    """

    config: Config
    service: SpeechService
    voices: WyomingVoices
    rate_limit: RateLimit | None


class EventHandler:
    """Answers the events of one connection, in its thread.

    Args:
        shared: With other connections.
        client: Disconnects where the connection is closed, which cancels the work.
        address: The client's, by which requests are counted.
        send: Sends an event; raises OSError where the connection is gone.

    Attributes:
        is_busy: Whether a request is being answered.
    """

    def __init__(
        self, shared: Wyoming, client: Client, address: str, send: Callable[[Event], None]
    ) -> None:
        self._shared = shared
        self._client = client
        self._address = address
        self._send = send
        self.is_busy = False

    def handle(self, event: Event) -> None:
        """Answer an event; one of an unknown type is ignored.

        Raises:
            TTSError: The request cannot be answered, or not to its end.
            OSError: The connection is gone.
        """
        if event.type == "ping":
            self._send(Event("pong", event.data))
        elif answer := {"describe": self._describe, "synthesize": self._synthesize}.get(event.type):
            shared = self._shared
            log_text = shared.config.log_text
            self.is_busy = True
            with logged(event.type, shared.service.metrics, log_text=log_text) as record:
                answer(event, record)
            self.is_busy = False

    def _describe(self, event: Event, record: RequestRecord) -> None:
        self._send(Event("info", self._shared.voices.info()))

    def _synthesize(self, event: Event, record: RequestRecord) -> None:
        record.text = text = read_string(event.data, "text")
        self._count()
        request = read_request(event.data, text, self._shared.voices)
        audio = AudioWriter(self._send)
        with closing(self._shared.service.stream(request, self._client)) as stream:
            for samples in stream:
                audio.write(samples, stream.info.sample_rate_hz)
        audio.stop()

    def _count(self) -> None:
        """Apply the rate limit to a request for speech."""
        limit = self._shared.rate_limit
        if limit is not None and (wait_s := limit.hit(self._address)):
            raise RateLimited(
                f"More than {self._shared.config.rate_limit} requests a minute (QWEN_RATE_LIMIT).",
                retry_after_s=max(1, math.ceil(wait_s)),
            )
