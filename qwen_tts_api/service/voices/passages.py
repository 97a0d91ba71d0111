"""Whose voice speaks each passage of a request: one model's voices, as many as there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qwen_tts_api.errors import NotSupported
from qwen_tts_api.service.request import SpeechRequest
from qwen_tts_api.service.text.script.passage import Passage
from qwen_tts_api.service.voices.resolve import ResolvedVoice

_NO_RECORDING = {
    name: getattr(SpeechRequest, name) for name in ("ref_audio", "ref_text", "x_vector_only_mode")
}


def resolve_passages(
    resolve: Callable[[SpeechRequest], ResolvedVoice],
    request: SpeechRequest,
    passages: Sequence[Passage],
) -> list[ResolvedVoice]:
    """Return the voice of each passage, resolved once where several have the same.

    Args:
        resolve: `VoiceResolver.resolve`.
        request: What they all have in common.
        passages: At least one.

    Raises:
        NotSupported: The voices are of different models, of which a request has one.
        TTSError: What `resolve` raises, with the place of the passage.
    """
    resolved: dict[SpeechRequest, ResolvedVoice] = {}
    voices: list[ResolvedVoice] = []
    for passage in passages:
        wanted = _request(request, passage)
        if wanted not in resolved:
            with passage.style.placing():
                resolved[wanted] = resolve(wanted)
                _check_model(voices, resolved[wanted])
        voices.append(resolved[wanted])
    return voices


def _request(request: SpeechRequest, passage: Passage) -> SpeechRequest:
    """Return the request that has the text of one passage alone, without that text."""
    own = {
        name: getattr(passage.style, name)
        for name in ("speaker", "language", "instruct")
        if getattr(passage.style, name)
    }
    # The recording is the voice of those that name none.
    return replace(request, **own, **(_NO_RECORDING if passage.style.speaker else {}))


def _check_model(voices: Sequence[ResolvedVoice], voice: ResolvedVoice) -> None:
    if voices and voice.model != voices[0].model:
        raise NotSupported(
            f"This is a voice of the model {voice.model!r}, but the text begins with one of "
            f"{voices[0].model!r}: a request has the voices of one model.",
            fields={"speaker": [f"Must be a voice of the model {voices[0].model!r}."]},
        )
