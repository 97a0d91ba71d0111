"""The use case: from a request for speech to the bytes of an audio file."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from qwen_tts_api.audio.encoder import Samples
from qwen_tts_api.audio.pipeline import Output, Pipeline
from qwen_tts_api.config import Config
from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.engine.snapshot import PoolStatus
from qwen_tts_api.errors import (
    ClientLeft,
    InvalidRequest,
    NothingToSay,
    NotSupported,
    TextRequired,
    TTSError,
)
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ, Prompt
from qwen_tts_api.service.keys import ApiKeys
from qwen_tts_api.service.metrics import Meter, build_metrics
from qwen_tts_api.service.models import ServedModels
from qwen_tts_api.service.output import choose_output
from qwen_tts_api.service.prompts import PromptMaker
from qwen_tts_api.service.request import (
    NULL_CLIENT,
    Client,
    Speech,
    SpeechRequest,
    SpeechStream,
)
from qwen_tts_api.service.silence import Silence
from qwen_tts_api.service.stages import traced
from qwen_tts_api.service.text.check import prepare_text
from qwen_tts_api.service.text.normalize import NormalizedText, normalize_text
from qwen_tts_api.service.text.script import divide, max_letters
from qwen_tts_api.service.utterances import Utterances
from qwen_tts_api.service.voices.registry import VoiceRegistry
from qwen_tts_api.service.voices.resolve import ResolvedVoice, VoiceResolver
from qwen_tts_api.service.voices.voice import Voice
from qwen_tts_api.telemetry.tracing import Tracer

FLUSH_TIMEOUT_S = 2.0
"""How long the end of the process waits for a collector of traces that does not answer."""


@dataclass(frozen=True)
class _Begun:
    """A request whose first utterance is queued."""

    meter: Meter
    text: NormalizedText
    job: Utterances | Silence
    output: Output
    pipeline: Pipeline
    voice: ResolvedVoice

    @property
    def model(self) -> str:
        return self.voice.model


class SpeechService:
    """Synthesis with the settings' defaults, over a pool of models.

    Attributes:
        keys: The API keys; None: none is needed.
        metrics: The metrics of its requests.
        models: The served models.
        tracer: What traces its requests; None: nothing does.
        voices: The voices that requests may name.
    """

    def __init__(self, config: Config, pool: ModelPool, tracer: Tracer | None = None) -> None:
        self._config = config
        self._pool = pool
        self.keys = ApiKeys(config.api_keys_file) if config.api_keys_file else None
        self.metrics = build_metrics(pool.status, self.keys.status if self.keys else None)
        self.tracer = tracer
        self.models = ServedModels(pool)
        self.voices = VoiceRegistry(config, self.models)
        self._resolver = VoiceResolver(config, self.models, self.voices)
        self._prompts = PromptMaker(config)

    def start(self) -> None:
        """Start loading the default model; returns at once."""
        if self.tracer is not None:
            self.tracer.start()
        self.voices.start()
        self._pool.start()

    def status(self) -> PoolStatus:
        """Return what is loaded."""
        return self._pool.status()

    def drain(self) -> None:
        """Refuse new requests and those that wait; what runs goes on to its end."""
        self._pool.drain()

    def close(self, timeout_s: float) -> bool:
        """Drain and wait for what runs; return whether all ended within `timeout_s`.

        The last spans are sent after that, in no more than FLUSH_TIMEOUT_S.
        """
        ended = self._pool.close(timeout_s)
        if self.tracer is not None:
            self.tracer.close(FLUSH_TIMEOUT_S)
        return ended

    def synthesize(self, request: SpeechRequest, client: Client = NULL_CLIENT) -> Speech:
        """Return the audio of a request as a whole file; blocks until it is finished.

        Args:
            request: What the client asks for.
            client: Who waits; the work ends where it leaves.

        Raises:
            InvalidRequest: The request cannot be met, by this model or at all.
            Unavailable: The model is not there at the moment.
            QueueFull: Too much work is waiting.
            DeadlineExceeded: A segment of the text took longer than `QWEN_REQUEST_TIMEOUT_S`.
            ClientLeft: The client did.
            SynthesisFailed: The model raised.
        """
        begun = self._begin(request, stream=False)
        pipeline = begun.pipeline
        with (
            traced(begun.model, begun.job, pipeline),
            contextlib.closing(self._pieces(begun, client)) as pieces,
        ):
            data = b"".join([*map(pipeline.encode, pieces), pipeline.finish()])
        return Speech(
            data=data,
            media_type=begun.output.audio_format.media_type,
            sample_rate_hz=begun.output.sample_rate_hz,
            duration_s=pipeline.num_samples / begun.output.sample_rate_hz,
            encode_s=pipeline.work_s,
            model=begun.model,
            seed=begun.job.seed,
            text=begun.text,
            job=begun.job,
            ignored=begun.voice.ignored,
        )

    def stream(self, request: SpeechRequest, client: Client = NULL_CLIENT) -> SpeechStream:
        """Return the audio of a request as it is made; blocks until there are first bytes.

        Args and what is raised before the first bytes are those of `synthesize`.
        """
        begun = self._begin(request, stream=True)
        chunks = self._encoded(begun, client)
        first = next(chunks)
        return SpeechStream(
            chunks=_Chain(first, chunks),
            media_type=begun.output.audio_format.media_type,
            sample_rate_hz=begun.output.sample_rate_hz,
            model=begun.model,
            seed=begun.job.seed,
            text=begun.text,
            job=begun.job,
            ignored=begun.voice.ignored,
        )

    def design_voice(
        self,
        name: str,
        request: SpeechRequest,
        consent: str = "",
        client: Client = NULL_CLIENT,
    ) -> Voice:
        """Register the voice with which a VoiceDesign model answers a request.

        Args:
            name: The new voice's.
            request: With the description in `instruct`. The same text, description and seed are the
                same voice, so that what was liked can be kept.
            consent: Kept as it is.
            client: Who waits.

        Raises:
            InvalidRequest: There is no description, or the recording did not come to its end.
            NotSupported: No VoiceDesign model is served.
            TTSError: What `synthesize` and `VoiceRegistry.add` raise.
        """
        self.voices.check_new(name)
        model = request.model or self.models.first_of_kind("voice_design")
        if model is None or self.models.card(model).kind != "voice_design":
            raise NotSupported(
                lambda field: (
                    "Designing a voice needs a VoiceDesign model: add one to QWEN_MODELS, or send "
                    f"a recording in {field('audio')}."
                ),
                fields={"instruct": ["Needs a VoiceDesign model."]},
            )
        if not request.instruct.strip():
            raise InvalidRequest(
                lambda field: f"{field('instruct')} is blank: it describes the voice.",
                fields={"instruct": ["Missing."]},
            )
        speech = self.synthesize(replace(request, model=model, audio_format="wav"), client)
        if speech.job.finish_reason == "length":
            raise InvalidRequest(
                "The recording was cut where its frame budget ended: try another seed or text.",
                fields={"text": ["Was not spoken to its end."]},
            )
        # What was spoken: markup and the like are not.
        return self.voices.add(name, speech.data, speech.text.text, consent, source="design")

    def _begin(self, request: SpeechRequest, *, stream: bool) -> _Begun:
        meter = Meter(self.metrics, streamed=stream)
        try:
            return self._prepare(request, meter, stream=stream)
        except TTSError as error:
            meter.refused(error)
            raise

    def _prepare(self, request: SpeechRequest, meter: Meter, *, stream: bool) -> _Begun:
        output = choose_output(request)
        self.models.name(request.model)  # refused even while the model loads
        text = self._text(request)
        self._pool.check_open()
        voice = self._resolver.resolve(request)
        prompt = self._prompts.make(voice.request, text.text, voice)
        pipeline = output.pipeline(SAMPLE_RATE_HZ, stream=stream)
        job = self._submit(prompt, voice) if text.text else Silence(prompt)
        meter.begun(voice.model, len(text.text), job)
        return _Begun(meter, text, job, output, pipeline, voice)

    def _submit(self, prompt: Prompt, voice: ResolvedVoice) -> Utterances:
        utterances = divide(prompt, max_letters(self._config, voice.card))
        timeout_s = self._config.request_timeout_s
        return Utterances(self._pool, voice.model, utterances, timeout_s=timeout_s)

    def _text(self, request: SpeechRequest) -> NormalizedText:
        """Return the text as it is spoken; an empty one, where silence is to be its answer."""
        config = self._config
        normalize = config.normalize_text if request.normalize is None else request.normalize
        try:
            return prepare_text(request.text, config.max_text_chars, normalize=normalize)
        except (TextRequired, NothingToSay):
            if not request.silence or not request.text:
                raise
            return NormalizedText("", normalize_text(request.text).changes)

    def _encoded(self, begun: _Begun, client: Client) -> Generator[bytes, None, None]:
        with (
            traced(begun.model, begun.job, begun.pipeline),
            contextlib.closing(self._pieces(begun, client)) as pieces,
        ):
            for piece in pieces:
                if chunk := begun.pipeline.encode(piece):
                    yield chunk
            yield begun.pipeline.finish()

    def _pieces(self, begun: _Begun, client: Client) -> Generator[Samples, None, None]:
        """Yield the audio of a request as it comes; ends the work where it is not read on."""
        left = ClientLeft("The client closed the connection.")
        with (
            begun.meter as meter,
            contextlib.closing(begun.job),
            client.on_disconnect(lambda: begun.job.cancel(left)),
        ):
            for piece in begun.job.pieces():
                meter.piece(len(piece))
                yield piece


class _Chain(Iterator[bytes]):
    """A first chunk that was taken already, then the others; closing it closes their source."""

    def __init__(self, first: bytes, rest: Generator[bytes, None, None]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._rest) if first is None else first

    def close(self) -> None:
        self._rest.close()
