"""Set up the speech of a live text."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qwen_tts_api.audio.encoders import Output
from qwen_tts_api.config import Config
from qwen_tts_api.engine.pool import ModelPool
from qwen_tts_api.errors import InvalidRequest, NotSupported
from qwen_tts_api.model.utterance import Prompt
from qwen_tts_api.service.live.audio import LiveAudio, choose_tempo
from qwen_tts_api.service.live.events import LiveInfo
from qwen_tts_api.service.live.segment import LiveLimits
from qwen_tts_api.service.live.speech import LivePlan, LiveSpeech
from qwen_tts_api.service.live.text import LiveText
from qwen_tts_api.service.metrics import RequestMetrics
from qwen_tts_api.service.plan import describe_source, make_prompt, max_letters
from qwen_tts_api.service.request import Client, SpeechRequest
from qwen_tts_api.service.synthesis.segmented_job import SegmentedJob
from qwen_tts_api.service.text.script.marks import MarkKinds
from qwen_tts_api.service.times.timeline import Timeline
from qwen_tts_api.service.voices.resolve import ResolvedVoice


@dataclass(frozen=True)
class LiveRequest:
    """What a client asks for.

    Attributes:
        output: The format.
        voice: The model and the voice, and what else the request asks for.
        client: Cancels the work where it disconnects.
        per_segment: Whether each segment has a container of its own.
    """

    output: Output
    voice: ResolvedVoice
    client: Client
    per_segment: bool


def check_live(request: SpeechRequest) -> None:
    """Check that a request has no fields that live texts do not support.

    Raises:
        NotSupported: It has SSML, turns or speaker marks, which are parsed as a whole.
    """
    for name in ("ssml", "turns", "speaker_marks"):
        if getattr(request, name):
            raise NotSupported(
                lambda field, name=name: (  # type: ignore[misc]
                    f"A text that is spoken while it arrives cannot have {field(name)}: leave it "
                    "out, or send all of the text in one request."
                ),
                fields={name: ["Not for a text that arrives."]},
            )


def begin_live(
    config: Config,
    pool: ModelPool,
    live: LiveRequest,
    metrics: RequestMetrics,
) -> LiveSpeech:
    """Return a live speech whose first text is that of the request, which may be empty.

    Args:
        config: The settings.
        pool: Computes its segments.
        live: What is asked for.
        metrics: Its metrics.

    Raises:
        InvalidRequest: The model does not honour a field of the request.
        TTSError: What `LiveSpeech.append` raises.
    """
    voice, output = live.voice, live.output
    request, is_streamed = voice.request, voice.request.stream or not live.per_segment
    prompt = replace(make_prompt(config, "", voice), streaming=is_streamed)
    is_continuous = _is_continuous(config, voice)
    info = LiveInfo(
        media_type=output.audio_format.media_type,
        sample_rate_hz=output.sample_rate_hz,
        model=voice.model,
        seed=prompt.sampling.seed,
        mode="continuous" if is_continuous else "segments",
        ignored=voice.ignored,
        is_marked=config.mark_audio,
    )
    provenance = describe_source([voice], prompt.sampling.seed)
    if config.mark_audio:
        output = replace(output, provenance=provenance)
    marks = MarkKinds(bool(request.pause_marks), request.break_tags)
    output, tempo = choose_tempo(output, has_marks=bool(marks.patterns))
    timeline = Timeline(output, voice.card.token_timing) if request.timestamps else None
    audio = LiveAudio(
        output, timeline, tempo=tempo, stream=is_streamed, per_segment=live.per_segment
    )
    limits = _limits(config, voice, prompt, is_continuous=is_continuous)
    text = LiveText(limits, normalize=bool(request.normalize), wording=voice.wording, marks=marks)
    text.append(request.text)
    job = SegmentedJob(pool, voice.model, None, timeout_s=config.request_timeout_s)
    metrics.start(provenance, 0, job)
    plan = LivePlan(info, prompt, provenance, request.silence)
    return LiveSpeech(text, job, audio, plan, metrics, live.client)


def _limits(
    config: Config, voice: ResolvedVoice, prompt: Prompt, *, is_continuous: bool
) -> LiveLimits:
    in_frames = is_continuous or prompt.text_in_frames
    return LiveLimits(
        max_chars=config.max_text_chars,
        max_pending_chars=config.live_pending_chars,
        max_letters=max_letters(config, voice.card, text_in_frames=in_frames),
        silence_s=config.live_silence_s,
        whole=voice.card.kind == "voice_design" and not is_continuous,
        continuous=is_continuous,
        keeps_text=voice.request.timestamps,
    )


def _is_continuous(config: Config, voice: ResolvedVoice) -> bool:
    """Return whether the text is spoken word by word: if wanted, and supported by model and voice.

    Raises:
        InvalidRequest: The request wants that, but also the whole text before the first frame.
    """
    request = voice.request
    if (request.live_mode or config.live_mode) != "continuous":
        return False
    if request.non_streaming_mode:
        if request.live_mode:
            raise InvalidRequest(
                "'live_mode' is 'continuous', which needs the text frame by frame, but "
                "'non_streaming_mode' is true: leave one of the two out.",
                fields={"non_streaming_mode": ["Does not go with 'live_mode': 'continuous'."]},
            )
        return False
    reference = voice.reference
    # What continues a recording has most of its text beside the recording's frames.
    continues = reference is not None and not reference.x_vector_only
    return voice.card.streaming_text and not continues
