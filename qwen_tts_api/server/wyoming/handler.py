"""What a client of the Wyoming port asks for, and the events that answer it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace

from qwen_tts_api.config import Config
from qwen_tts_api.errors import InvalidRequest, RateLimited
from qwen_tts_api.routes.request_log import RequestRecord
from qwen_tts_api.routes.security.rate_limit import RateLimit
from qwen_tts_api.server.wyoming.audio import AudioWriter
from qwen_tts_api.server.wyoming.events import Event
from qwen_tts_api.server.wyoming.gathering import GatheredText
from qwen_tts_api.server.wyoming.request_log import logged
from qwen_tts_api.server.wyoming.requests import read_request, read_string
from qwen_tts_api.server.wyoming.streaming import StreamingSynthesis
from qwen_tts_api.server.wyoming.voices import WyomingVoices
from qwen_tts_api.service.request import Client, SpeechRequest
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
        fail: Called, in another thread, with what ended a live text before its end.
    """

    def __init__(
        self,
        shared: Wyoming,
        client: Client,
        address: str,
        send: Callable[[Event], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._shared = shared
        self._client = client
        self._address = address
        self._send = send
        self._fail = fail
        self._is_answering = False
        self._live: StreamingSynthesis | None = None
        self._gathered: GatheredText | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        live = self._live
        return self._is_answering or (live is not None and not live.is_spoken)

    def handle(self, event: Event) -> None:
        """Answer an event; one of an unknown type is ignored.

        Raises:
            TTSError: The request cannot be answered, or not to its end.
            OSError: The connection is gone.
        """
        self._is_answering = True
        if event.type == "ping":
            self._send(Event("pong", event.data))
        elif event.type == "describe":
            self._describe(event)
        elif event.type == "synthesize":
            self._synthesize(event)
        elif event.type == "synthesize-start":
            self._begin_live(event)
        elif event.type == "synthesize-chunk":
            self._append_live(event)
        elif event.type == "synthesize-stop":
            self._finish_live()
        self._is_answering = False

    def close(self) -> None:
        """Stop what is still spoken, and wait until nothing is sent any more."""
        if self._live is not None:
            self._live.cancel()
        if self._gathered is not None:
            self._gathered.close()

    def _logged(self, event: Event) -> AbstractContextManager[RequestRecord]:
        shared = self._shared
        return logged(event.type, shared.service, log_text=shared.config.log_text)

    def _describe(self, event: Event) -> None:
        with self._logged(event):
            self._send(Event("info", self._shared.voices.info()))

    def _synthesize(self, event: Event) -> None:
        if (
            self._live is not None or self._gathered is not None
        ):  # for servers that know no live text, all of it once more
            return
        with self._logged(event) as record:
            record.text = text = read_string(event.data, "text")
            self._speak(self._read_request(event, text))

    def _speak(self, request: SpeechRequest) -> None:
        audio = AudioWriter(self._send)
        with closing(self._shared.service.stream(request, self._client)) as stream:
            for samples in stream:
                audio.write(samples, stream.info.sample_rate_hz)
        audio.stop()

    def _begin_live(self, event: Event) -> None:
        if self._live is not None or self._gathered is not None:
            raise InvalidRequest("'synthesize-stop' has to end a text before the next one begins.")
        with ExitStack() as ending:
            record = ending.enter_context(self._logged(event))
            request = self._read_request(event, "")
            if request.ssml:
                self._gathered = GatheredText(
                    record,
                    ending.pop_all(),
                    lambda text: self._speak(replace(request, text=text)),
                    self._shared.config.max_text_chars,
                )
                return
            speech = self._shared.service.live(request, self._client)
            self._live = StreamingSynthesis(
                speech, record, ending.pop_all(), self._send, self._fail
            )

    def _append_live(self, event: Event) -> None:
        if self._gathered is not None:
            self._gathered.append(read_string(event.data, "text"))
        # The service ends a text that goes on for QWEN_LIVE_SILENCE_S without more of it.
        if self._live is not None and not self._live.is_spoken:
            self._live.append(read_string(event.data, "text"))

    def _finish_live(self) -> None:
        if self._gathered is not None:
            gathered, self._gathered = self._gathered, None
            gathered.finish()
        if self._live is None:
            self._send(Event("synthesize-stopped"))
            return
        self._live.finish()
        self._live = None

    def _read_request(self, event: Event, text: str) -> SpeechRequest:
        """Return the request for speech, which counts for the rate limit."""
        self._count()
        return read_request(event.data, text, self._shared.voices)

    def _count(self) -> None:
        """Apply the rate limit to a request for speech."""
        limit = self._shared.rate_limit
        if limit is not None and (wait_s := limit.hit(self._address)):
            raise RateLimited(
                f"More than {self._shared.config.rate_limit} requests a minute (QWEN_RATE_LIMIT).",
                retry_after_s=max(1, math.ceil(wait_s)),
            )
