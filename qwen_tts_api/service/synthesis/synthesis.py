"""The synthesis of one request: from its queued jobs to the last byte of its file."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass

from qwen_tts_api.audio.encoders import Pipeline
from qwen_tts_api.errors import ClientLeft
from qwen_tts_api.service.metrics import RequestMetrics
from qwen_tts_api.service.plan import SpeechPlan
from qwen_tts_api.service.request import Client
from qwen_tts_api.service.result import SpeechInfo, TokenUsage
from qwen_tts_api.service.synthesis.segmented_job import SegmentedJob
from qwen_tts_api.service.synthesis.trace import traced
from qwen_tts_api.service.times.timed import TimedSegment, Times
from qwen_tts_api.service.times.timeline import Timeline


@dataclass(frozen=True)
class Synthesis:
    """The synthesis of one request, whose jobs are queued.

    Attributes:
        plan: The plan of its answer.
        job: The jobs of its segments.
        encoder: Turns their samples into the file's bytes.
        metrics: Its metrics.
        timeline: Records when its segments are heard, if the request asks for that.
    """

    plan: SpeechPlan
    job: SegmentedJob
    encoder: Pipeline
    metrics: RequestMetrics
    timeline: Timeline | None = None

    def chunks(self, client: Client) -> Generator[bytes, None, None]:
        """Yield the file's bytes as they are made; at least once, even if there is no audio.

        Closing it cancels the jobs, and so does the client's disconnect.

        Raises:
            ClientLeft: The client disconnected.
            TTSError: The jobs failed or timed out.
        """
        with traced(self.plan.provenance, self.job, self.encoder):
            with (
                self.metrics,
                contextlib.closing(self.job),
                client.on_disconnect(self._cancel),
            ):
                yield from self._encoded()
            yield self.encoder.finish()

    def _encoded(self) -> Generator[bytes, None, None]:
        """Yield the encoded samples: of a stream as they come, of a whole file at its end.

        A whole file is encoded while it is made, too, although a restart may discard that: so
        encoding takes no time of its own.
        """
        num_restarts, held = 0, list[bytes]()
        for samples in self.job.samples(self.timeline):
            if num_restarts != self.job.num_restarts:
                num_restarts = self.job.num_restarts
                self.encoder.restart()
                self.metrics.restart()
                held.clear()
            self.metrics.record_audio(len(samples))
            chunk = self.encoder.encode(samples)
            if self.job.is_streamed:
                if chunk:
                    yield chunk
            else:
                held.append(chunk)
        if held:
            yield b"".join(held)

    def info(self, finish_reason: str) -> SpeechInfo:
        """Return the description of the audio."""
        return SpeechInfo(
            media_type=self.plan.output.audio_format.media_type,
            sample_rate_hz=self.plan.output.sample_rate_hz,
            model=self.plan.voice.model,
            seed=self.job.segments[0].prompt.sampling.seed,
            text=self.plan.text,
            num_segments=self.job.num_segments,
            queue_s=self.job.queue_s,
            finish_reason=finish_reason,
            ignored=self.plan.ignored,
            is_marked=self.plan.output.provenance is not None,
        )

    @property
    def duration_s(self) -> float:
        """Duration of the audio that has been encoded."""
        return self.encoder.num_samples / self.plan.output.sample_rate_hz

    @property
    def finish_reason(self) -> str:
        """As in `SpeechInfo`."""
        return self.job.finish_reason

    @property
    def times(self) -> Times | None:
        """The times of the segments that have ended, if the request asks for times."""
        return self.timeline.times(self.duration_s) if self.timeline else None

    @property
    def expected(self) -> TimedSegment | None:
        """The expected times of the current segment, likewise."""
        return self.timeline.current if self.timeline else None

    @property
    def usage(self) -> TokenUsage:
        """The usage so far."""
        return TokenUsage(self.job.num_text_tokens, self.job.num_frames)

    def _cancel(self) -> None:
        self.job.cancel(ClientLeft("The client closed the connection."))
