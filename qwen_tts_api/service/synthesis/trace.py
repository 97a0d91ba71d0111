"""The trace of a request for speech: its attributes, and a span for each stage of its jobs.

Names are those of OpenTelemetry's conventions for generative AI (`gen_ai.*`) as far as they go;
frames of audio (12.5 a second) are the tokens of the output, as in the OpenAI-compatible API's
events.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qwen_tts_api.audio.encoders import Pipeline
from qwen_tts_api.audio.provenance import Provenance
from qwen_tts_api.engine.job import Job
from qwen_tts_api.service.synthesis.segmented_job import SegmentedJob
from qwen_tts_api.telemetry.context import current_span
from qwen_tts_api.telemetry.tracing import Attribute, Attributes

if TYPE_CHECKING:
    from qwen_tts_api.telemetry.otel import Span

MAX_SEGMENTS = 100
"""How many segments have spans: what a request adds must fit into the queue of 2048 spans that the
SDK keeps."""


@contextmanager
def traced(source: Provenance, job: SegmentedJob, encoder: Pipeline) -> Iterator[None]:
    """Add attributes and child spans of the synthesis in the block to the request's span."""
    span = current_span()
    if span is None:
        yield
        return
    try:
        yield
    finally:
        if job.segments:
            span.set(_request_attributes(source, job))
        span.set(_response_attributes(job))
        _add_stages(span, job)
        if encoder.span is not None:
            span.child("encode", *encoder.span, {"qwen_tts.busy_s": encoder.work_s}, events={})


def _request_attributes(source: Provenance, job: SegmentedJob) -> Attributes:
    prompt = job.segments[0].prompt
    sampling = prompt.sampling
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.output.type": "speech",
        "gen_ai.provider.name": "qwen",
        "gen_ai.request.model": source.model,
        "gen_ai.response.model": source.model,
        "gen_ai.request.stream": prompt.streaming,
        "gen_ai.request.seed": sampling.seed,
        "gen_ai.request.temperature": float(sampling.temperature),
        "gen_ai.request.top_k": sampling.top_k,
        "gen_ai.request.top_p": float(sampling.top_p),
        "qwen_tts.language": prompt.language,
        "qwen_tts.segments": len(job.segments),
        "qwen_tts.characters": sum(len(each.prompt.text) for each in job.segments),
    }
    if prompt.max_new_tokens is not None:
        attributes["gen_ai.request.max_tokens"] = prompt.max_new_tokens
    if source.voice:
        attributes["qwen_tts.voice"] = source.voice
    return attributes


def _response_attributes(job: SegmentedJob) -> Attributes:
    attributes: dict[str, Attribute] = {
        "gen_ai.usage.input_tokens": job.num_text_tokens,
        "gen_ai.usage.output_tokens": job.num_frames,
    }
    if job.finish_reason:
        attributes["gen_ai.response.finish_reasons"] = (job.finish_reason,)
    first = job.jobs[0].times if job.jobs else None
    if first is not None and first.first_audio_at is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = first.first_audio_at - first.created_at
    return attributes


def _add_stages(span: Span, segmented_job: SegmentedJob) -> None:
    many = len(segmented_job.segments) > 1
    for number, job in enumerate(segmented_job.jobs[:MAX_SEGMENTS], 1):
        attributes: dict[str, Attribute] = {"qwen_tts.segment": number} if many else {}
        stages = list(_stages(job))
        for name, began_at, ended_at in stages:
            events, own = {}, dict(attributes)
            if name == "decode":
                own["qwen_tts.frames"] = job.num_frames
                if job.times.first_audio_at is not None:
                    events = {"first_audio": job.times.first_audio_at}
            error = job.failure if name == stages[-1][0] else ""
            span.child(name, began_at, ended_at, own, events=events, error=error)


def _stages(job: Job) -> Generator[tuple[str, float, float], None, None]:
    """Yield the stages of a job: name, begin and end."""
    times = job.times
    ended_at = times.ended_at or time.monotonic()
    yield "queue", times.created_at, times.started_at or ended_at
    if times.started_at is not None:
        yield "prefill", times.started_at, times.first_code_at or ended_at
    if times.first_code_at is not None:
        yield "decode", times.first_code_at, ended_at
