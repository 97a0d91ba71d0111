"""Synthesis: from a request for speech to the chunks of an audio file."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakSet

from qwen_tts_api.config import Config
from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.engine.snapshot import PoolStatus
from qwen_tts_api.errors import (
    InvalidRequest,
    NotSupported,
    TTSError,
)
from qwen_tts_api.model.utterance import SAMPLE_RATE_HZ
from qwen_tts_api.service.api_keys import ApiKeys
from qwen_tts_api.service.batch import MAX_AT_ONCE, Batch
from qwen_tts_api.service.live.begin import LiveRequest, begin_live, check_live
from qwen_tts_api.service.live.speech import LiveSpeech
from qwen_tts_api.service.metrics import RequestMetrics, build_metrics
from qwen_tts_api.service.models import ServedModels
from qwen_tts_api.service.plan import SpeechPlan, make_plan
from qwen_tts_api.service.request import (
    NULL_CLIENT,
    Client,
    SpeechRequest,
    choose_output,
    with_defaults,
)
from qwen_tts_api.service.result import Speech, SpeechStream
from qwen_tts_api.service.synthesis.segmented_job import CUT, NOTHING_TO_SAY, SegmentedJob
from qwen_tts_api.service.synthesis.synthesis import Synthesis
from qwen_tts_api.service.text.script.script import make_script, word_script
from qwen_tts_api.service.times.timeline import Timeline
from qwen_tts_api.service.voices.registry import VoiceRegistry
from qwen_tts_api.service.voices.resolve import VoiceResolver, resolve_passages
from qwen_tts_api.service.voices.voice import Voice
from qwen_tts_api.telemetry.tracing import Tracer

FLUSH_TIMEOUT_S = 2.0
"""The timeout of sending the last spans, at the end of the process."""


class SpeechService:
    """Synthesis with the settings' defaults, over a pool of models.

    Attributes:
        keys: The API keys; None: none is needed.
        metrics: The metrics of its requests.
        models: The served models.
        tracer: Traces its requests; None: they are not traced.
        voices: The voices that requests may name.
    """

    def __init__(self, config: Config, pool: ModelPool, tracer: Tracer | None) -> None:
        self._config = config
        self._pool = pool
        self.keys = ApiKeys(config.api_keys_file) if config.api_keys_file else None
        self.metrics = build_metrics(pool.status, self.keys.status if self.keys else None)
        self.tracer = tracer
        self.models = ServedModels(pool)
        self.voices = VoiceRegistry(config, self.models)
        self._batch_threads = threading.Semaphore(config.max_streams)
        self._live: WeakSet[LiveSpeech] = WeakSet()
        self._resolver = VoiceResolver(config, self.models, self.voices)

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
        """Refuse new requests; complete the running ones. Live texts end where they are."""
        self._pool.drain()
        for live in list(self._live):
            live.finish()

    def close(self, timeout_s: float) -> bool:
        """Drain and wait for running requests; return whether all ended within `timeout_s`.

        The last spans are exported after that, within FLUSH_TIMEOUT_S.
        """
        ended = self._pool.close(timeout_s)
        if self.tracer is not None:
            self.tracer.close(FLUSH_TIMEOUT_S)
        return ended

    def synthesize(self, request: SpeechRequest, client: Client = NULL_CLIENT) -> Speech:
        """Return the audio of a request as a whole file; blocks until it is finished.

        Args:
            request: What the client asks for.
            client: Cancels the work where it disconnects.

        Raises:
            InvalidRequest: The request cannot be met, by this model or at all.
            Unavailable: The model is not there at the moment.
            QueueFull: Too much work is waiting.
            DeadlineExceeded: A segment of the text took longer than `QWEN_REQUEST_TIMEOUT_S`.
            ClientLeft: The client disconnected.
            SynthesisFailed: The model raised.
        """
        synthesis = self._begin(request, stream=False)
        data = b"".join(synthesis.chunks(client))
        return Speech(
            info=synthesis.info(synthesis.finish_reason),
            data=data,
            duration_s=synthesis.duration_s,
            model_s=synthesis.job.model_s,
            encode_s=synthesis.encoder.work_s,
            usage=synthesis.usage,
            times=synthesis.times,
        )

    def synthesize_all(
        self, requests: Sequence[SpeechRequest], client: Client = NULL_CLIENT
    ) -> list[Speech | TTSError]:
        """Return the audio of several requests, or what each ended with; blocks until then.

        A few are spoken at once; the others wait for them, instead of being refused.

        Args:
            requests: What the client asks for.
            client: Cancels all of the work where it disconnects.

        Raises:
            QueueFull: None of them was admitted.
            Unavailable: Likewise.
            ClientLeft: The client disconnected.
        """
        config = self._config
        batch = Batch(self.synthesize, self._has_room, client, config.request_timeout_s)
        # No more than may wait: alone, a batch never meets a full queue.
        at_once = max(1, min(MAX_AT_ONCE, config.max_streams // 4, config.max_queue))
        return batch.run(requests, self._batch_threads, at_once)

    def stream(self, request: SpeechRequest, client: Client = NULL_CLIENT) -> SpeechStream:
        """Return the audio of a request as it is made; blocks until there are first bytes.

        Args and what is raised before the first bytes are those of `synthesize`.
        """
        synthesis = self._begin(request, stream=True)
        chunks = synthesis.chunks(client)
        first = next(chunks)
        reason = "" if synthesis.job.num_segments else NOTHING_TO_SAY
        return SpeechStream(synthesis.info(reason), first, chunks, synthesis)

    def live(
        self, request: SpeechRequest, client: Client = NULL_CLIENT, *, per_segment: bool = False
    ) -> LiveSpeech:
        """Return the speech of a text that arrives while it is spoken; raises as `synthesize`.

        Args:
            request: Its text, which may be empty, is what there is already.
            client: Cancels the work where it disconnects.
            per_segment: Whether each segment has a container of its own, sent while it is made if
                `request.stream`; else there is one for all, always sent while it is made.
        """
        metrics = RequestMetrics(self.metrics, delivery="live")
        try:
            check_live(request)
            self.models.name(request.model)  # refused even while the model loads
            self._pool.check_open()
            voice = self._resolver.resolve(with_defaults(self._config, request))
            plan = LiveRequest(choose_output(request), voice, client, per_segment)
            live = begin_live(self._config, self._pool, plan, metrics)
        except TTSError as error:
            metrics.refuse(error)
            raise
        self._live.add(live)
        return live

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
            client: As in `synthesize`.

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
        if speech.info.finish_reason in CUT:
            raise InvalidRequest(
                "The recording was cut where its frame budget ended or the model repeated itself: "
                "try another seed or text.",
                fields={"text": ["Was not spoken to its end."]},
            )
        # What was spoken: markup and the like are not.
        return self.voices.add(name, speech.data, speech.info.text.text, consent, source="design")

    def _has_room(self) -> bool:
        return self._pool.status().waiting < self._config.max_queue

    def _begin(self, request: SpeechRequest, *, stream: bool) -> Synthesis:
        """Plan a request, and queue its first segment."""
        delivery = "stream" if stream else "whole"
        metrics = RequestMetrics(self.metrics, delivery=delivery)
        try:
            plan = self._plan(request)
            timeout_s = self._config.request_timeout_s
            job = SegmentedJob(
                self._pool,
                plan.voice.model,
                plan.segments,
                timeout_s=timeout_s,
                lead_s=plan.lead_s,
            )
        except TTSError as error:
            metrics.refuse(error)
            raise
        metrics.start(plan.provenance, len(plan.text.text), job)
        encoder = plan.output.pipeline(SAMPLE_RATE_HZ, stream=stream)  # while the model begins
        timing = plan.voice.card.token_timing
        timeline = Timeline(plan.output, timing) if request.timestamps else None
        return Synthesis(plan, job, encoder, metrics, timeline)

    def _plan(self, request: SpeechRequest) -> SpeechPlan:
        output = choose_output(request)
        request = with_defaults(self._config, request)
        self.models.name(request.model)  # refused before the text is read, even while it loads
        script, text = make_script(request, self._config.max_text_chars)
        self._pool.check_open()
        voices = resolve_passages(self._resolver.resolve, request, script.passages)
        if voices[0].card.kind == "voice_design":  # which invents a voice for each utterance
            by_style = {
                each.style: voice for each, voice in zip(script.passages, voices, strict=True)
            }
            script = script.merged()
            voices = [by_style[passage.style] for passage in script.passages]
        script, text = word_script(script, text, voices)
        # A silence has one passage, whatever there was.
        return make_plan(self._config, output, text, script, voices[: len(script.passages)])
